//! What an HTTP/1 client may send, byte by byte (RFC 9112). No tokio, no pyo3, no clock, no thread.
//!
//! - [`Gate`]: follows the requests of a connection and says which bytes may pass.
//! - [`MessageLimits`]: how large a request may be.
//! - [`Refusal`]: why a request is refused, and with which status.
//!
//! It parses nothing for others: what passes is parsed again by whoever stands behind the gate. What
//! it promises is that two readers of what passes cannot disagree on where a request begins.

#![forbid(unsafe_code)]

mod characters;
mod chunks;
mod fields;
mod framing;
mod gate;
mod limits;
mod lines;
mod refusal;
mod request_line;

pub use gate::{Gate, Inspection, Position, Stop};
pub use limits::MessageLimits;
pub use refusal::Refusal;
