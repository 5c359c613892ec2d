//! The rules of ASGI 3: what an application may send when. No tokio, no pyo3, no clock, no thread.
//!
//! - [`ResponseState`]: an HTTP response, from its start to its last body.
//! - [`SessionState`]: a WebSocket session, from its handshake to its end.
//! - [`Fault`]: how an application can break the rules.

#![forbid(unsafe_code)]

mod fault;
mod response;
mod session;

pub use fault::Fault;
pub use response::{BodyStep, ResponseState};
pub use session::{CloseStep, SessionState, check_close};
