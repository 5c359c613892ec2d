//! Requests: connections, keep-alive, pipelining, bodies, and clients that leave.

use std::cell::Cell;
use std::rc::Rc;

use hoop_net::{Address, Bind, ResponseBody};
use http::Response;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::Notify;

use crate::support::{App, Running, get, in_runtime, last_get, listening_on, rest, send, serve_on, until};

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

#[test]
fn a_client_that_leaves_drops_the_answer_it_waited_for() {
    struct Told(Rc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    in_runtime(async {
        let (begun, dropped) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let (tell_begun, tell_dropped) = (begun.clone(), dropped.clone());
        let server = Running::new(App::new(move |_| {
            let told = Told(tell_dropped.clone());
            tell_begun.notify_one();
            async move {
                std::future::pending::<()>().await;
                drop(told);
                Response::new(ResponseBody::from("never"))
            }
        }));
        let mut stream = server.connect().await;
        send(&mut stream, get("/").as_bytes()).await;
        begun.notified().await;
        drop(stream);
        dropped.notified().await;
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
