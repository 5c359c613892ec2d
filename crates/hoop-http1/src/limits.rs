//! How large a request may be.

/// The most that one request may have; what is larger is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// Bytes of the request target.
    pub target: usize,
    /// Bytes of the head, and again of the trailers, with all line ends.
    pub head: usize,
    /// Headers, and again trailers.
    pub fields: usize,
    /// Bytes of the body, without what frames it.
    pub body: u64,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { target: 16 * 1024, head: 64 * 1024, fields: 100, body: 1024 * 1024 * 1024 }
    }
}
