//! The server's side of WebSocket: handshake, then messages both ways. The frames are `hoop_websocket`'s.

mod handshake;
mod keep_alive;

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::passage::CarriedWebSocket;
use bytes::Bytes;
use hoop_websocket::{Agreement, Event, Reader, Violation, Writer};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use handshake::WebSocketHandshake;
use keep_alive::{KeepAlive, Pulse};

/// What is read at once.
const READ_AT_ONCE: usize = 32 * 1024;
/// So many bytes may wait for the system before no message is taken, and of pongs only the last.
const WRITE_AHEAD: usize = 64 * 1024;
/// Memory for output that a silent connection may keep.
const KEPT: usize = 4096;

/// Codes of RFC 6455 section 7.4.1 that no close frame carries.
const CLOSED_WITHOUT_STATUS: u16 = 1005;
const CLOSED_ABNORMALLY: u16 = 1006;
/// What a client is told that does not answer pings, should it ever read it.
const INTERNAL_ERROR: u16 = 1011;

/// How WebSockets are served.
#[derive(Debug, Clone)]
pub struct WebSocketOptions {
    /// The largest message that is taken, in bytes, inflated; a larger one closes with 1009.
    pub largest_message: usize,
    /// Whether permessage-deflate is agreed to (RFC 7692).
    pub compress: bool,
    /// A client that is silent for so long is sent a ping.
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
    /// The end. Received: once, and last. Sent: nothing may follow.
    Close {
        /// RFC 6455 section 7.4.
        code: u16,
        /// At most 123 bytes.
        reason: String,
    },
}

/// A WebSocket whose handshake was accepted and is on its way.
pub struct PendingWebSocket {
    upgrade: OnUpgrade,
    agreement: Option<Agreement>,
    options: WebSocketOptions,
    carried: Option<CarriedWebSocket>,
}

impl PendingWebSocket {
    /// Waits for the handshake to be sent; `None` if the client left meanwhile.
    pub async fn open(self) -> Option<WebSocket> {
        let upgraded = self.upgrade.await.ok()?;
        Some(WebSocket {
            stream: TokioIo::new(upgraded),
            reader: Reader::new(self.agreement, self.options.largest_message),
            writer: Writer::new(self.agreement),
            out: Vec::new(),
            sent: 0,
            late_pong: None,
            close_sent: false,
            answers_due: false,
            held_end: None,
            ending: None,
            ended: false,
            failed: false,
            keep_alive: KeepAlive::new(&self.options),
            carried: self.carried,
        })
    }
}

/// An open WebSocket.
pub struct WebSocket {
    stream: TokioIo<Upgraded>,
    reader: Reader,
    writer: Writer,
    /// Frames of which the first `sent` bytes have been handed to the system.
    out: Vec<u8>,
    sent: usize,
    /// RFC 6455 section 5.5.3: of many pings the last one may be answered alone.
    late_pong: Option<Vec<u8>>,
    close_sent: bool,
    /// Messages were handed over that the application may still answer.
    answers_due: bool,
    /// How the client ended it, kept back until they are: the code that answers it, that and the reason
    /// which tell of it.
    held_end: Option<(Option<u16>, u16, String)>,
    /// How it ended, to be told next.
    ending: Option<(u16, String)>,
    ended: bool,
    /// Nothing can be written any more; reading tells why.
    failed: bool,
    keep_alive: Option<KeepAlive>,
    #[expect(dead_code, reason = "held for what its drop does")]
    carried: Option<CarriedWebSocket>,
}

impl WebSocket {
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
                self.end(code, &reason);
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
                    Poll::Ready(false) => self.end(CLOSED_ABNORMALLY, ""),
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

    /// Whether the client has ended it, or broken the rules, behind messages that may still be answered:
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
        let mut space = [const { MaybeUninit::uninit() }; READ_AT_ONCE];
        let mut buffer = ReadBuf::uninit(&mut space);
        match std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {
                self.reader.feed(buffer.filled());
                Poll::Ready(true)
            }
            _ => Poll::Ready(false),
        }
    }

    /// What an event is to the application, if it is anything.
    fn take(&mut self, event: Event) -> Option<Message> {
        match event {
            Event::Text(text) => return Some(Message::Text(text)),
            Event::Binary(bytes) => return Some(Message::Binary(bytes.into())),
            Event::Pong => {}
            Event::Ping(_) if self.close_sent => {}
            Event::Ping(payload) if self.unsent() > WRITE_AHEAD => self.late_pong = Some(payload),
            Event::Ping(payload) => self.writer.pong(&payload, &mut self.out),
            Event::Close(code, reason) => {
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
                Poll::Ready(Pulse::Ask) => self.writer.ping(b"", &mut self.out),
                Poll::Ready(Pulse::Gone) => {
                    self.send_close(Some(INTERNAL_ERROR), "no answer to a ping");
                    self.end(CLOSED_ABNORMALLY, "no answer to a ping");
                    return false;
                }
            }
        }
    }

    fn end(&mut self, code: u16, reason: &str) {
        self.ending.get_or_insert_with(|| (code, reason.to_owned()));
    }

    /// Tells the peer what it did wrong (RFC 6455 section 7.1.7), as far as it still listens.
    fn violated(&mut self, violation: Violation) {
        let (code, reason) = (violation.close_code(), violation.to_string());
        self.held_end = Some((Some(code), code, reason));
    }

    fn send_close(&mut self, code: Option<u16>, reason: &str) {
        if !std::mem::replace(&mut self.close_sent, true) {
            self.writer.close(code, reason, &mut self.out);
        }
    }

    fn unsent(&self) -> usize {
        self.out.len() - self.sent
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
            Message::Text(text) => self.writer.text(&text, &mut self.out),
            Message::Binary(bytes) => self.writer.binary(&bytes, &mut self.out),
            Message::Close { code, reason } => self.send_close(Some(code), &reason),
        }
        Ok(())
    }

    /// Hands what waits to the system.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while let Some(left) = self.out.get(self.sent..).filter(|left| !left.is_empty() && !self.failed) {
                match std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, left)) {
                    Ok(sent) if sent > 0 => self.sent += sent,
                    _ => self.failed = true,
                }
            }
            self.sent = 0;
            self.out.clear();
            self.out.shrink_to(KEPT);
            match self.late_pong.take() {
                Some(payload) if !self.close_sent => self.writer.pong(&payload, &mut self.out),
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Sends what was queued; ready once all of it has been handed to the system, or never can be.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        std::task::ready!(self.poll_send(cx));
        Pin::new(&mut self.stream).poll_flush(cx).map(drop)
    }

    /// Ends the connection under the WebSocket so that the peer reads all that was sent to it.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.stream).poll_shutdown(cx).map(drop)
    }
}
