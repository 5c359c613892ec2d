//! Requests that are refused before the application sees them; and bytes that are no requests.

use hoop_net::{Refusal, ResponseBody};
use http::Response;
use proptest::prelude::*;

use crate::support::{App, Running, get, in_runtime, last_get};

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
fn with_two_kinds_of_length_the_chunks_count_and_the_connection_ends() {
    for lengths in
        ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        in_runtime(async {
            let server = Running::new(App::path());
            let request = format!("POST /both HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\n0\r\n\r\n");
            let received = server.talk(format!("{request}{}", get("/smuggled")).as_bytes()).await;
            assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
            assert!(received.ends_with("\r\n\r\n/both"), "{received}");
        });
    }
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
    refused("GET example.org:80 HTTP/1.1\r\nhost: a\r\n\r\n", Refusal::MalformedTarget);
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
