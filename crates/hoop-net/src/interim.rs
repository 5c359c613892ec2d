//! Interim responses of HTTP/1.1, which go out while the answer is made.

use std::cell::RefCell;
use std::rc::Rc;

use http::HeaderValue;

/// Hints that the client does not take are dropped: they are hints.
const MOST: usize = 16 * 1024;

/// The interim responses of one connection, whose requests come one after the other.
#[derive(Debug, Clone, Default)]
pub struct InterimResponses(Rc<RefCell<Vec<u8>>>);

impl InterimResponses {
    /// Sends 103 (RFC 8297) with these values of `link`, the next time the connection is flushed.
    pub fn early_hints(&self, links: &[HeaderValue]) {
        let mut bytes = self.0.borrow_mut();
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
    }

    /// The response itself is there: what has not gone out by now must not follow it.
    pub fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// Moves what waits to the end of `out`.
    pub(crate) fn take(&self, out: &mut Vec<u8>) {
        out.append(&mut self.0.borrow_mut());
    }
}
