//! Requests: connections, keep-alive, pipelining, bodies, and clients that leave.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hoop_net::{Address, Bind, Limits, PaceLimits, ResponseBody};
use http::Response;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::Notify;

use crate::support::{
    App, Running, get, in_runtime, last_get, listening_on, rest, send, serve_on, status, until, vanish,
};

/// Answers with the request's body.
fn echo() -> App {
    App::new(|request| async move {
        let body = request.into_body().collect().await.expect("the whole body").to_bytes();
        Response::new(ResponseBody::Whole(body))
    })
}

#[test]
fn requests_share_a_connection_and_are_answered_in_order() {
    in_runtime(async {
        let server = Running::new(App::path());
        let requests: String = (0..20).map(|number| get(&format!("/{number}"))).collect();
        let received = server.talk(format!("{requests}{}", last_get("/last")).as_bytes()).await;
        let mut bodies: Vec<&str> = Vec::new();
        for answer in received.split("HTTP/1.1 200 OK\r\n").skip(1) {
            bodies.push(answer.split_once("\r\n\r\n").expect("a head").1);
        }
        let expected: Vec<String> = (0..20).map(|number| format!("/{number}")).collect();
        assert_eq!(bodies[..20], expected);
        assert_eq!(bodies[20..], ["/last"]);
        assert_eq!(server.app.connections.borrow().len(), 1);
    });
}

#[test]
fn an_application_learns_both_ends_of_a_connection() {
    in_runtime(async {
        let server = Running::new(App::path());
        let mut stream = server.connect().await;
        let client = stream.local_addr().expect("an address");
        send(&mut stream, last_get("/").as_bytes()).await;
        rest(&mut stream).await;
        let connections = server.app.connections.borrow();
        assert_eq!(*connections, [(Address::Ip(client), Address::Ip(server.address))]);
    });
}

#[test]
fn a_unix_socket_serves_alike() {
    in_runtime(async {
        let path = std::env::temp_dir().join(format!("hoop-net-serves-{}", std::process::id()));
        let app = serve_on(listening_on(Bind::Unix(path.clone())), App::path());
        let mut stream = UnixStream::connect(&path).await.expect("a connection");
        stream.write_all(last_get("/over-unix").as_bytes()).await.expect("sent");
        assert!(rest(&mut stream).await.ends_with("\r\n\r\n/over-unix"));
        let ends = (Address::Unix(None), Address::Unix(Some(path.clone())));
        assert_eq!(*app.connections.borrow(), [ends]);
        std::fs::remove_file(&path).expect("cleaned up");
    });
}

