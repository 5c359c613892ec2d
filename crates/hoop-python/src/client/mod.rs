//! The HTTP client: requests of Python's on hoop-net's engine.
//!
//! - `core`: a client's engine on its loop, and how a request of Python's becomes one.
//! - `call`: what a program awaits.
//! - `response`, `headers`, `url`: what it sees; `response_body` reads, `byte_stream` piece by piece.
//! - `decoder`: unpacks what Python has made.
//! - `surroundings`: the loop, as the engine sees it.
//! - `sent`: the request, as its response knows it; `standing`: the headers of all requests.
//! - `cookies`, `credentials`, `proxies`, `redirects`: hoop-fetch's rules, for `hoopsnake._client`.
//! - `websocket`: WebSockets, from their handshakes to their ends.
//! - `room`: where bodies are read to.
//! - `upload`: bodies that are made as they go.
//! - `deadline`: how long the code that calls has.
//! - `event_reader`: server-sent events.
//! - `failure`: the engine's failures as exceptions of `hoopsnake`.

mod byte_stream;
mod call;
mod cookies;
mod core;
mod credentials;
mod deadline;
mod decoder;
mod event_reader;
mod failure;
mod headers;
mod proxies;
mod redirects;
mod response;
mod response_body;
mod room;
mod sent;
mod settings;
mod standing;
mod surroundings;
mod upload;
mod url;
mod websocket;

pub use byte_stream::ByteStream;
pub use call::Call;
pub use cookies::CookieJar;
pub use core::ClientCore;
pub use credentials::{DigestChallenge, Netrc, basic_authorization};
pub use deadline::heed_deadlines;
pub use decoder::BodyDecoder;
pub use event_reader::EventReader;
pub use headers::Headers;
pub use redirects::redirect;
pub use response::Response;
pub use upload::UploadSink;
pub use url::Url;
pub use websocket::{ClientWebSocket, open_websocket};
