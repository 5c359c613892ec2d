//! Interim responses of HTTP/1.1, written into the connection beside hyper, which knows none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;

/// Hints that the client does not take are dropped: they are hints.
const MOST: usize = 16 * 1024;

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicBool,
    bytes: Mutex<Vec<u8>>,
}

/// The interim responses of one connection, whose requests come one after the other. Shared between
/// threads by its type alone: hyper wants upgraded connections to be `Send`.
#[derive(Debug, Clone, Default)]
pub struct InterimResponses(Arc<Shared>);

impl InterimResponses {
    /// Sends 103 (RFC 8297) with these values of `link`, the next time the connection is flushed.
    pub fn early_hints(&self, links: &[HeaderValue]) {
        let mut bytes = self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() > MOST {
            return;
        }
        bytes.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
        for link in links {
            bytes.extend_from_slice(b"link: ");
            bytes.extend_from_slice(link.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        self.0.waiting.store(true, Ordering::Relaxed);
    }

    /// The response itself is there: what has not gone out by now must not follow it.
    pub fn forget(&self) {
        if self.0.waiting.swap(false, Ordering::Relaxed) {
            self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Moves what waits to the end of `out`.
    pub(crate) fn take(&self, out: &mut Vec<u8>) {
        if self.0.waiting.load(Ordering::Relaxed) && self.0.waiting.swap(false, Ordering::Relaxed) {
            out.append(&mut self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
