//! Bytes that a transport has accepted and the socket has not: kept in order, written in one call.

use std::collections::VecDeque;
use std::io::IoSlice;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// How many pieces one vectored write takes.
const PIECES_AT_ONCE: usize = 64;

/// Immutable bytes of Python's, kept alive instead of copied.
struct Piece {
    bytes: Py<PyBytes>,
    written: usize,
}

/// Pending output of one connection. Most have none, and then no memory for it.
#[derive(Default)]
pub struct WriteBuffer(Option<Box<Pending>>);

#[derive(Default)]
struct Pending {
    pieces: VecDeque<Piece>,
    length: usize,
}

impl WriteBuffer {
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Unwritten bytes.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |pending| pending.length)
    }

    /// Appends `bytes` but for the first `written` of them.
    pub fn push(&mut self, bytes: &Bound<'_, PyBytes>, written: usize) {
        let left = bytes.as_bytes().len() - written;
        if left > 0 {
            let pending = self.0.get_or_insert_default();
            pending.length += left;
            pending.pieces.push_back(Piece { bytes: bytes.clone().unbind(), written });
        }
    }

    /// Hands the first pieces to `write`, and forgets as many bytes as it took.
    pub fn write_with<E>(
        &mut self,
        py: Python<'_>,
        write: impl FnOnce(&[IoSlice<'_>]) -> Result<usize, E>,
    ) -> Result<(usize, Vec<Py<PyBytes>>), E> {
        let Some(pending) = &mut self.0 else { return Ok((0, Vec::new())) };
        let slices: Vec<IoSlice<'_>> = pending
            .pieces
            .iter()
            .take(PIECES_AT_ONCE)
            .map(|piece| IoSlice::new(piece.bytes.as_bytes(py).get(piece.written..).unwrap_or_default()))
            .collect();
        let taken = write(&slices)?;
        let done = pending.forget(py, taken);
        if pending.pieces.is_empty() {
            self.0 = None;
        }
        Ok((taken, done))
    }
}

impl Pending {
    /// Drops the first `count` bytes; returns the pieces that are done with.
    fn forget(&mut self, py: Python<'_>, mut count: usize) -> Vec<Py<PyBytes>> {
        let mut done = Vec::new();
        self.length -= count.min(self.length);
        while let Some(piece) = self.pieces.front_mut() {
            let left = piece.bytes.as_bytes(py).len() - piece.written;
            if count < left {
                piece.written += count;
                break;
            }
            count -= left;
            done.extend(self.pieces.pop_front().map(|piece| piece.bytes));
        }
        done
    }
}
