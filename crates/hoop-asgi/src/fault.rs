//! Breaches of the protocol by an application.

/// What an application did wrong; the text is for its developer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A body without a head.
    #[error("the application sent 'http.response.body' before 'http.response.start'")]
    BodyBeforeStart,
    /// Two heads.
    #[error("the application sent 'http.response.start' twice")]
    SecondStart,
    /// Something after the last body.
    #[error("the application sent {0:?} after the response was complete")]
    AfterEnd(&'static str),
    /// A hint that comes too late.
    #[error("the application sent 'http.response.early_hint' after 'http.response.start'")]
    HintAfterStart,
    /// What is for developers, and comes too late.
    #[error("the application sent 'http.response.debug' after 'http.response.start'")]
    DebugAfterStart,
    /// More body where trailers were to come.
    #[error("the application sent 'http.response.body' after the last one; trailers are to come")]
    BodyAfterEnd,
    /// Trailers that the head did not announce.
    #[error("the application sent 'http.response.trailers', and no 'trailers': True with its start")]
    TrailersUnannounced,
    /// Trailers in the middle of the body.
    #[error("the application sent 'http.response.trailers' before its last 'http.response.body'")]
    TrailersBeforeEnd,
    /// More than was promised.
    #[error("the application declared content-length {declared} but sends {sent} bytes or more")]
    TooLong {
        /// What the head said.
        declared: u64,
        /// What there is so far.
        sent: u64,
    },
    /// Less than was promised.
    #[error("the application declared content-length {declared} but its body ends after {sent} bytes")]
    TooShort {
        /// What the head said.
        declared: u64,
        /// What there is.
        sent: u64,
    },
    /// A message before the handshake was answered.
    #[error("the application sent 'websocket.send' before 'websocket.accept'")]
    SendBeforeAccept,
    /// Two answers to one handshake.
    #[error("the application sent 'websocket.accept' twice")]
    SecondAccept,
    /// A denial of what was accepted.
    #[error("the application sent 'websocket.http.response.start' after 'websocket.accept'")]
    DenialAfterAccept,
    /// An accept of what is being denied.
    #[error("the application sent 'websocket.accept' after 'websocket.http.response.start'")]
    AcceptAfterDenial,
    /// A denial without a head.
    #[error("the application sent 'websocket.http.response.body' before 'websocket.http.response.start'")]
    DenialBeforeStart,
    /// Something after the close.
    #[error("the application sent {0:?} after it had closed the WebSocket")]
    AfterClose(&'static str),
    /// A close code that no frame may carry.
    #[error(
        "'websocket.close': code {0} may not be sent; use 1000, another of RFC 6455 section 7.4, or 3000 to 4999"
    )]
    CloseCode(u16),
    /// A close reason that does not fit into a control frame.
    #[error("'websocket.close': the reason takes {0} bytes of UTF-8, and a close frame holds 123")]
    CloseReason(usize),
}
