//! Bytes that connections have carried, all together.

use std::cell::Cell;

/// What came in and went out, inside TLS where there is TLS.
#[derive(Debug, Default)]
pub struct Traffic {
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Traffic {
    pub(crate) fn received_more(&self, bytes: usize) {
        self.received.set(self.received() + bytes as u64);
    }

    pub(crate) fn sent_more(&self, bytes: usize) {
        self.sent.set(self.sent() + bytes as u64);
    }

    /// Bytes that clients have sent.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Bytes that the system has taken for clients.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }
}
