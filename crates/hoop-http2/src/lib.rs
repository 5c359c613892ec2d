//! What an HTTP/2 client may send, frame by frame (RFC 9113). No tokio, no pyo3, no clock, no thread.
//!
//! - [`Ledger`]: follows the frames of a connection in both directions, by their heads alone.
//! - [`Flaw`]: why a connection is ended, and with which error code.
//!
//! It decodes nothing and keeps no state of a stream but whether it has ended: that is the business
//! of whoever reads the same bytes behind it. What it sees is what that reader puts up with: frames of
//! a wrong size, and frames that cost work and ask for nothing.

#![forbid(unsafe_code)]

mod allowance;
mod flaw;
mod frames;
mod ledger;

pub use flaw::Flaw;
pub use frames::goaway;
pub use ledger::Ledger;
