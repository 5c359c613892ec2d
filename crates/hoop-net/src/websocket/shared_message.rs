//! A message that many clients are sent: put into a WebSocket's frame once, compressed once for each window,
//! and put into a chunk of HTTP/1.1 once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use hoop_websocket::frame_for_all;

/// Cheap to clone; the clones share the frames.
#[derive(Debug, Clone)]
pub struct SharedMessage(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    is_text: bool,
    payload: Bytes,
    plain: OnceLock<Bytes>,
    chunk: OnceLock<Bytes>,
    compressed: Mutex<Vec<(u8, Bytes)>>,
}

impl SharedMessage {
    /// A text, which has to be UTF-8.
    pub fn text(text: String) -> Self {
        Self::new(true, text.into())
    }

    /// Bytes.
    pub fn binary(bytes: Bytes) -> Self {
        Self::new(false, bytes)
    }

    fn new(is_text: bool, payload: Bytes) -> Self {
        let (plain, chunk) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Shared { is_text, payload, plain, chunk, compressed: Mutex::default() }))
    }

    /// What is in it.
    pub fn payload(&self) -> &Bytes {
        &self.0.payload
    }

    /// It as a chunk (RFC 9112 section 7.1). An empty one would end the body, and is none.
    pub(crate) fn chunk(&self) -> &Bytes {
        self.0.chunk.get_or_init(|| {
            let payload = &self.0.payload;
            if payload.is_empty() {
                return Bytes::new();
            }
            let size = format!("{:X}\r\n", payload.len());
            Bytes::from([size.as_bytes(), payload, b"\r\n"].concat())
        })
    }

    /// Its frame for clients with that window, or for those without compression.
    pub(super) fn frame(&self, window: Option<u8>) -> Bytes {
        let make = || Bytes::from(frame_for_all(self.0.is_text, &self.0.payload, window));
        let Some(window) = window else { return self.0.plain.get_or_init(make).clone() };
        let mut known = self.0.compressed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frame)) = known.iter().find(|(size, _)| *size == window) {
            return frame.clone();
        }
        let frame = make();
        known.push((window, frame.clone()));
        frame
    }
}

impl PartialEq for SharedMessage {
    fn eq(&self, other: &Self) -> bool {
        (self.0.is_text, &self.0.payload) == (other.0.is_text, &other.0.payload)
    }
}

impl Eq for SharedMessage {}
