//! The web framework's half in the engine: routes matched, arguments read, responses encoded.

mod breach;
mod declared;
mod json;
mod routes;

pub use json::encode_json;
pub use routes::Routes;
