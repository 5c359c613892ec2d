//! What a stream transport knows of its connection beyond its endpoint.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::receiver::Receiver;
use super::write_buffer::WriteBuffer;
use crate::event_loop::clients::Counted;
use crate::event_loop::promise::Promise;

/// What is longer is sent at once: to copy it would cost more than is won.
const HELD_AT_MOST: usize = 4096;

/// Small output that was not tried to be sent yet. Boxes of it go round between the connections.
#[derive(Debug, Default)]
pub struct HeldOutput(pub Vec<u8>);

/// Changing state of one connection. All of its transitions are in this crate's `transport` module.
pub struct Connection {
    pub is_unix: bool,
    pub server: Option<Py<PyAny>>,
    /// What the server counts it by.
    pub counted: Option<Counted>,
    /// None until first used after the protocol was set.
    pub receiver: Option<Receiver>,
    /// How much the last read brought, in bytes.
    pub last_read: u32,
    pub output: WriteBuffer,
    /// Small output that the socket was not tried with yet. It goes ahead of `output`, which is empty
    /// while there is any; the transport is listed to send it soon (`LoopState::hold_output`).
    pub held: Option<Box<HeldOutput>>,
    /// Who waits until all output is written, to send a file behind it.
    pub when_written: Option<Promise>,
    /// The reactor tells of room to write, too.
    pub told_of_room: bool,
    pub end_of_file_received: bool,
    /// `write_eof()` was called.
    pub write_ended: bool,
}

impl Connection {
    pub fn new(server: Option<Py<PyAny>>, is_unix: bool) -> Self {
        Self {
            is_unix,
            server,
            counted: None,
            receiver: None,
            last_read: 0,
            output: WriteBuffer::default(),
            held: None,
            when_written: None,
            told_of_room: false,
            end_of_file_received: false,
            write_ended: false,
        }
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.server)
    }

    /// Whether `size` more bytes may be held back. Who sets the high-water mark to nothing wants
    /// `drain()` to wait for the socket, so nothing is held back from it.
    pub fn may_hold(&self, size: usize, high_water: usize) -> bool {
        self.output.is_empty() && self.held_length() + size <= HELD_AT_MOST.min(high_water)
    }

    /// How much is held back, in bytes.
    pub fn held_length(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.0.len())
    }

    /// Whether the socket has taken all that was written.
    pub fn is_drained(&self) -> bool {
        self.output.is_empty() && self.held.is_none()
    }
}
