//! Datagrams that a transport has accepted and the socket has not.

use std::collections::VecDeque;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::net::SocketAddrAny;

/// What asyncio adds for the header of a datagram that waits, from Python 3.13 on.
const HEADER: usize = 8;

/// Where a datagram goes.
pub enum Destination {
    /// To the peer that the socket is connected to.
    Peer,
    Address(SocketAddrAny),
    /// To what Python's socket makes of it.
    Python(Py<PyAny>),
}

/// A datagram and where it goes. Its bytes are Python's, kept alive instead of copied.
pub struct Datagram {
    pub data: Py<PyBytes>,
    pub destination: Destination,
}

/// Datagrams in the order in which they are to be sent, and how much they are.
pub struct Pending {
    datagrams: VecDeque<Datagram>,
    size: usize,
    header: usize,
}

impl Pending {
    pub fn new(counts_headers: bool) -> Self {
        Self { datagrams: VecDeque::new(), size: 0, header: if counts_headers { HEADER } else { 0 } }
    }

    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// The bytes that wait, with their headers.
    pub fn size(&self) -> usize {
        self.size
    }

    pub fn push(&mut self, py: Python<'_>, datagram: Datagram) {
        self.size += self.size_of(py, &datagram);
        self.datagrams.push_back(datagram);
    }

    /// Takes out the next datagram to be sent.
    pub fn pop(&mut self, py: Python<'_>) -> Option<Datagram> {
        let datagram = self.datagrams.pop_front()?;
        self.size -= self.size_of(py, &datagram);
        Some(datagram)
    }

    /// Takes a datagram back to the head of the queue.
    pub fn put_back(&mut self, py: Python<'_>, datagram: Datagram) {
        self.size += self.size_of(py, &datagram);
        self.datagrams.push_front(datagram);
    }

    /// Empties the queue. What was in it is to be dropped when nothing is borrowed.
    pub fn take_all(&mut self) -> VecDeque<Datagram> {
        self.size = 0;
        std::mem::take(&mut self.datagrams)
    }

    fn size_of(&self, py: Python<'_>, datagram: &Datagram) -> usize {
        datagram.data.as_bytes(py).len() + self.header
    }

    /// Shows the garbage collector what is held.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for datagram in &self.datagrams {
            if let Destination::Python(address) = &datagram.destination {
                visit.call(address)?;
            }
        }
        Ok(())
    }
}
