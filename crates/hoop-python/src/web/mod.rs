//! The web framework's half in the engine: routes matched, arguments read, responses encoded.
//!
//! - `routes`, `declared`, `breach`: which route a request takes, and what its handler is given.
//! - `door`: how requests come to their routes without ASGI between server and framework.
//! - `way`: what is called for a request that came so, and what its result is as a response.
//! - `form_reader`: forms, as they arrive; `file_answer`, `folder`: files; `cookie_line`: cookies.
//! - `json`, `plain_models`: what handlers return, as JSON.

mod breach;
mod cookie_line;
mod declared;
mod dicts;
mod door;
mod file_answer;
mod folder;
mod form_reader;
mod json;
mod plain_models;
mod routes;
mod way;

pub use cookie_line::cookies;
pub use door::{Door, Found, Matched, Opened, Refusal};
pub use file_answer::{answer_file, content_type_of, relative_path};
pub use folder::Folder;
pub use form_reader::FormReader;
pub use json::encode_json;
pub use plain_models::ModelWriter;
pub use routes::Routes;
pub use way::{Made, made_of_response};
