//! WebSockets: handshake, then messages both ways, as a server or as a client. The frames are
//! `hoop_websocket`'s.

mod carrier;
mod handshake;
mod keep_alive;
mod outbox;
mod shared_message;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::arrivals::poll_arrivals;
use crate::passage::CarriedWebSocket;
use bytes::Bytes;
use hoop_websocket::{Agreement, Event, MaskKeys, Reader, Role, Violation, Writer};
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use carrier::Carrier;
use handshake::Upgrade;

pub use handshake::WebSocketHandshake;
pub(crate) use handshake::{accept_key, has_token};
use keep_alive::{KeepAlive, Pulse};
use outbox::Outbox;
pub use shared_message::SharedMessage;

/// So many bytes may wait for the system before no message is taken, and of pongs only the last.
const WRITE_AHEAD: usize = 64 * 1024;

/// Codes of RFC 6455 section 7.4.1 that no close frame carries.
const CLOSED_WITHOUT_STATUS: u16 = 1005;
const CLOSED_ABNORMALLY: u16 = 1006;
/// What a peer is told that does not answer pings, should it ever read it.
const INTERNAL_ERROR: u16 = 1011;

/// How WebSockets are kept.
#[derive(Debug, Clone)]
pub struct WebSocketOptions {
    /// The largest message that is taken, in bytes, inflated; a larger one closes with 1009.
    pub largest_message: usize,
    /// Whether a server agrees to permessage-deflate (RFC 7692); what a client offers is said elsewhere.
    pub compress: bool,
    /// A peer that is silent for so long is sent a ping.
    pub ping_interval: Option<Duration>,
    /// It is given up if it stays silent for so long after that.
    pub ping_timeout: Option<Duration>,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            largest_message: 16 * 1024 * 1024,
            compress: true,
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Some(Duration::from_secs(20)),
        }
    }
}

/// What travels over a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; always valid UTF-8.
    Text(String),
    /// Bytes.
    Binary(Bytes),
    /// Either of them, for many clients at once; it is never received.
    Shared(SharedMessage),
    /// The end. Received: once, and last. Sent: nothing may follow.
    Close {
        /// RFC 6455 section 7.4.
        code: u16,
        /// At most 123 bytes.
        reason: String,
    },
}

/// What came of a message that was to be sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtOnce {
    /// The system has it.
    Sent,
    /// It was taken, and some of it waits.
    Waits,
    /// Something is in front of it: it has to take its turn.
    Refused,
}

/// A WebSocket whose handshake was accepted and is on its way.
pub struct PendingWebSocket {
    upgrade: Upgrade,
    agreement: Option<Agreement>,
    options: WebSocketOptions,
    carried: Option<CarriedWebSocket>,
}

impl PendingWebSocket {
    /// Waits for the handshake to be sent; `None` if the client left meanwhile.
    pub async fn open(self) -> Option<WebSocket> {
        let carrier = self.upgrade.carrier().await?;
        let writer = Writer::new(self.agreement);
        let mut socket = WebSocket::new(Role::Server, carrier, self.agreement, writer, &self.options);
        socket.carried = self.carried;
        Some(socket)
    }
}

/// Whose doing the end of a WebSocket was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ender {
    /// The peer has sent a close frame.
    Peer,
    /// The peer has broken the rules, and was told so.
    Violation,
    /// The peer did not answer a ping.
    Silence,
    /// The connection has ended without a close frame.
    Connection,
}

/// An open WebSocket.
pub struct WebSocket<S = Carrier> {
    stream: S,
    reader: Reader,
    writer: Writer,
    /// Frames that the system has not taken.
    out: Outbox,
    /// RFC 6455 section 5.5.3: of many pings the last one may be answered alone.
    late_pong: Option<Vec<u8>>,
    close_sent: bool,
    /// Messages were handed over that the application may still answer.
    answers_due: bool,
    /// How the peer ended it, kept back until they are: the code that answers it, that and the reason
    /// which tell of it.
    held_end: Option<(Option<u16>, u16, String)>,
    /// How it ended, to be told next.
    ending: Option<(u16, String)>,
    ended: bool,
    ender: Option<Ender>,
    /// The payload of the last pong that has one.
    pong: Option<Vec<u8>>,
    /// Nothing can be written any more; reading tells why.
    failed: bool,
    keep_alive: Option<KeepAlive>,
    /// A server's over HTTP/2: held for what its drop does.
    carried: Option<CarriedWebSocket>,
}

