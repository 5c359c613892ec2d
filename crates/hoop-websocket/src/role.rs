//! Which side of a WebSocket this is, and what the sides do differently: masks (RFC 6455 section 5.3) and
//! which half of an agreement is whose.

use crate::deflate::{Deflater, Inflater};
use crate::negotiation::Agreement;

/// zlib has no window of 256 bytes: it takes such a one apart by a larger one, and cannot make it.
const SMALLEST_WINDOW: u8 = 9;
/// Keys that are fetched at once.
const KEYS_AT_ONCE: usize = 64;

/// Which side this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It reads masked frames, and writes plain ones.
    Server,
    /// It masks what it writes, and reads what is not masked.
    Client,
}

impl Role {
    /// What compresses this side's messages. A window that cannot be made is answered by not compressing,
    /// which is always allowed.
    pub(crate) fn deflater(self, agreed: Agreement) -> Option<Deflater> {
        let (window, forgets) = match self {
            Self::Server => (agreed.server_window, agreed.server_forgets),
            Self::Client => (agreed.client_window, agreed.client_forgets),
        };
        (window >= SMALLEST_WINDOW).then(|| Deflater::new(window, forgets))
    }

    /// What inflates the other side's.
    pub(crate) fn inflater(self, agreed: Agreement) -> Inflater {
        let (window, forgets) = match self {
            Self::Server => (agreed.client_window, agreed.client_forgets),
            Self::Client => (agreed.server_window, agreed.server_forgets),
        };
        Inflater::new(window.max(SMALLEST_WINDOW), forgets)
    }
}

/// Keys to mask with, which nobody may foresee (RFC 6455 section 10.3): fetched many at a time.
pub struct MaskKeys {
    fill: fn(&mut [u8]),
    fetched: Vec<[u8; 4]>,
}

impl MaskKeys {
    /// `fill` fills bytes with randomness that is fit for cryptography.
    pub fn new(fill: fn(&mut [u8])) -> Self {
        Self { fill, fetched: Vec::new() }
    }

    /// The next key.
    pub fn next_key(&mut self) -> [u8; 4] {
        if self.fetched.is_empty() {
            let mut bytes = [0; 4 * KEYS_AT_ONCE];
            (self.fill)(&mut bytes);
            self.fetched.extend(bytes.as_chunks::<4>().0);
        }
        self.fetched.pop().unwrap_or_default()
    }
}
