//! Bytes that connections have carried, all together.

use std::sync::atomic::{AtomicU64, Ordering};

/// What came in and went out, inside TLS where there is TLS.
///
/// Atomic only because hyper wants upgraded connections to be `Send`: one thread counts, so a load and
/// a store do.
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    pub(crate) fn received_more(&self, bytes: usize) {
        self.received.store(self.received() + bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent_more(&self, bytes: usize) {
        self.sent.store(self.sent() + bytes as u64, Ordering::Relaxed);
    }

    /// Bytes that clients have sent.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that the system has taken for clients.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}
