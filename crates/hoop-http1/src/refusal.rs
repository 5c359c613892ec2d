//! Why a request is refused.

/// What is wrong with a request. Its text goes to the server's log, its status to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// RFC 9112 section 3: a method, a target and a version, with one space between them.
    #[error("the request line is malformed")]
    RequestLine,
    /// RFC 9112 section 2.3.
    #[error("the HTTP version is neither 1.0 nor 1.1")]
    Version,
    /// RFC 9112 section 3.2: each form of target has its methods, and none has control characters.
    #[error("the request target is malformed")]
    Target,
    /// The target has more bytes than are allowed.
    #[error("the request target is too long")]
    TargetTooLong,
    /// RFC 9112 section 2.2: lines end in CR LF.
    #[error("a line ends in a line feed without a carriage return")]
    BareLineFeed,
    /// RFC 9112 section 5.2: a line that continues the one before, or a space ahead of the first.
    #[error("a line of the head begins with white space")]
    LeadingSpace,
    /// RFC 9110 section 5.1 and RFC 9112 section 5.1: a token, and the colon right behind it.
    #[error("a header's name is malformed")]
    FieldName,
    /// RFC 9110 section 5.5: no control characters.
    #[error("a header's value has control characters or space around it")]
    FieldValue,
    /// The head has more bytes than are allowed.
    #[error("the head is too large")]
    HeadTooLarge,
    /// There are more headers than are allowed.
    #[error("there are too many headers")]
    TooManyFields,
    /// RFC 9112 section 6.1: two lengths are one too many.
    #[error("both Transfer-Encoding and Content-Length are given")]
    TwoLengths,
    /// RFC 9112 section 6.1: HTTP/1.0 knows no transfer codings.
    #[error("Transfer-Encoding needs HTTP/1.1")]
    TransferEncodingInOldVersion,
    /// RFC 9112 section 6.3: "chunked", once, and nothing that looks like it.
    #[error("Transfer-Encoding is not just \"chunked\"")]
    TransferEncoding,
    /// RFC 9112 section 6.1: the coding is proper, and unknown here.
    #[error("a transfer coding other than chunked is asked for")]
    UnknownCoding,
    /// RFC 9110 section 8.6: digits, once.
    #[error("Content-Length is not one number")]
    ContentLength,
    /// The body has more bytes than are allowed.
    #[error("the body is too large")]
    BodyTooLarge,
    /// RFC 9112 section 7.1.
    #[error("a chunk is malformed")]
    Chunk,
    /// RFC 9112 section 7.1.1: extensions have no use here, and no right to be long.
    #[error("the chunk extensions are too long")]
    ChunkExtensions,
    /// RFC 9110 section 6.5.1: what frames or routes a message has no place behind it.
    #[error("a trailer is one that only the head may have")]
    Trailer,
    /// The head did not arrive in time.
    #[error("the head did not arrive in time")]
    HeadTimeout,
    /// The body arrives too slowly.
    #[error("the body arrives too slowly")]
    BodyTimeout,
    /// RFC 9112 section 3.2: an HTTP/1.1 request has exactly one Host.
    #[error("a request needs exactly one Host header")]
    HostCount,
    /// RFC 9110 section 7.2.
    #[error("the Host header is malformed")]
    MalformedHost,
}

impl Refusal {
    /// The status that tells the client.
    pub fn status(self) -> u16 {
        match self {
            Self::HeadTimeout | Self::BodyTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::UnknownCoding => 501,
            Self::Version => 505,
            _ => 400,
        }
    }
}
