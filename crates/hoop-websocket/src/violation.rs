//! How a peer can break the rules.

/// What a peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// RFC 6455 section 5.2: bits that no extension has given a meaning.
    #[error("a reserved bit is set")]
    ReservedBits,
    /// Section 5.2.
    #[error("unknown opcode")]
    Opcode,
    /// Section 5.1.
    #[error("a client's frame must be masked")]
    Unmasked,
    /// Section 5.1.
    #[error("a server's frame must not be masked")]
    Masked,
    /// Section 5.5.
    #[error("a control frame is fragmented or too long")]
    ControlFrame,
    /// Section 5.4: a continuation of nothing.
    #[error("there is no message to continue")]
    NothingToContinue,
    /// Section 5.4: a new message within another.
    #[error("a message begins before the last one has ended")]
    Interleaved,
    /// Section 5.2: the length of a frame is below 2^63.
    #[error("the length of a frame is malformed")]
    Length,
    /// Section 5.5.1, and 7.4 for the codes.
    #[error("the close frame is malformed")]
    Close,
    /// Section 8.1.
    #[error("text is not valid UTF-8")]
    Text,
    /// RFC 7692 section 7.2.2.
    #[error("compressed data is malformed")]
    Deflate,
    /// More than is taken.
    #[error("message too large")]
    TooLarge,
}

impl Violation {
    /// The code that tells it to the peer (RFC 6455 section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::Text | Self::Deflate => 1007,
            Self::TooLarge => 1009,
            _ => 1002,
        }
    }
}
