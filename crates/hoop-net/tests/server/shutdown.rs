//! Ends of a server: draining, closing, and counting what is open.

use std::rc::Rc;
use std::time::Duration;

use hoop_net::{Limits, ResponseBody, Shutdown};
use http::Response;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{App, Running, get, in_runtime, last_get, rest, send, until};

/// An application whose requests wait until they are released, but for `/quick`.
#[derive(Clone, Default)]
struct Slow {
    begun: Rc<Notify>,
    release: Rc<Notify>,
}

impl Slow {
    fn app(&self) -> App {
        let this = self.clone();
        App::new(move |request| {
            let this = this.clone();
            async move {
                if request.uri().path() != "/quick" {
                    this.begun.notify_one();
                    this.release.notified().await;
                }
                Response::new(ResponseBody::from("answered"))
            }
        })
    }
}

#[test]
fn draining_lets_a_request_finish_and_takes_no_other() {
    in_runtime(async {
        let slow = Slow::default();
        let server = Running::new(slow.app());
        let mut stream = server.connect().await;
        send(&mut stream, format!("{}{}", get("/slow"), get("/quick")).as_bytes()).await;
        slow.begun.notified().await;
        assert_eq!(server.shutdown.open_connections(), 1);
        server.shutdown.drain();
        server.serving.await.expect("the accept loop ends at once");
        assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
        slow.release.notify_one();
        let received = rest(&mut stream).await;
        assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
        assert_eq!(received.matches("answered").count(), 1, "{received}");
        server.shutdown.drained().await;
        assert_eq!(server.shutdown.open_connections(), 0);
    });
}

#[test]
fn draining_and_an_answer_at_the_same_moment_end_the_connection() {
    in_runtime(async {
        let slow = Slow::default();
        let server = Running::new(slow.app());
        let mut stream = server.connect().await;
        send(&mut stream, format!("{}{}", get("/slow"), get("/quick")).as_bytes()).await;
        slow.begun.notified().await;
        // Both before the connection's task runs again.
        server.shutdown.drain();
        slow.release.notify_one();
        assert_eq!(rest(&mut stream).await.matches("answered").count(), 1);
        server.shutdown.drained().await;
    });
}

#[test]
fn draining_ends_idle_connections_used_and_unused() {
    in_runtime(async {
        let server = Running::new(App::path());
        let (mut used, mut unused) = (server.connect().await, server.connect().await);
        send(&mut used, get("/used").as_bytes()).await;
        until(&mut used, "/used").await;
        server.shutdown.drain();
        server.shutdown.drain();
        assert_eq!(rest(&mut used).await, "");
        assert_eq!(rest(&mut unused).await, "");
        server.shutdown.drained().await;
    });
}

#[test]
fn closing_drops_what_is_at_work() {
    in_runtime(async {
        let slow = Slow::default();
        let server = Running::new(slow.app());
        let mut stream = server.connect().await;
        send(&mut stream, get("/slow").as_bytes()).await;
        slow.begun.notified().await;
        server.shutdown.drain();
        server.shutdown.close();
        assert_eq!(rest(&mut stream).await, "");
        server.shutdown.drained().await;
    });
}

#[test]
fn closing_without_draining_ends_the_accept_loop_too() {
    in_runtime(async {
        let server = Running::new(App::path());
        let mut stream = server.connect().await;
        send(&mut stream, get("/").as_bytes()).await;
        until(&mut stream, "\r\n\r\n/").await;
        server.shutdown.close();
        server.serving.await.expect("the accept loop ends");
        assert_eq!(rest(&mut stream).await, "");
    });
}

#[test]
fn what_is_drained_before_it_serves_never_serves() {
    in_runtime(async {
        let shutdown = Shutdown::default();
        shutdown.drain();
        let server = Running::with_shutdown(App::path(), shutdown);
        server.serving.await.expect("it returns at once");
        server.shutdown.drained().await;
        assert!(TcpStream::connect(server.address).await.is_err());
    });
}

#[test]
fn connections_are_counted_while_they_last() {
    in_runtime(async {
        let server = Running::new(App::path());
        assert_eq!(server.shutdown.open_connections(), 0);
        let mut streams = Vec::new();
        for number in 1..=3 {
            let mut stream = server.connect().await;
            send(&mut stream, get("/").as_bytes()).await;
            until(&mut stream, "\r\n\r\n/").await;
            streams.push(stream);
            assert_eq!(server.shutdown.open_connections(), number);
        }
        let counted = server.shutdown.opened();
        assert_eq!(server.shutdown.open_connections(), 4);
        drop((streams, counted));
        server.shutdown.drained().await;
        assert!(server.talk(last_get("/again").as_bytes()).await.ends_with("/again"));
    });
}

#[test]
fn leaving_answers_whoever_was_about_to_ask() {
    in_runtime(async {
        let server = Running::new(App::path());
        let (mut kept, mut fresh) = (server.connect().await, server.connect().await);
        send(&mut kept, get("/before").as_bytes()).await;
        until(&mut kept, "/before").await;
        server.shutdown.leave();
        server.serving.await.expect("the accept loop ends at once");
        assert_eq!(server.shutdown.open_connections(), 2, "both wait for a request");
        for stream in [&mut kept, &mut fresh] {
            send(stream, get("/after").as_bytes()).await;
            let received = rest(stream).await;
            assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
            assert!(received.ends_with("/after"), "{received}");
        }
        server.shutdown.drained().await;
    });
}

#[test]
fn leaving_answers_whoever_asks_after_a_rest() {
    in_runtime(async {
        let mut limits = Limits::default();
        // Looks are frequent where a limit is short.
        limits.pace.stall = Some(Duration::from_millis(50));
        let server = Running::with_limits(App::path(), limits);
        let mut streams = [server.connect().await, server.connect().await];
        for stream in &mut streams {
            send(stream, get("/before").as_bytes()).await;
            until(stream, "/before").await;
        }
        server.looked(5).await;
        server.shutdown.leave();
        let [whole, in_two] = &mut streams;
        send(whole, get("/after").as_bytes()).await;
        assert!(rest(whole).await.ends_with("/after"));
        send(in_two, b"GET /after HTTP/1.1\r\nho").await;
        server.looked(5).await;
        send(in_two, b"st: test\r\n\r\n").await;
        let received = rest(in_two).await;
        assert!(received.contains("\r\nconnection: close\r\n") && received.ends_with("/after"), "{received}");
        server.shutdown.drained().await;
    });
}

#[test]
fn leaving_does_not_wait_for_whoever_never_asks() {
    in_runtime(async {
        let server = Running::new(App::path());
        let (mut kept, mut fresh) = (server.connect().await, server.connect().await);
        send(&mut kept, get("/before").as_bytes()).await;
        until(&mut kept, "/before").await;
        server.shutdown.leave();
        server.shutdown.drain();
        assert_eq!(rest(&mut kept).await, "");
        assert_eq!(rest(&mut fresh).await, "");
        server.shutdown.drained().await;
    });
}
