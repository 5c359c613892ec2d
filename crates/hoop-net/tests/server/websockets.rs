//! WebSockets: handshake, messages both ways, and every way to end.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use hoop_net::{Message, WebSocket, WebSocketOptions};
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::spawn_local;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, Error};

use crate::support::{App, Running, get, in_runtime, last_get, rest, send, status};

type Client = WebSocketStream<TcpStream>;

async fn receive(socket: &mut WebSocket) -> Option<Message> {
    poll_fn(|cx| socket.poll_receive(cx)).await
}

async fn deliver(socket: &mut WebSocket, message: Message) {
    let mut message = Some(message);
    poll_fn(|cx| {
        if let Some(unsent) = message.take()
            && let Err(unsent) = socket.queue(cx, unsent)
        {
            message = Some(unsent);
            return Poll::Pending;
        }
        socket.poll_flush(cx)
    })
    .await;
}

/// An application that sends back every message, and tells all that it receives.
fn echo() -> (App, UnboundedReceiver<Message>) {
    let (tell, told) = unbounded_channel();
    let app = App::path().with_websocket(move |handshake| {
        let (response, pending) = handshake.accept(HeaderMap::new(), &WebSocketOptions::default());
        let tell = tell.clone();
        spawn_local(async move {
            let Some(mut socket) = pending.open().await else { return };
            while let Some(message) = receive(&mut socket).await {
                // Nobody listens once the test has seen enough.
                let _ = tell.send(message.clone());
                if !matches!(message, Message::Close { .. }) {
                    deliver(&mut socket, message).await;
                }
            }
        });
        async move { response }
    });
    (app, told)
}

async fn connect(server: &Running) -> Client {
    let stream = server.connect().await;
    let (client, _) = tokio_tungstenite::client_async("ws://test/", stream).await.expect("accepted");
    client
}

async fn say(client: &mut Client, message: tungstenite::Message) {
    poll_fn(|cx| std::pin::Pin::new(&mut *client).poll_ready(cx)).await.expect("ready");
    std::pin::Pin::new(&mut *client).start_send(message).expect("taken");
    poll_fn(|cx| std::pin::Pin::new(&mut *client).poll_flush(cx)).await.expect("sent");
}

async fn hear(client: &mut Client) -> Option<Result<tungstenite::Message, Error>> {
    poll_fn(|cx| std::pin::Pin::new(&mut *client).poll_next(cx)).await
}

async fn hear_close(client: &mut Client) -> CloseFrame {
    loop {
        match hear(client).await.expect("not over yet").expect("no error") {
            tungstenite::Message::Close(frame) => return frame.expect("a close with a code"),
            other => assert!(!other.is_text() && !other.is_binary(), "{other}"),
        }
    }
}

fn closed(code: u16, reason: &str) -> Message {
    Message::Close { code, reason: reason.to_owned() }
}

#[test]
fn the_close_of_a_client_is_told_and_answered() {
    in_runtime(async {
        let (app, mut told) = echo();
        let server = Running::new(app);
        let mut client = connect(&server).await;
        let frame = CloseFrame { code: CloseCode::Library(4321), reason: "enough".into() };
        say(&mut client, tungstenite::Message::Close(Some(frame.clone()))).await;
        assert_eq!(told.recv().await, Some(closed(4321, "enough")));
        assert_eq!(hear_close(&mut client).await, frame);
        assert!(hear(&mut client).await.is_none(), "the server ends the connection");
        assert!(told.try_recv().is_err(), "the end is told once and is the last");
    });
}

#[test]
fn a_close_without_a_code_is_told_as_1005() {
    in_runtime(async {
        let (app, mut told) = echo();
        let server = Running::new(app);
        let mut client = connect(&server).await;
        say(&mut client, tungstenite::Message::Close(None)).await;
        assert_eq!(told.recv().await, Some(closed(1005, "")));
    });
}

#[test]
fn a_client_that_vanishes_is_told_as_1006() {
    in_runtime(async {
        let (app, mut told) = echo();
        let server = Running::new(app);
        let client = connect(&server).await;
        drop(client);
        assert_eq!(told.recv().await, Some(closed(1006, "")));
    });
}

#[test]
fn a_ping_is_answered() {
    in_runtime(async {
        let (app, _told) = echo();
        let server = Running::new(app);
        let mut client = connect(&server).await;
        say(&mut client, tungstenite::Message::Ping(Bytes::from_static(b"there?"))).await;
        let answer = hear(&mut client).await.expect("an answer").expect("no error");
        assert_eq!(answer, tungstenite::Message::Pong(Bytes::from_static(b"there?")));
    });
}

#[test]
fn a_message_up_to_the_limit_is_taken_and_a_larger_one_is_a_1009() {
    in_runtime(async {
        let (app, mut told) = echo();
        let server = Running::new(app);
        let mut client = connect(&server).await;
        let largest = Bytes::from(vec![7; 16 * 1024 * 1024]);
        say(&mut client, tungstenite::Message::Binary(largest.clone())).await;
        assert_eq!(told.recv().await, Some(Message::Binary(largest)));
        drop(client);
        let mut stream = server.connect().await;
        send(&mut stream, handshake("").as_bytes()).await;
        crate::support::until(&mut stream, "\r\n\r\n").await;
        // Binary, masked, one byte more than the limit; the head of the frame is enough.
        send(&mut stream, &[0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 1, 1, 2, 3, 4]).await;
        while let Some(message) = told.recv().await {
            if let Message::Close { code, .. } = message
                && code != 1006
            {
                assert_eq!(code, 1009);
                break;
            }
        }
    });
}

