//! Why a connection is ended.

/// What a client did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// RFC 9113 section 3.4: the first frame is one of settings.
    #[error("the first frame is not SETTINGS")]
    NoSettings,
    /// Section 5.1: the client had ended it.
    #[error("a frame came for a stream that its client had ended")]
    StreamClosed,
    /// Section 6.5.2: more than a window can hold.
    #[error("the initial window is too large")]
    Window,
    /// RFC 9113 section 4.2: longer than was allowed, or not as long as its type says.
    #[error("a frame has the wrong size")]
    FrameSize,
    /// RFC 9113 section 10.5: too many frames that make work and no progress.
    #[error("too many frames that ask for nothing")]
    Idling,
    /// More requests were given up than a client has reason to (CVE-2023-44487).
    #[error("too many requests were given up")]
    GivenUp,
}

impl Flaw {
    /// The error code that tells it to the client (RFC 9113 section 7).
    pub fn code(self) -> u32 {
        match self {
            Self::NoSettings => 0x1,
            Self::Window => 0x3,
            Self::StreamClosed => 0x5,
            Self::FrameSize => 0x6,
            Self::Idling | Self::GivenUp => 0xb,
        }
    }
}
