//! Requests that are refused before the application sees them; and bytes that are no requests.

use std::rc::Rc;

use hoop_net::{Refusal, ResponseBody};
use http::Response;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::sync::Notify;

use crate::support::{App, Running, get, in_runtime, last_get, rest, send};

/// An application that must not be entered.
fn untouchable() -> App {
    App::new(|request| async move {
        assert_eq!(request.uri().path(), "/well", "the application was entered");
        Response::new(ResponseBody::from("well"))
    })
}

fn refused(request: &str, refusal: Refusal) {
    in_runtime(async {
        let server = Running::new(untouchable());
        let received = server.talk(format!("{request}{}", get("/smuggled")).as_bytes()).await;
        assert!(received.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{received}");
        assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
        assert_eq!(received.matches("HTTP/1.1").count(), 1, "{received}");
        assert_eq!(*server.app.refusals.borrow(), [refusal]);
        assert!(server.talk(last_get("/well").as_bytes()).await.ends_with("well"));
    });
}

#[test]
fn a_body_with_two_kinds_of_length_is_refused() {
    for lengths in
        ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        refused(
            &format!("POST /both HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\n0\r\n\r\n"),
            Refusal::TwoLengths,
        );
    }
}

#[test]
fn requests_before_a_refused_one_are_answered_first_and_in_order() {
    in_runtime(async {
        let server = Running::new(App::path());
        let bad = "GET /bad HTTP/1.1\r\nhost: a\r\nname : value\r\n\r\n";
        let bytes = format!("{}{}{bad}{}", get("/first"), get("/second"), get("/smuggled"));
        let received = server.talk(bytes.as_bytes()).await;
        let places: Vec<_> = ["/first", "/second", "HTTP/1.1 400 "].map(|each| received.find(each)).into();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{received}");
        assert_eq!(received.matches("HTTP/1.1").count(), 3, "{received}");
        assert_eq!(*server.app.refusals.borrow(), [Refusal::FieldName]);
    });
}

#[test]
fn a_refused_head_waits_for_an_answer_that_takes_its_time() {
    in_runtime(async {
        let gate = Rc::new(Notify::new());
        let opened = gate.clone();
        let server = Running::new(App::new(move |_| {
            let gate = gate.clone();
            async move {
                gate.notified().await;
                Response::new(ResponseBody::from("slow"))
            }
        }));
        let mut stream = server.connect().await;
        send(&mut stream, format!("{}GET /bad\r\n\r\n", get("/slow")).as_bytes()).await;
        tokio::task::yield_now().await;
        assert!(server.app.refusals.borrow().is_empty(), "in its turn");
        opened.notify_one();
        let received = rest(&mut stream).await;
        assert!(received.contains("slow") && received.contains("HTTP/1.1 400 "), "{received}");
        assert!(received.find("slow") < received.find("HTTP/1.1 400 "), "{received}");
    });
}

#[test]
fn a_body_that_breaks_off_its_framing_is_refused_while_the_application_reads_it() {
    in_runtime(async {
        let server = Running::new(App::new(|request| async move {
            let read = request.into_body().collect().await;
            assert!(read.is_err(), "the body was taken for complete");
            std::future::pending().await
        }));
        let mut stream = server.connect().await;
        send(&mut stream, b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
            .await;
        send(&mut stream, format!("nonsense\r\n{}", get("/smuggled")).as_bytes()).await;
        let received = rest(&mut stream).await;
        assert!(received.starts_with("HTTP/1.1 400 "), "{received}");
        assert_eq!(received.matches("HTTP/1.1").count(), 1, "{received}");
        assert_eq!(*server.app.refusals.borrow(), [Refusal::Chunk]);
    });
}

#[test]
fn a_refused_body_is_the_answer_to_its_own_request() {
    in_runtime(async {
        let server = Running::new(App::path());
        let bad = "POST /bad HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n";
        let received = server.talk(format!("{}{bad}", get("/good")).as_bytes()).await;
        assert!(received.starts_with("HTTP/1.1 200 "), "{received}");
        assert!(received.contains("HTTP/1.1 400 "), "{received}");
        assert!(!received.contains("/bad"), "{received}");
    });
}

#[test]
fn what_follows_a_refused_handshake_is_read_as_a_request() {
    in_runtime(async {
        let server = Running::new(App::path());
        let handshake = "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let received = server.talk(format!("{handshake}{}", last_get("/next")).as_bytes()).await;
        assert!(received.starts_with("HTTP/1.1 501 "), "{received}");
        assert!(received.ends_with("/next"), "{received}");
    });
}

#[test]
fn a_head_in_single_bytes_is_taken() {
    in_runtime(async {
        let server = Running::new(App::path());
        let mut stream = server.connect().await;
        for byte in last_get("/slowly").as_bytes() {
            send(&mut stream, &[*byte]).await;
            tokio::task::yield_now().await;
        }
        assert!(rest(&mut stream).await.ends_with("/slowly"));
    });
}

#[test]
fn a_large_head_in_pieces_is_taken_whole() {
    in_runtime(async {
        let server = Running::new(App::new(|request| async move {
            let length = request.headers().get("x-large").map_or(0, |value| value.len());
            Response::new(ResponseBody::Whole(length.to_string().into()))
        }));
        let large = "x".repeat(60_000);
        let bytes = format!("GET / HTTP/1.1\r\nhost: a\r\nx-large: {large}\r\nconnection: close\r\n\r\n");
        assert!(server.talk(bytes.as_bytes()).await.ends_with("\r\n\r\n60000"));
    });
}

#[test]
fn a_host_that_is_missing_or_not_the_only_one_is_refused() {
    refused("GET / HTTP/1.1\r\n\r\n", Refusal::HostCount);
    refused("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", Refusal::HostCount);
}

#[test]
fn a_host_that_is_none_is_refused() {
    for host in ["a/b", "user@a", "a b", "a?b", "a#b", "a\\b", "\"a\"", "<a>", "caf\u{e9}"] {
        refused(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"), Refusal::MalformedHost);
    }
}

#[test]
fn a_target_in_authority_form_is_refused() {
    refused("GET example.org:80 HTTP/1.1\r\nhost: a\r\n\r\n", Refusal::Target);
}

#[test]
fn a_handshake_is_checked_like_any_request() {
    let handshake = "GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    refused(handshake, Refusal::HostCount);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever arrives, nothing but a proper request reaches the application, and the server lives.
    #[test]
    fn noise_is_never_taken_for_a_request(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        in_runtime(async {
            let server = Running::new(untouchable());
            let mut bytes = noise;
            bytes.extend_from_slice(b"\r\n\r\n");
            let received = server.talk_and_end(&bytes).await;
            assert!(received.is_empty() || received.starts_with("HTTP/1.1 4"), "{received}");
            assert!(server.talk(last_get("/well").as_bytes()).await.ends_with("well"));
        });
    }

    /// A request in which one byte was changed is still a request or is refused: nothing hangs.
    #[test]
    fn a_damaged_request_is_answered_one_way_or_another(at in 0usize..40, byte in any::<u8>()) {
        in_runtime(async {
            let server = Running::new(App::path());
            let mut bytes = last_get("/damaged").into_bytes();
            bytes[at] = byte;
            // Where the damage makes the head go on, or the connection stay.
            bytes.extend_from_slice(b"\r\n\r\nGET / HTTP/1.0\r\n\r\n");
            let received = server.talk_and_end(&bytes).await;
            assert!(received.is_empty() || received.starts_with("HTTP/1."), "{received}");
            assert!(server.talk(last_get("/well").as_bytes()).await.ends_with("/well"));
        });
    }
}
