//! The limits of a server, as Python gives them.

use std::time::Duration;

use hoop_net::{Limits, MessageLimits, PaceLimits};
use pyo3::prelude::*;

/// A `hoopsnake.ServerLimits`, checked where it was made: None and 0 mean that there is no limit.
#[derive(Clone, Copy, FromPyObject)]
pub struct LimitSettings {
    header_timeout: Option<f64>,
    keep_alive_timeout: Option<f64>,
    body_rate: Option<u64>,
    body_grace: f64,
    send_timeout: Option<f64>,
    response_timeout: Option<f64>,
    body_size: Option<u64>,
    head_size: Option<usize>,
    header_count: Option<usize>,
    target_size: Option<usize>,
    pipelined_requests: Option<u32>,
    connections: Option<usize>,
    concurrency: Option<usize>,
    queue: usize,
}

impl From<LimitSettings> for Limits {
    fn from(settings: LimitSettings) -> Self {
        Self {
            message: MessageLimits {
                target: settings.target_size.filter(|size| *size > 0).unwrap_or(usize::MAX),
                head: settings.head_size.filter(|size| *size > 0).unwrap_or(usize::MAX),
                fields: settings.header_count.filter(|count| *count > 0).unwrap_or(usize::MAX),
                body: settings.body_size.filter(|size| *size > 0).unwrap_or(u64::MAX),
            },
            pace: PaceLimits {
                head: seconds(settings.header_timeout),
                idle: seconds(settings.keep_alive_timeout),
                body_rate: settings.body_rate.filter(|rate| *rate > 0),
                body_grace: seconds(Some(settings.body_grace)).unwrap_or_default(),
                stall: seconds(settings.send_timeout),
            },
            pipelined: settings.pipelined_requests.filter(|count| *count > 0),
            connections: settings.connections.filter(|count| *count > 0),
            concurrency: settings.concurrency.filter(|count| *count > 0),
            queue: settings.queue,
            answer: seconds(settings.response_timeout),
        }
    }
}

/// A time that is one; what is too long to be counted is for ever.
fn seconds(value: Option<f64>) -> Option<Duration> {
    value.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
