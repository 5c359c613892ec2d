//! One connection's bytes, both ways: requests as they are asked for, and what is sent.

mod request_body;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hoop_http1::{HeadMeaning, Lookahead, MessageLimits, Piece, Refusal, RequestReader};
use hoop_limits::Stage;
use http::{HeaderMap, Request};
use tokio::io::AsyncWrite as _;

use super::inflow::{Inflow, inflow};
use super::request_head;
use crate::arrivals::{READ_AT_ONCE, poll_arrivals};
use crate::incoming_body::IncomingBody;
use crate::passage::{Late, Passage};
use crate::transport::Transport;
use crate::wire::Wire;

/// So much may stay in memory with a head.
const KEPT_WITH_HEAD: usize = 4096;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request, and what its head means.
pub type Arrived = (Request<IncomingBody>, HeadMeaning);

/// Why a request is not to be answered by the application any more.
#[derive(Debug)]
pub enum Lost {
    /// Its client has gone.
    Client,
    /// Its body turned out to be one that is refused.
    Refused(Refusal),
}

/// A connection, seen from whoever answers its requests.
pub struct Stream {
    wire: Wire<Transport>,
    reader: RequestReader,
    passage: Rc<Passage>,
    /// How many requests may be here at once, the one at work among them.
    depth: u32,
    /// What has arrived and was not read.
    held: BytesMut,
    /// What of it may be requests.
    lookahead: Option<Box<Lookahead>>,
    /// Where the body goes of the request at hand.
    inflow: Option<Inflow>,
    /// The client waits for a word before it sends that, which is none any more once the response has begun.
    owes_continue: bool,
    has_answered: bool,
    /// The request at hand asks for a WebSocket, and is not answered.
    is_handshake: bool,
    /// The client has ended its side.
    ended: bool,
    /// Data waits for the client to take it.
    is_blocked: bool,
    /// Bytes that came since the passage was told.
    received: usize,
}

impl Stream {
    pub fn new(wire: Wire<Transport>, limits: MessageLimits, passage: Rc<Passage>, depth: u32) -> Self {
        Self {
            wire,
            reader: RequestReader::new(limits),
            passage,
            depth: depth.max(1),
            held: BytesMut::new(),
            lookahead: None,
            inflow: None,
            owes_continue: false,
            has_answered: false,
            is_handshake: false,
            ended: false,
            is_blocked: false,
            received: 0,
        }
    }

