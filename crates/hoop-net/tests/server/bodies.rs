//! Response bodies on the wire: whole, streamed, broken off, and held up by a slow reader.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use hoop_net::{BodySender, ResponseBody};
use http::Response;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

use crate::support::{App, Running, get, in_runtime, last_get, rest, send, until, vanish};

/// An application whose one response is a stream, and the stream's writing end once it has begun.
#[derive(Clone, Default)]
struct Streaming {
    sender: Rc<RefCell<Option<BodySender>>>,
    begun: Rc<Notify>,
}

impl Streaming {
    fn app(&self, length: Option<u64>) -> App {
        let this = self.clone();
        App::new(move |request| {
            let this = this.clone();
            async move {
                if request.uri().path() == "/other" {
                    return Response::new(ResponseBody::from("other"));
                }
                let (sender, body) = ResponseBody::stream(length);
                *this.sender.borrow_mut() = Some(sender);
                this.begun.notify_one();
                Response::new(body)
            }
        })
    }

    async fn sender(&self) -> BodySender {
        self.begun.notified().await;
        self.sender.borrow_mut().take().expect("it has begun")
    }
}

#[test]
fn a_whole_body_declares_its_length() {
    in_runtime(async {
        let received = Running::new(App::path()).talk(last_get("/whole").as_bytes()).await;
        let (head, body) = received.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("\r\ncontent-length: 6"), "{head}");
        assert_eq!(body, "/whole");
    });
}

#[test]
fn a_stream_is_chunked_and_arrives_as_it_is_written() {
    in_runtime(async {
        let streaming = Streaming::default();
        let server = Running::new(streaming.app(None));
        let mut stream = server.connect().await;
        send(&mut stream, last_get("/").as_bytes()).await;
        let sender = streaming.sender().await;
        assert!(until(&mut stream, "\r\n\r\n").await.contains("transfer-encoding: chunked"));
        for piece in ["one", "three"] {
            sender.push(Bytes::from(piece));
            let chunk = format!("{:X}\r\n{piece}\r\n", piece.len());
            assert_eq!(until(&mut stream, &chunk).await, chunk);
        }
        sender.push(Bytes::new());
        sender.finish();
        assert_eq!(rest(&mut stream).await, "0\r\n\r\n", "an empty piece is no last chunk");
    });
}

#[test]
fn a_stream_of_known_length_is_not_chunked() {
    in_runtime(async {
        let streaming = Streaming::default();
        let server = Running::new(streaming.app(Some(6)));
        let mut stream = server.connect().await;
        send(&mut stream, last_get("/").as_bytes()).await;
        let sender = streaming.sender().await;
        sender.push(Bytes::from_static(b"one"));
        sender.push(Bytes::from_static(b"two"));
        sender.finish();
        let received = rest(&mut stream).await;
        assert!(received.contains("content-length: 6\r\n"), "{received}");
        assert!(received.ends_with("\r\n\r\nonetwo"), "{received}");
    });
}

#[test]
fn a_stream_that_is_broken_off_has_no_end() {
    let breaks: [fn(BodySender); 2] = [|sender| sender.abort(), drop];
    for break_off in breaks {
        in_runtime(async move {
            let streaming = Streaming::default();
            let server = Running::new(streaming.app(None));
            let mut stream = server.connect().await;
            send(&mut stream, get("/").as_bytes()).await;
            let sender = streaming.sender().await;
            sender.push(Bytes::from_static(b"half"));
            break_off(sender);
            let received = rest(&mut stream).await;
            assert!(received.ends_with("\r\n\r\n4\r\nhalf\r\n"), "{received}");
            assert!(server.talk(last_get("/other").as_bytes()).await.ends_with("other"));
        });
    }
}

#[test]
fn a_slow_reader_holds_up_the_writer_and_nothing_else() {
    in_runtime(async {
        let streaming = Streaming::default();
        let server = Running::new(streaming.app(None));
        let mut stream = server.connect().await;
        send(&mut stream, get("/").as_bytes()).await;
        let sender = streaming.sender().await;
        let piece = Bytes::from(vec![b'x'; 64 * 1024]);
        let mut written = 0;
        // Until the kernel takes no more: then something stays here, however long one waits.
        loop {
            sender.push(piece.clone());
            written += piece.len();
            assert!(server.talk(last_get("/other").as_bytes()).await.ends_with("other"));
            if sender.buffered() > piece.len() as u64 {
                break;
            }
            assert!(written < 64 * 1024 * 1024, "hyper hoards what its peer does not read");
        }
        let drained = Rc::new(Notify::new());
        let tell = drained.clone();
        sender.when_drained(move || tell.notify_one());
        let reading = async {
            let mut received = 0;
            while received < written {
                received += until_chunk(&mut stream).await;
            }
        };
        tokio::join!(reading, drained.notified());
        assert_eq!(sender.buffered(), 0);
    });
}

/// Reads the head if there is one, and a chunk; its length.
async fn until_chunk(stream: &mut tokio::net::TcpStream) -> usize {
    let mut line = until(stream, "\r\n").await;
    if line.starts_with("HTTP/1.1") {
        until(stream, "\r\n\r\n").await;
        line = until(stream, "\r\n").await;
    }
    let length = usize::from_str_radix(line.trim_end(), 16).expect("a chunk's length");
    let mut chunk = vec![0; length + 2];
    stream.read_exact(&mut chunk).await.expect("the chunk");
    length
}

#[test]
fn a_writer_learns_that_the_reader_has_gone() {
    in_runtime(async {
        let streaming = Streaming::default();
        let server = Running::new(streaming.app(None));
        let mut stream = server.connect().await;
        send(&mut stream, get("/").as_bytes()).await;
        let sender = streaming.sender().await;
        until(&mut stream, "\r\n\r\n").await;
        let (gone, drained) = (Rc::new(Notify::new()), Rc::new(Cell::new(false)));
        let (tell_gone, tell_drained) = (gone.clone(), drained.clone());
        sender.when_gone(move || tell_gone.notify_one());
        sender.when_drained(move || tell_drained.set(true));
        vanish(stream);
        gone.notified().await;
        assert!(sender.is_reader_gone());
        assert!(drained.get(), "who waits for room is told as well");
        sender.push(Bytes::from_static(b"into the void"));
        assert_eq!(sender.buffered(), 0);
    });
}
