//! The ASGI application server: requests enter Python inside hyper's own poll, on the loop's thread.

mod completed;
mod exchange;
mod message;
mod response_state;
mod scope;
mod server;
mod server_state;
mod websocket;

pub use server::Server;
