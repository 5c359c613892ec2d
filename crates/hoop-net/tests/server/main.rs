//! `hoop_net::serve` over real sockets: what a peer sees, and what the application is told.

mod bodies;
mod limits;
mod refusals;
mod requests;
mod shutdown;
mod support;
mod websockets;
