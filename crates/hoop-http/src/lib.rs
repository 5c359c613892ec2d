//! What HTTP's fields mean, as pure functions. No tokio, no pyo3, no clock.
//!
//! - [`EntityTag`]: a version of something, and how two are compared.
//! - [`parse_date`], [`format_date`]: the dates of fields.
//! - [`Preconditions`]: whether a request is to be carried out, and how.
//! - [`requested_parts`]: which bytes of a whole a request asks for.
//! - [`Preferences`]: which content codings a client takes.
//! - [`merged_vary`]: Vary, with one more field.
//! - [`content_type_of`], [`is_compressible`]: media types.
//! - [`relative_path`]: a path below a prefix, as names that are safe to look up.
//!
//! A field that came in several lines is given as one, joined by commas (RFC 9110 section 5.3).

#![forbid(unsafe_code)]

mod accept_encoding;
mod date;
mod entity_tag;
mod media_type;
mod path;
mod preconditions;
mod ranges;
mod vary;

pub use accept_encoding::{Coding, Preferences};
pub use date::{DATE_LENGTH, format_date, parse_date};
pub use entity_tag::{EntityTag, Tags};
pub use media_type::{content_type_of, is_compressible};
pub use path::{PathFault, relative_path};
pub use preconditions::{Outcome, Preconditions, Validators, range_applies};
pub use ranges::{Part, Requested, requested_parts};
pub use vary::merged_vary;