/// An application that never answers; it tells when it has begun, and when its answer is dropped.
fn patient() -> (App, Rc<Notify>, Rc<Notify>) {
    struct Told(Rc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (begun, dropped) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (tell_begun, tell_dropped) = (begun.clone(), dropped.clone());
    let app = App::new(move |_| {
        let told = Told(tell_dropped.clone());
        tell_begun.notify_one();
        async move {
            std::future::pending::<()>().await;
            drop(told);
            Response::new(ResponseBody::from("never"))
        }
    });
    (app, begun, dropped)
}

#[test]
fn a_client_that_leaves_drops_the_answer_it_waited_for() {
    in_runtime(async {
        let (app, begun, dropped) = patient();
        let server = Running::new(app);
        let mut stream = server.connect().await;
        send(&mut stream, get("/").as_bytes()).await;
        begun.notified().await;
        vanish(stream);
        dropped.notified().await;
    });
}

#[test]
fn a_client_that_leaves_behind_other_requests_is_noticed_too() {
    in_runtime(async {
        let (app, begun, dropped) = patient();
        let server = Running::new(app);
        let mut stream = server.connect().await;
        let upload = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc";
        send(&mut stream, [&get("/1"), upload, &get("/3")[..9]].concat().as_bytes()).await;
        begun.notified().await;
        vanish(stream);
        dropped.notified().await;
    });
}

#[test]
fn answers_do_not_pile_up_for_a_client_that_does_not_read_them() {
    const REQUESTS: u32 = 20_000;
    in_runtime(async {
        let answered = Rc::new(Cell::new(0));
        let count = answered.clone();
        let pace = PaceLimits { stall: Some(Duration::from_millis(200)), ..PaceLimits::default() };
        let limits = Limits { pace, pipelined: None, ..Limits::default() };
        // A hundred megabytes of heads alone, which is more than the system takes.
        let field = http::HeaderValue::try_from("x".repeat(5000)).expect("a value");
        let server = Running::with_limits(
            App::new(move |_| {
                count.set(count.get() + 1);
                let mut response = Response::new(ResponseBody::from(""));
                response.headers_mut().insert("x-long", field.clone());
                async { response }
            }),
            limits,
        );
        let mut stream = server.connect().await;
        let heads = "HEAD / HTTP/1.1\r\nhost: test\r\n\r\n".repeat(REQUESTS as usize);
        // The server gives the client up in the end, while that writes or after.
        let _ = stream.write_all(heads.as_bytes()).await;
        while answered.get() == 0 || server.shutdown.open_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!((1..REQUESTS).contains(&answered.get()), "{}", answered.get());
    });
}

#[test]
fn a_response_may_stream_what_its_request_still_sends() {
    in_runtime(async {
        let server = Running::new(App::new(|request| async move {
            let (sender, body) = ResponseBody::stream(None);
            tokio::task::spawn_local(async move {
                let mut incoming = request.into_body();
                while let Some(Ok(frame)) = incoming.frame().await {
                    sender.push(frame.into_data().expect("data"));
                }
                sender.finish();
            });
            Response::new(body)
        }));
        let mut stream = server.connect().await;
        send(&mut stream, b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 6\r\n\r\n").await;
        for piece in ["one", "two"] {
            send(&mut stream, piece.as_bytes()).await;
            until(&mut stream, &format!("3\r\n{piece}\r\n")).await;
        }
        assert_eq!(until(&mut stream, "0\r\n\r\n").await, "0\r\n\r\n");
        send(&mut stream, last_get("/").as_bytes()).await;
        assert!(rest(&mut stream).await.contains("200 OK"), "the connection goes on");
    });
}

#[test]
fn a_status_that_ends_no_request_is_the_servers_failure() {
    for code in [100, 101, 103, 199] {
        in_runtime(async move {
            let server = Running::new(App::new(move |_| async move {
                status(http::StatusCode::from_u16(code).expect("a status"))
            }));
            let received = server.talk(format!("{}{}", get("/"), last_get("/")).as_bytes()).await;
            assert!(received.starts_with("HTTP/1.1 500 "), "{received}");
            assert_eq!(received.matches("HTTP/1.1 500 ").count(), 2, "each has its answer: {received}");
        });
    }
}

#[test]
fn a_body_that_nobody_reads_is_passed_over() {
    in_runtime(async {
        let server = Running::new(App::path());
        for (framing, body) in [
            ("content-length: 5", "GET /"),
            ("transfer-encoding: chunked", "5\r\nGET /\r\n0\r\nx-trailer: 1\r\n\r\n"),
        ] {
            let upload = format!("POST /unread HTTP/1.1\r\nhost: test\r\n{framing}\r\n\r\n{body}");
            let received = server.talk(format!("{upload}{upload}{}", last_get("/next")).as_bytes()).await;
            assert_eq!(received.matches("/unread").count(), 2, "{received}");
            assert!(received.ends_with("/next"), "{received}");
        }
    });
}

#[test]
fn an_upload_that_breaks_off_is_an_error_and_not_an_end() {
    in_runtime(async {
        let told = Rc::new((Cell::new(None), Notify::new()));
        let tell = told.clone();
        let server = Running::new(App::new(move |request| {
            let tell = tell.clone();
            async move {
                tell.0.set(Some(request.into_body().collect().await.is_err()));
                tell.1.notify_one();
                Response::new(ResponseBody::from("too late"))
            }
        }));
        let mut stream = server.connect().await;
        send(&mut stream, b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf").await;
        stream.shutdown().await.expect("hung up");
        told.1.notified().await;
        assert_eq!(told.0.get(), Some(true));
    });
}

#[test]
fn a_body_that_is_waited_for_is_asked_for() {
    in_runtime(async {
        let server = Running::new(echo());
        let mut stream = server.connect().await;
        let head = "PUT / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
        send(&mut stream, head.as_bytes()).await;
        assert_eq!(until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        send(&mut stream, b"yes").await;
        assert!(until(&mut stream, "yes").await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}

#[test]
fn a_panic_in_one_connection_leaves_the_others_alone() {
    in_runtime(async {
        let server = Running::new(App::new(|request| async move {
            assert_ne!(request.uri().path(), "/panics", "as this test wants it");
            Response::new(ResponseBody::from("well"))
        }));
        assert_eq!(server.talk(get("/panics").as_bytes()).await, "");
        assert!(server.talk(last_get("/").as_bytes()).await.ends_with("well"));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However the network cuts a conversation into pieces, it is the same conversation.
    #[test]
    fn where_the_bytes_are_cut_does_not_matter(
        bodies in prop::collection::vec("[a-z\r\n ]{0,40}", 1..4),
        chunked in any::<bool>(),
        cuts in prop::collection::vec(1usize..60, 1..12),
    ) {
        in_runtime(async {
            let server = Running::new(echo());
            let mut bytes = String::new();
            for body in &bodies {
                let length = body.len();
                bytes += "POST / HTTP/1.1\r\nhost: test\r\n";
                if !chunked {
                    bytes += &format!("content-length: {length}\r\n\r\n{body}");
                } else if length == 0 {
                    bytes += "transfer-encoding: chunked\r\n\r\n0\r\n\r\n";
                } else {
                    bytes += &format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n");
                }
            }
            let mut stream = server.connect().await;
            stream.set_nodelay(true).expect("no delay");
            let mut left = bytes.as_bytes();
            for cut in cuts.iter().cycle() {
                let (piece, rest) = left.split_at((*cut).min(left.len()));
                send(&mut stream, piece).await;
                left = rest;
                if left.is_empty() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            for body in &bodies {
                let head = until(&mut stream, "\r\n\r\n").await;
                assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
                if !body.is_empty() {
                    assert_eq!(&until_length(&mut stream, body.len()).await, body);
                }
            }
        });
    }
}

async fn until_length(stream: &mut tokio::net::TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    tokio::io::AsyncReadExt::read_exact(stream, &mut bytes).await.expect("the whole body");
    String::from_utf8(bytes).expect("text")
}
