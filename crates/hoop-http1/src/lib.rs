//! What an HTTP/1 client may send, and what a server answers, byte by byte (RFC 9112). No tokio, no pyo3,
//! no clock, no thread.
//!
//! - [`RequestReader`]: the requests of a connection, as they arrive.
//! - [`Lookahead`]: how many of them wait.
//! - [`MessageLimits`]: how large a request may be.
//! - [`Refusal`]: why a request is refused, and with which status.
//! - [`read_head`], [`BodyReader`]: a response as it arrives, for our client.
//! - [`write_chunk_size`]: what goes ahead of a chunk, either way.
//! - [`decimal`]: a length as it is written.
//!
//! What it promises is that no other reader of the same bytes, that keeps to the RFC, can disagree on where a
//! request begins.

#![forbid(unsafe_code)]

mod characters;
mod chunks;
mod fields;
mod framing;
mod limits;
mod lines;
mod lookahead;
mod refusal;
mod request;
mod request_line;
mod response;
mod response_body;

pub use chunks::write_chunk_size;
pub use fields::Field;
pub use framing::decimal;
pub use limits::MessageLimits;
pub use lookahead::Lookahead;
pub use refusal::Refusal;
pub use request::{HeadMeaning, Piece, RequestHead, RequestReader};
pub use response::{BodyFraming, Breach, ResponseHead, read_head};
pub use response_body::{BodyReader, Step};
