//! The ASGI application server: requests enter Python inside their connection's own poll, on the loop's thread.
//!
//! - `listen_sockets`: what it accepts from.
//! - `server`: the Python class that serves, and the bridge to `hoop_net`'s accept loop.
//! - `server_state`: what all requests share; runs the application as tasks.
//! - `deadlines`: applications that take too long to answer.
//! - `limit_settings`: a `hoopsnake.ServerLimits` as the engine has it.
//! - `content_settings`: static files and compression, likewise.
//! - `exchange`, `session`: one HTTP request; one WebSocket.
//! - `conversation`: the `receive` and `send` of both.
//! - `audience`: many of these conversations that are sent the same.
//! - `caller`, `request_id`: who sent a request, and what it is called.
//! - `scope`, `header_names`, `recurring`: what the application is told of a request, and what of it is
//!   made once.
//! - `request_line`, `tally`: what is logged and counted of it.

mod audience;
mod caller;
mod content_settings;
mod conversation;
mod deadlines;
mod denial;
mod direct_calls;
mod exchange;
mod file_message;
mod header_names;
mod limit_settings;
mod listen_sockets;
pub mod message;
mod open_ends;
mod recurring;
mod reply;
mod request_body;
mod request_id;
mod request_line;
mod scope;
mod scope_extensions;
mod server;
mod server_state;
mod session;
mod session_events;
mod tally;

pub use audience::Audience;
pub use caller::network_problem;
pub use conversation::Sent;
pub use exchange::Arrival;
pub use listen_sockets::ListenSockets;
pub use server::Server;
