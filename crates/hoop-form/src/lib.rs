//! What a form that a client sends says, read as it arrives. No tokio, no pyo3, no clock, no thread.
//!
//! - [`FormKind`]: what a Content-Type says of the form, its boundary and charset.
//! - [`Multipart`]: the parts of multipart/form-data (RFC 7578), as events.
//! - [`PartHead`]: name, file name and headers of a part.
//! - [`Urlencoded`]: the pairs of application/x-www-form-urlencoded.
//! - [`Form`]: either of them, gathered into fields and files; large files are handed out in pieces.
//! - [`Limits`], [`Flaw`]: what a form may have, and where and why one is refused.
//!
//! How the input is cut into chunks makes no difference to what is read or refused.

#![forbid(unsafe_code)]

mod charset;
mod flaw;
mod form;
mod form_kind;
mod limits;
mod multipart;
mod parameters;
mod part_head;
mod urlencoded;

pub use charset::Charset;
pub use flaw::{Flaw, Problem};
pub use form::{Entry, Form, Overflow, Upload, Value};
pub use form_kind::FormKind;
pub use limits::Limits;
pub use multipart::{Event, Multipart};
pub use part_head::{Headers, PartHead};
pub use urlencoded::Urlencoded;
