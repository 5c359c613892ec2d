//! What a server lets its clients have.

use std::time::Duration;

use hoop_http1::MessageLimits;
use hoop_limits::PaceLimits;

/// The limits of a server; None means that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How large a request may be.
    pub message: MessageLimits,
    /// How long a connection may take for what it does.
    pub pace: PaceLimits,
    /// Requests of one connection that may be on their way to the application.
    pub pipelined: Option<u32>,
    /// Connections that may be open.
    pub connections: Option<usize>,
    /// Requests that may be at work in the application, up to the beginning of their answers.
    pub concurrency: Option<usize>,
    /// Requests that may wait for that.
    pub queue: usize,
    /// How long the application may take to begin an answer. The embedder sees to it at every
    /// [`tick`](crate::Application::tick).
    pub answer: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: MessageLimits::default(),
            pace: PaceLimits::default(),
            pipelined: Some(32),
            connections: Some(20_000),
            concurrency: Some(1000),
            queue: 1000,
            answer: Some(Duration::from_secs(300)),
        }
    }
}
