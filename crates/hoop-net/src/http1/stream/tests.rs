//! The stream over a pair of sockets, with room for little: what is asked for, noticed and told.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use hoop_http1::{MessageLimits, Refusal};
use hoop_limits::{Overdue, Stage};
use http::{HeaderMap, Request};
use http_body::Body as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Lost, Stream};
use crate::incoming_body::IncomingBody;
use crate::interim::InterimResponses;
use crate::passage::Passage;
use crate::transport::{Socket, Transport};
use crate::wire::{PeerSends, Wire};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const UPLOAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Lets the runtime ask the system once which sockets are ready: it does when it has nothing to do.
async fn turn() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

struct Connection {
    stream: Stream,
    far: UnixStream,
    passage: Rc<Passage>,
    interim: InterimResponses,
}

type Arrival = Result<Option<Request<IncomingBody>>, Refusal>;

impl Connection {
    fn new(depth: u32) -> Self {
        let (near, far) = UnixStream::pair().expect("two sockets");
        let small = 4096;
        socket2::SockRef::from(&near).set_send_buffer_size(small).expect("a small buffer");
        let passage = Rc::new(Passage::default());
        let transport = Transport::bare(Socket::Unix(near), Bytes::new(), Rc::default());
        let interim = InterimResponses::default();
        let wire = Wire::new(transport, PeerSends::default()).with_interim(interim.clone());
        let stream = Stream::new(wire, MessageLimits::default(), passage.clone(), depth);
        Self { stream, far, passage, interim }
    }

    /// Has something arrive.
    async fn send(&mut self, text: &str) {
        self.far.write_all(text.as_bytes()).await.expect("room");
        turn().await;
    }

    async fn end(&mut self) {
        self.far.shutdown().await.expect("an open socket");
        turn().await;
    }

    fn request(&mut self) -> Option<Arrival> {
        let cx = &mut Context::from_waker(Waker::noop());
        match self.stream.poll_head(cx, &mut HeaderMap::new()) {
            Poll::Ready(head) => Some(head.map(|head| head.map(|(request, _)| request))),
            Poll::Pending => None,
        }
    }

    fn begun(&mut self) -> Request<IncomingBody> {
        self.request().expect("a head").expect("a good one").expect("no end")
    }

    fn attend(&mut self) -> Result<(), Lost> {
        self.stream.attend(&mut Context::from_waker(Waker::noop()))
    }

    fn stage(&self) -> (Stage, bool) {
        let sight = self.passage.sight();
        (sight.stage, sight.awaited)
    }
}

fn data(request: &mut Request<IncomingBody>) -> Poll<Option<Option<Bytes>>> {
    let body = std::pin::Pin::new(request.body_mut());
    let frame = body.poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map(|frame| frame.map(|frame| frame.ok().and_then(|frame| frame.into_data().ok())))
}

#[tokio::test]
async fn a_head_is_told_of_while_it_comes_and_a_body_while_it_is_wanted() {
    let mut connection = Connection::new(9);
    assert!(connection.request().is_none());
    assert_eq!(connection.stage(), (Stage::Between, true));
    connection.send(&UPLOAD[..9]).await;
    assert!(connection.request().is_none());
    assert_eq!(connection.stage(), (Stage::Head, true));
    connection.send(&UPLOAD[9..]).await;
    let mut request = connection.begun();
    assert_eq!(connection.stage(), (Stage::Body, false));
    assert!(data(&mut request).is_pending());
    connection.attend().expect("nothing is wrong");
    assert_eq!(connection.stage(), (Stage::Body, true));
    connection.send("12345").await;
    connection.attend().expect("nothing is wrong");
    assert_eq!(data(&mut request), Poll::Ready(Some(Some(Bytes::from_static(b"12345")))));
    assert_eq!(data(&mut request), Poll::Ready(None));
    assert_eq!(connection.stage(), (Stage::Between, false));
    assert_eq!(connection.passage.sight().received as usize, UPLOAD.len() + 5);
}

#[tokio::test]
async fn what_comes_with_a_head_is_there_when_it_is_asked_for() {
    let mut connection = Connection::new(9);
    connection.send(&format!("{UPLOAD}12345{GET}")).await;
    let mut request = connection.begun();
    assert_eq!(request.body().size_hint().exact(), Some(5));
    assert_eq!(data(&mut request), Poll::Ready(Some(Some(Bytes::from_static(b"12345")))));
    assert!(request.body().is_end_stream());
    assert!(connection.stream.holds());
}

#[tokio::test]
async fn no_more_is_read_ahead_than_the_depth_allows() {
    for (depth, taken) in [(1, 1), (2, 1), (3, 2)] {
        let mut connection = Connection::new(depth);
        connection.send(GET).await;
        let request = connection.begun();
        for _ in 0..4 {
            connection.send(GET).await;
            connection.attend().expect("nothing is wrong");
        }
        let received = connection.passage.sight().received as usize;
        assert_eq!(received, GET.len() * (1 + taken), "{depth} at once");
        drop(request);
    }
}

