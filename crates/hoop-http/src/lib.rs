//! What HTTP's fields mean, as pure functions. No tokio, no pyo3, no clock, no thread.
//!
//! - [`EntityTag`]: a version of something, and how two are compared.
//! - [`parse_date`], [`format_date`]: the dates of fields.
//! - [`Preconditions`]: whether a request is to be carried out, and how.
//! - [`requested_parts`]: which bytes of a whole a request asks for.
//! - [`ByteRanges`]: several parts of a whole in one body.
//! - [`Preferences`]: which content codings a client takes.
//! - [`merged_vary`]: Vary, with one more field.
//! - [`content_type_of`], [`is_compressible`]: media types.
//! - [`relative_path`]: a path below a prefix, as names that are safe to look up.
//! - [`ProxyRules`], [`Origin`]: who a request comes from, as proxies tell it (RFC 7239).
//! - [`TrustedNetworks`]: the proxies whose word counts.
//! - [`retry_after`]: how long a server asks to be left alone.
//! - [`is_host`]: what a Host header may look like.
//!
//! A field that came in several lines is given as one, joined by commas (RFC 9110 section 5.3).

#![forbid(unsafe_code)]

mod accept_encoding;
mod byteranges;
mod date;
mod entity_tag;
mod forwarded;
mod host;
mod media_type;
mod node;
mod origin;
mod path;
mod preconditions;
mod ranges;
mod retry_after;
mod trusted_networks;
mod vary;

pub use accept_encoding::{Coding, Preferences};
pub use byteranges::ByteRanges;
pub use date::{DATE_LENGTH, format_date, parse_date};
pub use entity_tag::{EntityTag, Tags};
pub use host::{host_with_port, is_host};
pub use media_type::{content_type_of, is_compressible};
pub use origin::{Client, Origin, ProxyField, ProxyParts, ProxyRules, ProxyWriting, Scheme};
pub use path::{PathFault, relative_path};
pub use preconditions::{Outcome, Preconditions, Validators, range_applies};
pub use ranges::{Part, Requested, requested_parts};
pub use retry_after::retry_after;
pub use trusted_networks::{BadNetwork, TrustedNetworks};
pub use vary::merged_vary;
