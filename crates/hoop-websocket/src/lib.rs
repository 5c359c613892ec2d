//! WebSocket (RFC 6455), either side of it, with permessage-deflate (RFC 7692): from bytes to messages
//! and back. No tokio, no pyo3, no clock, no thread.
//!
//! - [`Role`]: which side this is, and what the sides do differently.
//! - [`Reader`]: takes bytes in as they come, and gives out messages and control frames.
//! - [`Writer`]: puts messages into frames; [`frame_for_all`]: one that many clients are sent alike;
//!   [`MaskKeys`]: what a client masks its own with.
//! - [`negotiate`]: what of a client's offer of permessage-deflate is taken.
//! - [`Offer`]: what a client offers, and what may be answered.
//! - [`Violation`]: how a peer can break the rules, and the close code for it.

#![forbid(unsafe_code)]

mod deflate;
mod frame;
mod negotiation;
mod offer;
mod reader;
mod role;
mod violation;
mod writer;

pub use negotiation::{Agreement, negotiate};
pub use offer::{Misfit, Offer};
pub use reader::{Event, Reader};
pub use role::{MaskKeys, Role};
pub use violation::Violation;
pub use writer::{Writer, frame_for_all};
