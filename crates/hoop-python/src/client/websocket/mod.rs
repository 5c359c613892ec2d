//! WebSockets of the client's.
//!
//! - `opening`: the handshake.
//! - `talk`: one that is open, and the task that carries its frames.
//! - `socket`: what a program sees of it.
//! - `operation`: what a program awaits.

mod opening;
mod operation;
mod socket;
mod talk;

pub use opening::open_websocket;
pub use socket::ClientWebSocket;
