//! What a transport knows of its connection, and when it reads, pauses and closes.

use std::task::Waker;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::io::Registration;
use super::receiver::Receiver;
use super::write_buffer::WriteBuffer;
use crate::event_loop::promise::Promise;

/// asyncio's default high-water mark, in bytes.
const HIGH_WATER: usize = 64 * 1024;
/// What is longer is sent at once: to copy it would cost more than is won.
const HELD_AT_MOST: usize = 4096;

/// Changing state of one connection. All of its transitions are in this crate's `transport` module.
pub struct Connection {
    /// None once the connection is lost: then no I/O happens any more.
    pub registration: Option<Registration>,
    pub is_unix: bool,
    pub socket: Option<Py<PyAny>>,
    pub server: Option<Py<PyAny>>,
    pub protocol: Py<PyAny>,
    /// None until first used after the protocol was set.
    pub receiver: Option<Receiver>,
    /// How much the last read brought, in bytes.
    pub last_read: usize,
    pub output: WriteBuffer,
    /// Small output that the socket was not tried with yet. It goes ahead of `output`, which is empty
    /// while there is any; the transport is listed to send it soon (`LoopState::hold_output`).
    pub held: Option<Vec<u8>>,
    /// Who waits until all output is written, to send a file behind it.
    pub when_written: Option<Promise>,
    pub task_waker: Option<Waker>,
    /// `connection_made` has been queued ahead of the task, so reading may begin.
    pub started: bool,
    pub reading_paused: bool,
    pub end_of_file_received: bool,
    /// `write_eof()` was called.
    pub write_ended: bool,
    pub closing: bool,
    /// `connection_lost` is queued, or was called.
    pub lost: bool,
    pub writes_after_loss: u32,
    pub protocol_paused: bool,
    pub high_water: usize,
    pub low_water: usize,
}

impl Connection {
    pub fn new(
        registration: Registration,
        socket: Py<PyAny>,
        server: Option<Py<PyAny>>,
        protocol: Py<PyAny>,
        is_unix: bool,
    ) -> Self {
        Self {
            registration: Some(registration),
            is_unix,
            socket: Some(socket),
            server,
            protocol,
            receiver: None,
            last_read: 0,
            output: WriteBuffer::default(),
            held: None,
            when_written: None,
            task_waker: None,
            started: false,
            reading_paused: false,
            end_of_file_received: false,
            write_ended: false,
            closing: false,
            lost: false,
            writes_after_loss: 0,
            protocol_paused: false,
            high_water: HIGH_WATER,
            low_water: HIGH_WATER / 4,
        }
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.socket)?;
        visit.call(&self.server)?;
        visit.call(&self.protocol)?;
        self.receiver.as_ref().map_or(Ok(()), |receiver| receiver.visit(visit))
    }

    /// Whether data that arrives should be read now.
    pub fn wants_data(&self) -> bool {
        self.started && !self.reading_paused && !self.closing && !self.end_of_file_received
    }

    /// Whether `size` more bytes may be held back. Who sets the high-water mark to nothing wants
    /// `drain()` to wait for the socket, so nothing is held back from it.
    pub fn may_hold(&self, size: usize) -> bool {
        let held = self.held.as_ref().map_or(0, Vec::len);
        self.output.is_empty() && held + size <= HELD_AT_MOST.min(self.high_water)
    }

    /// Whether the socket has taken all that was written.
    pub fn is_drained(&self) -> bool {
        self.output.is_empty() && self.held.is_none()
    }

    /// Whether the protocol must be told to stop writing; true once until it is told to resume.
    pub fn must_pause_writing(&mut self) -> bool {
        let must = self.output.len() > self.high_water && !self.protocol_paused;
        self.protocol_paused |= must;
        must
    }

    /// Whether the protocol may be told to write again; true once until it is paused.
    pub fn may_resume_writing(&mut self) -> bool {
        let may = self.protocol_paused && self.output.len() <= self.low_water;
        self.protocol_paused &= !may;
        may
    }

    /// Sets the flow-control marks as asyncio derives one from the other; `None` if they contradict.
    pub fn set_water_marks(&mut self, high: Option<i64>, low: Option<i64>) -> Result<(), (i64, i64)> {
        let high = high.unwrap_or_else(|| low.map_or(HIGH_WATER as i64, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        if !(0 <= low && low <= high) {
            return Err((high, low));
        }
        self.high_water = usize::try_from(high).unwrap_or(usize::MAX);
        self.low_water = usize::try_from(low).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Remembers how to wake the connection's task.
    pub fn set_task_waker(&mut self, waker: &Waker) {
        if self.task_waker.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            self.task_waker = Some(waker.clone());
        }
    }

    /// Lets the connection's task look at what changed.
    pub fn wake_task(&self) {
        if let Some(waker) = &self.task_waker {
            waker.wake_by_ref();
        }
    }
}
