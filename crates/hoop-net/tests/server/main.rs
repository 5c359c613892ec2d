//! `hoop_net::serve` over real sockets: what a peer sees, and what the application is told.

mod bodies;
mod refusals;
mod requests;
mod shutdown;
mod support;
mod websockets;
