//! What an HTTP/1 client may send, and what a server answers, byte by byte (RFC 9112). No tokio, no pyo3,
//! no clock, no thread.
//!
//! - [`Gate`]: follows the requests of a connection and says which bytes may pass.
//! - [`MessageLimits`]: how large a request may be.
//! - [`Refusal`]: why a request is refused, and with which status.
//! - [`read_head`], [`BodyReader`]: a response as it arrives, for our client.
//!
//! The gate parses nothing for others: what passes is parsed again by whoever stands behind the gate. What
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
mod response;
mod response_body;

pub use fields::Field;
pub use gate::{Gate, Inspection, Position, Stop};
pub use limits::MessageLimits;
pub use refusal::Refusal;
pub use response::{BodyFraming, Breach, ResponseHead, read_head};
pub use response_body::{BodyReader, Step};
