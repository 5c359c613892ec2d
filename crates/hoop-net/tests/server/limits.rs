//! What clients are held to: time, connections, requests at work.

use std::rc::Rc;
use std::time::Duration;

use hoop_net::{Limits, PaceLimits, Refusal, ResponseBody};
use http::Response;
use tokio::sync::Notify;

use crate::support::{App, Running, get, in_runtime, last_get, rest, send, until};

const SHORT: Duration = Duration::from_millis(100);

fn with_pace(change: impl FnOnce(&mut PaceLimits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits.pace);
    limits
}

/// Answers `/slow` when it is told to, and all else at once.
fn slow(proceed: &Rc<Notify>) -> App {
    let proceed = proceed.clone();
    App::new(move |request| {
        let proceed = proceed.clone();
        async move {
            if request.uri().path() == "/slow" {
                proceed.notified().await;
            }
            Response::new(ResponseBody::Whole(request.uri().path().to_owned().into()))
        }
    })
}

#[test]
fn a_head_that_does_not_end_is_refused_and_silence_is_closed() {
    in_runtime(async {
        let server = Running::with_limits(App::path(), with_pace(|pace| pace.head = Some(SHORT)));
        let mut silent = server.connect().await;
        let mut slow = server.connect().await;
        send(&mut slow, b"GET / HTTP/1.1\r\n").await;
        assert!(rest(&mut slow).await.starts_with("HTTP/1.1 408 "));
        assert_eq!(rest(&mut silent).await, "");
        assert_eq!(*server.app.refusals.borrow(), [Refusal::HeadTimeout]);
    });
}

#[test]
fn the_timer_ends_with_the_server() {
    in_runtime(async {
        let server = Running::new(App::path());
        assert!(server.talk(last_get("/").as_bytes()).await.ends_with('/'));
        server.shutdown.drain();
        server.serving.await.expect("the accept loop ends");
        server.shutdown.drained().await;
        while Rc::strong_count(&server.app) > 1 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn idle_connections_make_room() {
    in_runtime(async {
        let limits = Limits { connections: Some(2), ..Limits::default() };
        let server = Running::with_limits(App::path(), limits);
        let mut kept = Vec::new();
        for number in 0..10 {
            let mut stream = server.connect().await;
            send(&mut stream, get(&format!("/{number}")).as_bytes()).await;
            until(&mut stream, &format!("/{number}")).await;
            kept.push(stream);
            assert!(server.shutdown.open_connections() <= 3, "two, and one that is about to go");
        }
    });
}

#[test]
fn a_request_too_many_gets_a_503_and_the_application_nothing() {
    in_runtime(async {
        let proceed = Rc::new(Notify::new());
        let limits = Limits { concurrency: Some(1), queue: 0, ..Limits::default() };
        let server = Running::with_limits(slow(&proceed), limits);
        let mut busy = server.connect().await;
        send(&mut busy, get("/slow").as_bytes()).await;
        let mut refused = server.talk(last_get("/other").as_bytes()).await;
        while !refused.starts_with("HTTP/1.1 503 ") {
            // The first request was not read yet.
            refused = server.talk(last_get("/other").as_bytes()).await;
        }
        assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
        proceed.notify_one();
        until(&mut busy, "/slow").await;
        assert!(server.talk(last_get("/next").as_bytes()).await.ends_with("/next"));
    });
}

#[test]
fn a_connection_that_has_rested_goes_on_where_it_was() {
    in_runtime(async {
        // The limit that is short makes the looks frequent; nothing here comes near it.
        let limits = with_pace(|pace| pace.stall = Some(SHORT));
        let server = Running::with_limits(App::path(), limits);
        let mut stream = server.connect().await;
        for turn in 0..3 {
            send(&mut stream, get(&format!("/{turn}")).as_bytes()).await;
            until(&mut stream, &format!("/{turn}")).await;
            server.looked(5).await;
        }
        // A head in two pieces, with a rest before and none between.
        send(&mut stream, b"GET /in-two HTTP/1.1\r\nho").await;
        server.looked(5).await;
        send(&mut stream, b"st: test\r\n\r\n").await;
        until(&mut stream, "/in-two").await;
        server.looked(5).await;
        // Two at once, and the end.
        send(&mut stream, [get("/one"), last_get("/two")].concat().as_bytes()).await;
        let answers = rest(&mut stream).await;
        assert!(answers.contains("/one") && answers.ends_with("/two"), "{answers}");
    });
}

#[test]
fn a_rest_ends_with_the_server_and_with_the_patience_for_idle_connections() {
    in_runtime(async {
        let limits = with_pace(|pace| {
            pace.stall = Some(SHORT);
            pace.idle = Some(SHORT * 3);
        });
        let server = Running::with_limits(App::path(), limits);
        let mut idle = server.connect().await;
        send(&mut idle, get("/idle").as_bytes()).await;
        until(&mut idle, "/idle").await;
        assert_eq!(rest(&mut idle).await, "", "closed without a word");

        let server = Running::with_limits(App::path(), with_pace(|pace| pace.stall = Some(SHORT)));
        let mut resting = server.connect().await;
        send(&mut resting, get("/resting").as_bytes()).await;
        until(&mut resting, "/resting").await;
        server.looked(5).await;
        server.shutdown.drain();
        assert_eq!(rest(&mut resting).await, "");
        server.shutdown.drained().await;
    });
}