#[test]
fn a_breach_of_the_protocol_is_told_to_both_sides() {
    for (bytes, code) in [
        (&b"\x81\x05plain"[..], 1002),
        (&b"\x83\x80\x00\x00\x00\x00"[..], 1002),
        (&b"\x80\x80\x00\x00\x00\x00"[..], 1002),
        (&b"\x81\x81\x00\x00\x00\x00\xff"[..], 1007),
    ] {
        in_runtime(async {
            let (app, mut told) = echo();
            let server = Running::new(app);
            let mut stream = server.connect().await;
            send(&mut stream, handshake("").as_bytes()).await;
            crate::support::until(&mut stream, "\r\n\r\n").await;
            send(&mut stream, bytes).await;
            assert!(
                matches!(told.recv().await, Some(Message::Close { code: seen, .. }) if seen == code),
                "{bytes:?}"
            );
            let mut head = [0; 4];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head).await.expect("a close frame");
            assert_eq!(head[0], 0x88);
            assert_eq!(u16::from_be_bytes([head[2], head[3]]), code);
        });
    }
}

fn handshake(changed: &str) -> String {
    let name = changed.split(':').next().unwrap_or_default().to_owned();
    let mut lines = vec!["GET /socket HTTP/1.1".to_owned()];
    for line in [
        "host: test",
        "upgrade: websocket",
        "connection: keep-alive, Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        if name.is_empty() || !line.starts_with(&name) {
            lines.push(line.to_owned());
        }
    }
    if changed.contains(": ") {
        lines.push(changed.to_owned());
    }
    lines.join("\r\n") + "\r\n\r\n"
}

#[test]
fn a_handshake_is_answered_as_the_protocol_asks() {
    in_runtime(async {
        let app = App::path().with_websocket(|handshake| {
            assert_eq!(handshake.parts.uri.path(), "/socket");
            let mut headers = HeaderMap::new();
            headers.append("set-cookie", HeaderValue::from_static("a=1"));
            headers.append("set-cookie", HeaderValue::from_static("b=2"));
            let (response, pending) = handshake.accept(headers, &WebSocketOptions::default());
            spawn_local(async move { drop(pending.open().await) });
            async move { response }
        });
        let received = Running::new(app).talk(handshake("").as_bytes()).await;
        // The key and its answer are those of RFC 6455 section 1.3.
        for line in [
            "HTTP/1.1 101 Switching Protocols\r\n",
            "\r\nupgrade: websocket\r\n",
            "\r\nconnection: upgrade\r\n",
            "\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n",
        ] {
            assert!(received.contains(line), "{line:?} in {received}");
        }
    });
}

#[test]
fn a_handshake_that_is_none_does_not_reach_the_application() {
    for (changed, answer) in [
        ("sec-websocket-version", "HTTP/1.1 426"),
        ("sec-websocket-version: 8", "HTTP/1.1 426"),
        ("sec-websocket-key", "HTTP/1.1 400"),
        ("sec-websocket-key: short", "HTTP/1.1 400"),
        ("sec-websocket-key: not base64 at all!!!=", "HTTP/1.1 400"),
    ] {
        in_runtime(async {
            let app = App::path().with_websocket(|_| async { panic!("the application was entered") });
            let server = Running::new(app);
            let request = handshake(changed) + &last_get("/next");
            let received = server.talk(request.as_bytes()).await;
            assert!(received.starts_with(answer), "{changed}: {received}");
        });
    }
}

#[test]
fn a_request_without_an_upgrade_to_websocket_is_an_ordinary_one() {
    for changed in ["upgrade", "upgrade: h2c", "connection: keep-alive"] {
        in_runtime(async {
            let app = App::path().with_websocket(|_| async { panic!("it is no handshake") });
            let received = Running::new(app).talk((handshake(changed) + &last_get("/next")).as_bytes()).await;
            assert!(received.contains("\r\n\r\n/socket"), "{changed}: {received}");
            assert!(received.ends_with("\r\n\r\n/next"), "{changed}: {received}");
        });
    }
}

#[test]
fn a_refused_handshake_leaves_the_connection_for_other_requests() {
    in_runtime(async {
        let app = App::path().with_websocket(|_| async { status(StatusCode::FORBIDDEN) });
        let server = Running::new(app);
        let mut stream = server.connect().await;
        send(&mut stream, (handshake("") + &get("/a") + &last_get("/b")).as_bytes()).await;
        let received = rest(&mut stream).await;
        assert!(received.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{received}");
        assert!(received.ends_with("\r\n\r\n/b"), "{received}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is sent comes back as it was, and in order.
    #[test]
    fn messages_come_back_as_they_were(
        messages in prop::collection::vec(
            prop_oneof![
                ".{0,200}".prop_map(|text| tungstenite::Message::Text(text.into())),
                prop::collection::vec(any::<u8>(), 0..70_000)
                    .prop_map(|bytes| tungstenite::Message::Binary(bytes.into())),
            ],
            1..8,
        )
    ) {
        in_runtime(async {
            let (app, _told) = echo();
            let server = Running::new(app);
            let mut client = connect(&server).await;
            for message in &messages {
                say(&mut client, message.clone()).await;
            }
            for message in &messages {
                assert_eq!(&hear(&mut client).await.expect("not over").expect("no error"), message);
            }
        });
    }
}
