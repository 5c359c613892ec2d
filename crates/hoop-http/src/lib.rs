//! What HTTP's fields mean. No tokio, no pyo3, no clock, no thread.
//!
//! - [`ProxyRules`], [`Origin`]: who a request comes from, as proxies tell it (RFC 7239).
//! - [`TrustedNetworks`]: the proxies whose word counts.
//! - [`is_host`]: what a Host header may look like.

#![forbid(unsafe_code)]

mod forwarded;
mod host;
mod node;
mod origin;
mod trusted_networks;

pub use host::{host_with_port, is_host};
pub use origin::{Client, Origin, ProxyField, ProxyParts, ProxyRules, ProxyWriting, Scheme};
pub use trusted_networks::{BadNetwork, TrustedNetworks};
