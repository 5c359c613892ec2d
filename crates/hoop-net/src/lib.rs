//! hoopsnake's network engine on tokio and hyper. Knows no Python.
//!
//! - [`LevelPoller`]: level-triggered readiness of foreign file descriptors.
//! - [`Alarm`]: wakes a task at a moment, exactly.
//! - [`PeerAddress`], [`ipv4_text`], [`ipv6_text`]: addresses as the kernel writes them.
//! - [`ListenSocket`], [`Listener`]: where connections come from, TCP or Unix.
//! - [`serve`]: the accept loop; each connection becomes a task of the embedder's executor.
//! - [`TlsIdentity`]: certificate and key, read again when they change.
//! - [`Application`]: what the embedder answers requests and WebSockets with.
//! - [`Limits`], [`Limiter`]: what clients may have, and what they are held to.
//! - [`ResponseBody`], [`BodySender`]: whole or streamed bodies, with backpressure.
//! - [`StaticFiles`]: folders that are answered from before the application is asked.
//! - [`Folder`]: opens the files of a folder, and none outside of it.
//! - [`Compression`]: of what the application sends.
//! - [`client`]: the HTTP client.
//! - [`WebSocketHandshake`], [`WebSocket`]: the server's side of RFC 6455.

mod accept;
mod address;
mod alarm;
mod answer;
mod answered_body;
mod application;
mod arrivals;
mod body;
pub mod client;
mod compression;
mod connection;
mod drive;
mod entrance;
mod error;
mod file_part;
mod files;
mod give_way;
mod heap;
mod http1;
mod http2;
mod http2_wire;
mod incoming_body;
mod interim;
mod limiter;
mod limits;
mod line;
mod listen_socket;
mod listener;
mod outbox;
mod passage;
mod peer_address;
mod readiness;
mod request_check;
mod reset_budget;
mod shutdown;
mod tls;
mod traffic;
mod transport;
mod websocket;
mod wire;

pub use accept::serve;
pub use address::Address;
pub use alarm::Alarm;
pub use application::{Application, Executor};
pub use body::{BodyAborted, BodySender, Piece, ResponseBody};
pub use compression::{Compression, Levels};
pub use connection::{ConnectionFacts, HandshakeFailure, ServeSettings};
pub use error::ListenError;
pub use file_part::FilePart;
pub use files::{FileSettings, FilesError, Folder, StaticFiles, is_absence};
pub use give_way::give_way;
pub use hoop_http::Coding;
pub use hoop_http1::{MessageLimits, Refusal};
pub use hoop_limits::PaceLimits;
pub use hoop_websocket::Offer as DeflateOffer;
pub use http2::Http2Options;
pub use incoming_body::{BodyError, IncomingBody};
pub use interim::InterimResponses;
pub use limiter::Limiter;
pub use limits::Limits;
pub use listen_socket::{Bind, ListenOptions, ListenSocket};
pub use listener::{Connected, Listener};
pub use peer_address::{Ipv4Text, PeerAddress, ipv4_text, ipv6_text};
pub use readiness::{LevelPoller, Readiness};
pub use shutdown::{OpenConnection, Shutdown};
pub use tls::{ClientCertificates, Renewal, TlsError, TlsFacts, TlsFiles, TlsIdentity};
pub use traffic::Traffic;
pub use websocket::{
    AtOnce, Ender, Message, PendingWebSocket, SharedMessage, WebSocket, WebSocketHandshake, WebSocketOptions,
};
