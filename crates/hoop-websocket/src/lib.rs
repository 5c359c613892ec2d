//! The server's side of WebSocket (RFC 6455) with permessage-deflate (RFC 7692): from bytes to messages
//! and back. No tokio, no pyo3, no clock, no thread.
//!
//! - [`Reader`]: takes bytes in as they come, and gives out messages and control frames.
//! - [`Writer`]: puts messages into frames.
//! - [`negotiate`]: what of a client's offer of permessage-deflate is taken.
//! - [`Violation`]: how a client can break the rules, and the close code for it.

#![forbid(unsafe_code)]

mod deflate;
mod frame;
mod negotiation;
mod reader;
mod violation;
mod writer;

pub use negotiation::{Agreement, negotiate};
pub use reader::{Event, Reader};
pub use violation::Violation;
pub use writer::Writer;