#[tokio::test]
async fn a_client_that_ends_its_side_is_told_of_and_gets_its_answer() {
    let mut connection = Connection::new(9);
    connection.send(&GET.repeat(2)).await;
    drop(connection.begun());
    connection.end().await;
    connection.attend().expect("it waits for its answer");
    assert!(connection.passage.take_half_closed());
    drop(connection.begun());
    connection.attend().expect("and for this one");
    assert!(matches!(connection.request(), Some(Ok(None))));
}

#[tokio::test]
async fn a_client_that_ends_its_side_and_has_not_been_begun_with_has_left() {
    let mut connection = Connection::new(9);
    connection.send(GET).await;
    drop(connection.begun());
    connection.passage.queue(true);
    connection.end().await;
    assert!(matches!(connection.attend(), Err(Lost::Client)));
}

#[tokio::test]
async fn what_would_become_a_websocket_ends_with_its_client() {
    let mut connection = Connection::new(9);
    connection.send(HANDSHAKE).await;
    drop(connection.begun());
    connection.stream.begin_handshake();
    connection.attend().expect("nothing is wrong");
    connection.end().await;
    assert!(matches!(connection.attend(), Err(Lost::Client)));
    assert!(!connection.passage.take_half_closed());
}

#[tokio::test]
async fn who_gets_another_answer_than_it_asked_for_gets_all_of_it() {
    let mut connection = Connection::new(9);
    connection.send(HANDSHAKE).await;
    drop(connection.begun());
    connection.stream.begin_handshake();
    connection.stream.queue_head(|out| out.extend_from_slice(b"HTTP/1.1 403 Forbidden\r\n"));
    connection.end().await;
    connection.attend().expect("it waits for the rest");
    assert!(connection.passage.take_half_closed());
}

#[tokio::test]
async fn a_hint_that_comes_too_late_is_not_sent() {
    let mut connection = Connection::new(9);
    let link = [http::HeaderValue::from_static("</a>")];
    let cx = &mut Context::from_waker(Waker::noop());
    connection.send(GET).await;
    drop(connection.begun());
    connection.interim.early_hints(&link);
    while connection.stream.poll_flush(cx).is_pending() {}
    connection.stream.queue_head(|out| out.extend_from_slice(b"head"));
    connection.interim.early_hints(&link);
    while connection.stream.poll_flush(cx).is_pending() {}
    drop(connection.stream);
    let mut sent = String::new();
    connection.far.read_to_string(&mut sent).await.expect("text");
    assert_eq!(sent, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nhead");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_its_readers_to_know() {
    let mut connection = Connection::new(9);
    connection.send(&format!("{UPLOAD}12")).await;
    let mut request = connection.begun();
    assert!(data(&mut request).is_ready() && data(&mut request).is_pending());
    connection.end().await;
    connection.attend().expect("there may be an answer");
    assert_eq!(data(&mut request), Poll::Ready(Some(None)));
    assert!(connection.stream.is_in_body(), "nothing can follow");
}

#[tokio::test]
async fn who_is_late_is_refused_and_who_was_in_time_after_all_is_not() {
    let mut connection = Connection::new(9);
    connection.send(&GET[..9]).await;
    assert!(connection.request().is_none());
    connection.passage.tell(Overdue::Body);
    assert!(connection.request().is_none(), "a body is not what it is late with");
    connection.passage.tell(Overdue::Head);
    assert!(matches!(connection.request(), Some(Err(Refusal::HeadTimeout))));

    let mut connection = Connection::new(9);
    connection.send(UPLOAD).await;
    connection.passage.tell(Overdue::Head);
    let mut request = connection.begun();
    assert!(data(&mut request).is_pending());
    connection.attend().expect("in time");
    connection.passage.tell(Overdue::Body);
    assert!(matches!(connection.attend(), Err(Lost::Refused(Refusal::BodyTimeout))));
    assert_eq!(data(&mut request), Poll::Ready(Some(None)));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_told_of_until_the_end() {
    let mut connection = Connection::new(9);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut long = Bytes::from(vec![b'x'; 100_000]);
    assert!(connection.stream.poll_queue_data(cx, &mut long).is_pending());
    assert!(connection.passage.sight().blocked);
    let mut taken = BytesMut::new();
    while connection.stream.poll_queue_data(cx, &mut long).is_pending() {
        connection.far.read_buf(&mut taken).await.expect("more");
        turn().await;
    }
    assert!(!connection.passage.sight().blocked);
    // A short piece is taken at once, and then waits for the same client.
    connection.stream.queue(|out| out.extend_from_slice(&[b'y'; 16_000]));
    let mut waited = 0;
    while connection.stream.poll_shutdown(cx).is_pending() && connection.passage.sight().blocked {
        waited += 1;
        connection.far.read_buf(&mut taken).await.expect("more");
        turn().await;
    }
    assert!(waited > 0);
    connection.far.read_to_end(&mut taken.to_vec()).await.expect("an end in order");
}

#[tokio::test]
async fn a_connection_at_rest_goes_on_where_it_was() {
    let mut connection = Connection::new(9);
    connection.send(GET).await;
    drop(connection.begun());
    connection.stream.rest();
    assert!(connection.request().is_none());
    connection.send(GET).await;
    assert_eq!(connection.begun().headers()["host"], "a");
}