impl WebSocket {
    /// Takes what many are sent and hands it to the system right away, if nothing waits in front of it.
    /// [`AtOnce::Waits`] leaves the rest to [`Self::poll_flush`], whose task has to be woken.
    pub fn send_at_once(&mut self, shared: &SharedMessage) -> AtOnce {
        let is_free = self.out.is_empty() && self.late_pong.is_none() && !self.close_sent && !self.failed;
        if !is_free || matches!(self.stream, Carrier::Stream(_)) {
            return AtOnce::Refused;
        }
        let frame = self.frame_of(shared);
        let (sent, is_flushed) = self.stream.send_at_once(&frame);
        if sent < frame.len() {
            self.out.push(frame.slice(sent..));
            return AtOnce::Waits;
        }
        if is_flushed { AtOnce::Sent } else { AtOnce::Waits }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    fn new(
        role: Role,
        stream: S,
        agreement: Option<Agreement>,
        writer: Writer,
        options: &WebSocketOptions,
    ) -> Self {
        Self {
            stream,
            reader: Reader::new(role, agreement, options.largest_message),
            writer,
            out: Outbox::default(),
            late_pong: None,
            close_sent: false,
            answers_due: false,
            held_end: None,
            ending: None,
            ended: false,
            ender: None,
            pong: None,
            failed: false,
            keep_alive: KeepAlive::new(options),
            carried: None,
        }
    }

    /// A client's, on a connection whose handshake is done; `early` has come behind that.
    pub(crate) fn of_client(
        stream: S,
        early: &[u8],
        agreement: Option<Agreement>,
        keys: MaskKeys,
        options: &WebSocketOptions,
    ) -> Self {
        let writer = Writer::masking(agreement, keys);
        let mut socket = Self::new(Role::Client, stream, agreement, writer, options);
        socket.reader.feed(early);
        socket
    }

    /// The next message. The last one is always a [`Message::Close`]; after it there is nothing.
    pub fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some((code, reason)) = self.ending.take() {
                self.ended = true;
                // The answer to a close, or the reason of ours.
                let _ = self.poll_flush(cx);
                return Poll::Ready(Some(Message::Close { code, reason }));
            }
            if self.holds_end() {
                return Poll::Pending;
            }
            if let Some((answer, code, reason)) = self.held_end.take() {
                self.send_close(answer, &reason);
                // Whose it was is known since it was held back.
                self.end(Ender::Peer, code, &reason);
                continue;
            }
            match self.reader.next_event() {
                Ok(Some(event)) => {
                    if let Some(message) = self.take(event) {
                        self.answers_due = true;
                        return Poll::Ready(Some(message));
                    }
                }
                Ok(None) => match self.poll_read(cx) {
                    Poll::Ready(true) => {
                        if let Some(keep_alive) = &mut self.keep_alive {
                            keep_alive.heard();
                        }
                    }
                    Poll::Ready(false) => self.end(Ender::Connection, CLOSED_ABNORMALLY, ""),
                    Poll::Pending if self.lives(cx) => {
                        if !self.out.is_empty() {
                            // Pongs, and pings of ours.
                            let _ = self.poll_flush(cx);
                        }
                        return Poll::Pending;
                    }
                    Poll::Pending => {}
                },
                Err(violation) => self.violated(violation),
            }
        }
    }

    /// Whether the peer has ended it, or broken the rules, behind messages that may still be answered:
    /// a close frame is the last that is sent.
    pub fn holds_end(&self) -> bool {
        self.held_end.is_some() && self.answers_due && !self.close_sent
    }

    /// What was handed over has had its answers.
    pub fn caught_up(&mut self) {
        self.answers_due = false;
    }

    /// Reads once; `false` if nothing more will come.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let reader = &mut self.reader;
        let read = poll_arrivals(&mut self.stream, cx, |bytes| reader.feed(bytes));
        read.map(|read| read.is_ok_and(|arrived| arrived > 0))
    }

    /// What an event is to the application, if it is anything.
    fn take(&mut self, event: Event) -> Option<Message> {
        match event {
            Event::Text(text) => return Some(Message::Text(text)),
            Event::Binary(bytes) => return Some(Message::Binary(bytes.into())),
            Event::Pong(payload) if payload.is_empty() => {}
            Event::Pong(payload) => self.pong = Some(payload),
            Event::Ping(_) if self.close_sent => {}
            Event::Ping(payload) if self.out.len() > WRITE_AHEAD => self.late_pong = Some(payload),
            Event::Ping(payload) => self.writer.pong(&payload, self.out.end()),
            Event::Close(code, reason) => {
                self.ender.get_or_insert(Ender::Peer);
                self.held_end = Some((code, code.unwrap_or(CLOSED_WITHOUT_STATUS), reason));
            }
        }
        None
    }

    /// Whether the client is there, as far as one can tell.
    fn lives(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(keep_alive) = &mut self.keep_alive else { return true };
        loop {
            match keep_alive.poll(cx) {
                Poll::Pending => return true,
                Poll::Ready(Pulse::Ask) if self.close_sent => {}
                Poll::Ready(Pulse::Ask) => self.writer.ping(b"", self.out.end()),
                Poll::Ready(Pulse::Gone) => {
                    self.send_close(Some(INTERNAL_ERROR), "no answer to a ping");
                    self.end(Ender::Silence, CLOSED_ABNORMALLY, "no answer to a ping");
                    return false;
                }
            }
        }
    }

    fn end(&mut self, ender: Ender, code: u16, reason: &str) {
        self.ender.get_or_insert(ender);
        self.ending.get_or_insert_with(|| (code, reason.to_owned()));
    }

    /// Tells the peer what it did wrong (RFC 6455 section 7.1.7), as far as it still listens.
    fn violated(&mut self, violation: Violation) {
        let (code, reason) = (violation.close_code(), violation.to_string());
        self.ender.get_or_insert(Ender::Violation);
        self.held_end = Some((Some(code), code, reason));
    }

    fn send_close(&mut self, code: Option<u16>, reason: &str) {
        if !std::mem::replace(&mut self.close_sent, true) {
            self.writer.close(code, reason, self.out.end());
        }
    }

    /// Whose doing the end was, once it has come.
    pub fn ender(&self) -> Option<Ender> {
        self.ender
    }

    /// The payload of the last pong that has one, if one has come since this was asked.
    pub fn take_pong(&mut self) -> Option<Vec<u8>> {
        self.pong.take()
    }

    /// Asks the peer for a pong with this payload; [`Self::poll_flush`] sends it.
    pub fn ping(&mut self, payload: &[u8]) {
        if !self.close_sent {
            self.writer.ping(payload, self.out.end());
        }
    }

    /// Bytes of frames that the system has not taken.
    pub fn unsent(&self) -> usize {
        self.out.len()
    }

    /// Takes a message for sending; [`Self::poll_flush`] sends it. `Err` gives it back while too much
    /// waits to be sent.
    pub fn queue(&mut self, cx: &mut Context<'_>, message: Message) -> Result<(), Message> {
        if self.unsent() > WRITE_AHEAD && self.poll_send(cx).is_pending() && self.unsent() > WRITE_AHEAD {
            return Err(message);
        }
        if self.close_sent || self.failed {
            return Ok(());
        }
        match message {
            Message::Text(text) => self.push(true, text.into()),
            Message::Binary(bytes) => self.push(false, bytes),
            Message::Shared(shared) => {
                let frame = self.frame_of(&shared);
                self.out.push(frame);
            }
            Message::Close { code, reason } => self.send_close(Some(code), &reason),
        }
        Ok(())
    }

    /// The same for a message that is only looked at; false if it was not taken. What could not be sent any
    /// more counts as taken.
    pub fn queue_bytes(&mut self, cx: &mut Context<'_>, is_text: bool, payload: &[u8]) -> bool {
        if self.unsent() > WRITE_AHEAD && self.poll_send(cx).is_pending() && self.unsent() > WRITE_AHEAD {
            return false;
        }
        if !(self.close_sent || self.failed) && self.writer.begin(is_text, payload, self.out.end()) {
            self.out.push(Bytes::copy_from_slice(payload));
        }
        true
    }

    /// Takes a close frame for sending, the last of all frames.
    pub fn close(&mut self, code: u16, reason: &str) {
        self.send_close(Some(code), reason);
    }

    fn push(&mut self, is_text: bool, payload: Bytes) {
        if self.writer.begin(is_text, &payload, self.out.end()) {
            self.out.push(payload);
        }
    }

    /// The frame of what many are sent, for this one.
    fn frame_of(&mut self, shared: &SharedMessage) -> Bytes {
        let window = self.writer.window_for(shared.payload());
        if window.is_some() {
            self.writer.sent_alike();
        }
        shared.frame(window)
    }

    /// Hands what waits to the system.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while !self.failed && !self.out.is_empty() {
                self.failed = !std::task::ready!(self.out.poll_write(cx, &mut self.stream));
            }
            self.out.clear();
            match self.late_pong.take() {
                Some(payload) if !self.close_sent => self.writer.pong(&payload, self.out.end()),
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Sends what was queued; ready once all of it has been handed to the system, or never can be.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        std::task::ready!(self.poll_send(cx));
        Pin::new(&mut self.stream).poll_flush(cx).map(drop)
    }

    /// Sends the last words and waits for the peer to end the connection, which is a server's to do first
    /// (RFC 6455 section 7.1.1); what still comes is dropped.
    pub fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.poll_flush(cx);
        while let Ok(1..) = std::task::ready!(poll_arrivals(&mut self.stream, cx, |_| ())) {}
        Poll::Ready(())
    }

    /// Ends the connection under the WebSocket so that the peer reads all that was sent to it.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.stream).poll_shutdown(cx).map(drop)
    }
}
