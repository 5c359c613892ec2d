//! What an HTTP client makes of URLs and of answers, as pure functions and state. No tokio, no pyo3, no
//! clock, no thread: `now` is in seconds since 1970, randomness and the environment are arguments.
//!
//! - [`redirect`]: where an answer leads, and what becomes of the request; [`is_same_origin`].
//! - [`CookieJar`]: the cookies of a client (RFC 6265, with what its revision adds).
//! - [`challenges`]: what WWW-Authenticate asks for; [`Digest`] answers one kind (RFC 7616), [`basic`]
//!   the other (RFC 7617).
//! - [`Netrc`]: the logins of a file that many tools share.
//! - [`Proxies`]: which proxy the environment names for a URL, and for which there is none.
//! - [`ProxyAddress`], [`UrlPattern`]: what a proxy's URL says, and which URLs go through it.
//! - [`connect_request`], [`TunnelAnswer`], [`Socks5`]: how a proxy is asked for a connection.
//! - [`EventReader`]: server-sent events, as they come.
//! - [`charset`]: how a Content-Type says that text is written.
//!
//! URLs are the url crate's, by the WHATWG's rules. What a server sends is never trusted: nothing here
//! panics, and all that is kept is bounded.

#![forbid(unsafe_code)]

mod challenge;
mod charset;
mod cookie_date;
mod cookie_jar;
mod digest;
mod event_stream;
mod netrc;
mod proxies;
mod proxy;
mod redirect;
mod set_cookie;
mod socks;
mod tunnel;

pub use challenge::{Challenge, basic, challenges};
pub use charset::charset;
pub use cookie_date::cookie_date;
pub use cookie_jar::{Cookie, CookieJar, JarLimits};
pub use digest::{Algorithm, Digest, DigestFault};
pub use event_stream::{EventFault, EventLimits, EventReader, ServerEvent};
pub use netrc::{Login, Netrc, NetrcFault};
pub use proxies::Proxies;
pub use proxy::{PatternFault, ProxyAddress, ProxyFault, ProxyScheme, UrlPattern};
pub use redirect::{RedirectFault, Step, is_same_origin, redirect};
pub use set_cookie::{CookieFault, SetCookie};
pub use socks::{Socks5, SocksFault};
pub use tunnel::{TunnelAnswer, TunnelFault, connect_request};