    /// The next request's head, and what it means; `None` if the client sends no more. `headers` is an empty map.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        headers: &mut HeaderMap,
    ) -> Poll<Result<Option<Arrived>, Refusal>> {
        let is_late = self.passage.take_late() == Some(Late::Head);
        if is_late && self.reader.is_in_head() && !self.held.is_empty() {
            self.reader.refuse(Refusal::HeadTimeout);
        }
        loop {
            if let Piece::Head(length) = self.reader.next_piece(&self.held)? {
                return Poll::Ready(self.begin(length, std::mem::take(headers)).map(Some));
            }
            if self.ended {
                return Poll::Ready(Ok(None));
            }
            match self.poll_fill(cx) {
                Poll::Pending => {
                    self.tell_of_reading(true);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0) | Err(_)) => self.ended = true,
                Poll::Ready(Ok(_)) => self.passage.awakes(),
            }
        }
    }

    /// Begins with a request whose head has so many bytes.
    fn begin(&mut self, length: usize, headers: HeaderMap) -> Result<Arrived, Refusal> {
        let bytes = self.take_head(length);
        let head = self.reader.head();
        let meaning = head.meaning;
        let request = match request_head::request(head, &bytes, headers) {
            Ok(request) => request,
            Err(refusal) => {
                let refusal = self.reader.refuse(refusal);
                return Err(self.refuse_begun(&bytes, refusal));
            }
        };
        self.passage.pass();
        self.has_answered = false;
        if meaning.length == Some(0) {
            self.tell_of_reading(false);
            return Ok((request.map(|()| IncomingBody::empty()), meaning));
        }
        let (inflow, reader) = inflow(meaning.length);
        self.inflow = Some(inflow);
        self.owes_continue = meaning.expects_continue && self.held.is_empty();
        // What is here already the application finds when it asks.
        if let Some(refusal) = self.give_held() {
            return Err(self.refuse_begun(&bytes, refusal));
        }
        self.tell_of_reading(false);
        Ok((request.map(|()| IncomingBody::http1(reader)), meaning))
    }

    /// A head, apart from what came with it, if that is much: its fields may last as long as the request, and
    /// would keep all of it.
    fn take_head(&mut self, length: usize) -> Bytes {
        if self.held.len() <= length + KEPT_WITH_HEAD {
            return self.take(length, true).freeze();
        }
        let bytes = Bytes::copy_from_slice(self.held.get(..length).unwrap_or_default());
        drop(self.take(length, true));
        bytes
    }

    /// A request is refused of which the head was taken.
    fn refuse_begun(&mut self, head: &[u8], refusal: Refusal) -> Refusal {
        self.inflow = None;
        self.held = BytesMut::from(head);
        refusal
    }

    /// Whether the request at hand has a body that was not read to its end.
    pub fn is_in_body(&self) -> bool {
        self.reader.is_in_body()
    }

    /// The request at hand asks for a WebSocket.
    pub fn begin_handshake(&mut self) {
        self.is_handshake = true;
    }

    /// Whether the client waits for a word that it has not got: it may never send its body.
    pub fn owes_continue(&self) -> bool {
        self.owes_continue
    }

    /// Whether the next request may follow.
    pub fn is_between(&self) -> bool {
        self.reader.is_in_head()
    }

    /// Whether what was refused begins as a HEAD does, whose answer has no body.
    pub fn refuses_head_method(&self) -> bool {
        self.held.starts_with(b"HEAD ")
    }

    /// The answer leaves the connection to HTTP.
    pub fn goes_on(&mut self) {
        self.reader.goes_on();
    }

    /// Whether the next request has arrived, or some of it.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Does what there is to do for a request but to answer it: reads its body where that is asked for, and
    /// looks whether its client is there.
    pub fn attend(&mut self, cx: &mut Context<'_>) -> Result<(), Lost> {
        let attended = self.read_body(cx).and_then(|awaits_body| {
            if !awaits_body && self.reader.is_between() {
                self.read_ahead(cx)?;
            }
            Ok(awaits_body)
        });
        self.tell_of_reading(matches!(attended, Ok(true)));
        attended.map(drop)
    }

    /// Reads on while a request is at work: what comes next, up to the depth, and whether the client is there.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Result<(), Lost> {
        while !self.ended && self.has_room_ahead() {
            match self.poll_fill(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => {
                    self.ended = true;
                    if self.is_handshake {
                        // What would become a WebSocket is nothing without its client's side.
                        return Err(Lost::Client);
                    }
                    self.passage.half_close();
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Err(Lost::Client),
            }
        }
        // Who has not been begun with when the client ends its side has most likely been given up, and more
        // likely so the more wait: that one leaves the queue.
        if self.ended && self.passage.is_queued() { Err(Lost::Client) } else { Ok(()) }
    }

    fn has_room_ahead(&mut self) -> bool {
        if self.held.is_empty() {
            return true;
        }
        if self.held.len() >= READ_AT_ONCE {
            return false;
        }
        if self.lookahead.is_none() && !self.reader.is_in_head() {
            // What they are is for the answer to say.
            return false;
        }
        let lookahead = self.lookahead.get_or_insert_with(|| Box::new(Lookahead::new(&self.reader)));
        lookahead.heads(&self.held).is_some_and(|heads| heads + 1 < self.depth)
    }

    /// Reads once, behind what is held.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let held = &mut self.held;
        let arrived = ready!(poll_arrivals(&mut self.wire, cx, |bytes| held.extend_from_slice(bytes)))?;
        self.received += arrived;
        Poll::Ready(Ok(arrived))
    }

    fn tell_of_reading(&mut self, is_awaited: bool) {
        let stage = match () {
            () if self.reader.is_in_body() => Stage::Body,
            () if self.reader.is_in_head() && !self.held.is_empty() => Stage::Head,
            () => Stage::Between,
        };
        self.passage.read(std::mem::take(&mut self.received), stage, is_awaited);
    }

    /// Adds short output.
    pub fn queue(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.wire.queue(write);
    }

    /// Adds the head of a response, behind what was hinted at.
    pub fn queue_head<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        (self.has_answered, self.is_handshake) = (true, false);
        self.wire.queue_interim();
        self.wire.queue(write)
    }

    /// Adds data, and sends where it is too much to be added.
    pub fn poll_queue_data(&mut self, cx: &mut Context<'_>, data: &mut Bytes) -> Poll<io::Result<()>> {
        let queued = self.wire.poll_queue_data(cx, data);
        self.is_blocked = queued.is_pending();
        self.passage.written(self.wire.sent(), self.is_blocked);
        queued
    }

    /// Sends what was added, unless there is data that the client has to take first.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_blocked {
            return Poll::Pending;
        }
        if self.has_answered {
            // A hint that comes now is one too many: its response has begun.
            self.wire.forget_interim();
        }
        let flushed = Pin::new(&mut self.wire).poll_flush(cx);
        self.passage.written(self.wire.sent(), flushed.is_pending());
        flushed
    }

    /// Ends the connection in order.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.wire).poll_shutdown(cx);
        self.passage.written(self.wire.sent(), ended.is_pending() && !self.wire.has_ended_writing());
        ended
    }

    /// Gives back memory until the client says something.
    pub fn rest(&mut self) {
        self.lookahead = None;
        self.reader.rest();
        self.wire.rest();
    }

    /// The connection becomes something else: its wire, and what has come of that.
    pub fn into_parts(mut self) -> (Wire<Transport>, Bytes) {
        self.wire.keep_lean();
        (self.wire, self.held.freeze())
    }

    /// The first bytes of what is held, which keeps no memory once it is empty.
    fn take(&mut self, length: usize, is_head: bool) -> BytesMut {
        if self.lookahead.as_mut().is_some_and(|lookahead| lookahead.is_passed_by(length, is_head)) {
            self.lookahead = None;
        }
        if length >= self.held.len() { std::mem::take(&mut self.held) } else { self.held.split_to(length) }
    }
}
