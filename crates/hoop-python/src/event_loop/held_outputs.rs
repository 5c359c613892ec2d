//! What transports write while callbacks run: held back, and sent in a row (ADR 0014).

use pyo3::prelude::*;

use super::transport::SocketTransport;
use super::transport::connection::HeldOutput;
use crate::gil_cell::GilCell;

/// So many transports' output is held back; then it is sent, that the first may not wait for long.
const HELD_AT_MOST: usize = 32;

/// The outputs that a loop holds back.
#[derive(Debug, Default)]
pub struct HeldOutputs {
    /// Transports that wait for the end of the callbacks that are running.
    transports: GilCell<Vec<Py<SocketTransport>>>,
    /// Memory for such output, while none of it is in there.
    #[expect(clippy::vec_box, reason = "the boxes go round; connections without output have none")]
    buffers: GilCell<Vec<Box<HeldOutput>>>,
}

impl HeldOutputs {
    /// Lists a transport; says whether it is time to send what is listed.
    pub fn hold(&self, py: Python<'_>, transport: Py<SocketTransport>) -> bool {
        let mut transports = self.transports.borrow_mut(py);
        transports.push(transport);
        transports.len() >= HELD_AT_MOST
    }

    /// Empty memory for output.
    pub fn buffer(&self, py: Python<'_>) -> Box<HeldOutput> {
        self.buffers.borrow_mut(py).pop().unwrap_or_default()
    }

    /// Takes such memory back, to be used once more.
    pub fn give_back(&self, py: Python<'_>, mut buffer: Box<HeldOutput>) {
        buffer.0.clear();
        let mut buffers = self.buffers.borrow_mut(py);
        if buffers.len() < HELD_AT_MOST {
            buffers.push(buffer);
        }
    }

    /// Sends all that is listed, of all connections in a row.
    pub fn send(&self, py: Python<'_>) {
        while !self.transports.borrow(py).is_empty() {
            let mut transports = self.transports.take(py);
            for transport in transports.drain(..) {
                SocketTransport::send_held(transport.bind(py));
            }
            // Nothing was held meanwhile, as a rule: then the list's memory serves once more.
            let mut listed = self.transports.borrow_mut(py);
            if listed.is_empty() {
                *listed = transports;
            }
        }
    }

    /// Forgets what is listed, for a loop that will not run any more.
    pub fn clear(&self, py: Python<'_>) {
        drop(self.buffers.take(py));
        drop(self.transports.take(py));
    }
}
