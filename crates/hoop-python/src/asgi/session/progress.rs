//! How far a session has come, and what waits on both of its ways.

use std::collections::VecDeque;
use std::task::Waker;

use hoop_asgi::SessionState;
use hoop_net::{Message, WebSocketHandshake};
use http::StatusCode;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::super::denial::Denial;

/// So many bytes or messages may wait for the application before the connection is not read on.
const RECEIVE_AHEAD: usize = 64 * 1024;
const MESSAGES_AHEAD: usize = 64;

#[derive(Default)]
pub struct Progress {
    pub state: SessionState,
    pub handshake: Option<WebSocketHandshake>,
    /// The response that the application gives instead.
    pub denial: Option<Denial>,
    /// Whether 'websocket.connect' was received.
    pub announced: bool,
    pub incoming: VecDeque<Arrived>,
    pub incoming_bytes: usize,
    /// The connection is not read on until the application has caught up.
    pub held_up: bool,
    /// The application has taken all there was, and waits for more.
    pub is_waiting: bool,
    /// The client's end of it is kept back until then.
    pub end_is_held: bool,
    pub outgoing: VecDeque<Message>,
    /// Bytes of these, and of frames that the system has not taken.
    pub queued: usize,
    pub buffered: usize,
    /// What the system has taken of them may not be on its way yet, as with TLS.
    pub is_flushing: bool,
    /// How the session ended, once it has; the answer to every further `receive()`.
    pub end: Option<(u16, String)>,
    /// The session's task, which moves messages between here and the connection.
    pub carrier: Option<Waker>,
    /// The server gives up on the connection.
    pub aborted: bool,
    /// Of the answer to the handshake, once it was given.
    pub status: Option<StatusCode>,
    /// It has become a WebSocket.
    pub accepted: bool,
    /// Bytes of messages that came and went.
    pub received: u64,
    pub sent: u64,
    /// It was logged and counted.
    pub finished: bool,
}

impl Progress {
    pub fn may_take_more(&self) -> bool {
        self.incoming_bytes < RECEIVE_AHEAD && self.incoming.len() < MESSAGES_AHEAD
    }

    pub fn push_outgoing(&mut self, message: Message) -> Option<Waker> {
        self.queued += size(&message);
        self.outgoing.push_back(message);
        self.carrier.take()
    }

    pub fn pop_outgoing(&mut self) -> Option<Message> {
        let message = self.outgoing.pop_front()?;
        self.queued -= size(&message);
        Some(message)
    }

    /// Bytes that the application has sent and the system has not taken.
    pub fn unsent(&self) -> usize {
        self.queued + self.buffered
    }
}

/// A message that waits for the application.
pub struct Arrived {
    content: Content,
    /// What it counts for in the limits.
    pub size: usize,
}

/// Bytes become Python's when they arrive: what they were read into is warm then, and free for the next ones.
/// Fifty messages of 64 KiB, made when they are asked for, would all have left the processor's cache again.
/// Text stays as it came: a str may take four times the memory, and it is the application that takes it.
enum Content {
    Text(String),
    Bytes(Py<PyBytes>),
}

impl Arrived {
    /// `None` for the end, which is no message.
    pub fn of(py: Python<'_>, message: Message) -> Option<Self> {
        let size = size(&message);
        let content = match message {
            Message::Text(text) => Content::Text(text),
            Message::Binary(bytes) => Content::Bytes(PyBytes::new(py, &bytes).unbind()),
            Message::Shared(shared) => Content::Bytes(PyBytes::new(py, shared.payload()).unbind()),
            Message::Close { .. } => return None,
        };
        Some(Self { content, size })
    }

    /// What 'websocket.receive' has of it, and under which key.
    pub fn into_item(self, py: Python<'_>) -> (&Bound<'_, PyString>, Py<PyAny>) {
        match self.content {
            Content::Text(text) => (intern!(py, "text"), PyString::new(py, &text).into_any().unbind()),
            Content::Bytes(bytes) => (intern!(py, "bytes"), bytes.into_any()),
        }
    }
}

/// What a message counts for in the limits; its own bookkeeping included.
pub fn size(message: &Message) -> usize {
    payload(message) + size_of::<Message>()
}

pub fn payload(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        Message::Shared(shared) => shared.payload().len(),
        Message::Close { reason, .. } => reason.len(),
    }
}
