//! What a server has counted, for its metrics: plain numbers, added up on the loop's thread.

use std::time::Duration;

use hoop_net::{HandshakeFailure, Refusal};
use http::{Method, StatusCode};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

/// Methods that are told apart; the last stands for all others.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
const STATUSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// What durations in each bucket do not exceed, in microseconds; there is one more, without end.
const DURATION_BOUNDS: [u64; 14] = [
    500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// Counts of a server's requests, connections and WebSockets.
#[derive(Clone, Default)]
pub struct Tally {
    begun: u64,
    answered: [[u64; STATUSES.len()]; METHODS.len()],
    durations: [u64; DURATION_BOUNDS.len() + 1],
    duration: Duration,
    request_bytes: u64,
    response_bytes: u64,
    /// Responses that broke off.
    incomplete: u64,
    http1: u64,
    http2: u64,
    http1_open: u64,
    http2_open: u64,
    tls: u64,
    pub sockets: SocketTally,
    /// Reasons are few, and refusals rare.
    refused: Vec<(Refusal, u64)>,
    handshakes_failed: [u64; 3],
    pub overloaded: u64,
    pub overdue: u64,
    pub failed: u64,
    pub accepts_failed: u64,
}

/// Counts of WebSockets.
#[derive(Clone, Default)]
pub struct SocketTally {
    pub opened: u64,
    pub closed: u64,
    pub denied: u64,
    pub received: u64,
    pub sent: u64,
}

impl Tally {
    /// The application has been given a request.
    pub fn begin(&mut self) {
        self.begun += 1;
    }

    /// How often the application was called, for requests and for WebSockets.
    pub fn calls(&self) -> u64 {
        self.begun + self.sockets.opened
    }

    /// A response has ended; `duration` is known where somebody wants to know it.
    pub fn finish(
        &mut self,
        method: &Method,
        status: StatusCode,
        duration: Option<Duration>,
        bytes: (u64, u64),
        complete: bool,
    ) {
        let status = usize::from(status.as_u16() / 100).clamp(1, STATUSES.len()) - 1;
        if let Some(count) = self.answered.get_mut(method_index(method)).and_then(|row| row.get_mut(status)) {
            *count += 1;
        }
        if let Some(duration) = duration {
            let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
            let bucket = DURATION_BOUNDS.partition_point(|bound| *bound < micros);
            if let Some(count) = self.durations.get_mut(bucket) {
                *count += 1;
            }
            self.duration += duration;
        }
        self.request_bytes += bytes.0;
        self.response_bytes += bytes.1;
        self.incomplete += u64::from(!complete);
    }

    /// A connection has come as far as its first request.
    pub fn connected(&mut self, is_http1: bool, is_tls: bool) {
        *(if is_http1 { &mut self.http1 } else { &mut self.http2 }) += 1;
        *(if is_http1 { &mut self.http1_open } else { &mut self.http2_open }) += 1;
        self.tls += u64::from(is_tls);
    }

    /// It has ended, or become a WebSocket.
    pub fn disconnected(&mut self, is_http1: bool) {
        let open = if is_http1 { &mut self.http1_open } else { &mut self.http2_open };
        *open = open.saturating_sub(1);
    }

    /// Of all connections that are open, how many are what; the rest have not said anything yet.
    pub fn open_connections(&self, all: usize) -> [(&'static str, u64); 4] {
        let sockets = self.sockets.opened.saturating_sub(self.sockets.closed);
        let silent = (all as u64).saturating_sub(self.http1_open + self.http2_open + sockets);
        [("http/1", self.http1_open), ("http/2", self.http2_open), ("websocket", sockets), ("silent", silent)]
    }

    /// A request was refused in front of the application.
    pub fn refused(&mut self, refusal: Refusal) {
        match self.refused.iter_mut().find(|(each, _)| *each == refusal) {
            Some((_, count)) => *count += 1,
            None => self.refused.push((refusal, 1)),
        }
    }

    /// A connection ended before its first request.
    pub fn handshake_failed(&mut self, failure: &HandshakeFailure) {
        let [slow, tls, misplaced] = &mut self.handshakes_failed;
        *(match failure {
            HandshakeFailure::TooSlow(_) => slow,
            HandshakeFailure::Tls(_) => tls,
            HandshakeFailure::TlsToPlainAddress => misplaced,
        }) += 1;
    }

    /// All of it, as Python has it: numbers by name, some of them in a row or by label.
    pub fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let snapshot = PyDict::new(py);
        let mut finished = 0;
        let mut requests = Vec::new();
        for (method, row) in METHODS.iter().zip(&self.answered) {
            for (status, count) in STATUSES.iter().zip(row).filter(|(_, count)| **count > 0) {
                requests.push((*method, *status, *count));
                finished += count;
            }
        }
        snapshot.set_item("requests", requests)?;
        snapshot.set_item("requests_in_flight", self.begun.saturating_sub(finished))?;
        let bounds: Vec<f64> =
            DURATION_BOUNDS.iter().map(|micros| Duration::from_micros(*micros).as_secs_f64()).collect();
        snapshot.set_item("duration_bounds", bounds)?;
        snapshot.set_item("durations", self.durations.to_vec())?;
        snapshot.set_item("duration_seconds", self.duration.as_secs_f64())?;
        let connections = [("http/1", self.http1), ("http/2", self.http2)].into_py_dict(py)?;
        snapshot.set_item("connections", connections)?;
        let refused = self
            .refused
            .iter()
            .map(|(reason, count)| (snake_case(&format!("{reason:?}")), *count))
            .into_py_dict(py)?;
        snapshot.set_item("requests_refused", refused)?;
        let [slow, tls, misplaced] = self.handshakes_failed;
        let failed =
            [("too_slow", slow), ("tls", tls), ("tls_to_plain_address", misplaced)].into_py_dict(py)?;
        snapshot.set_item("handshakes_failed", failed)?;
        for (name, count) in [
            ("request_body_bytes", self.request_bytes),
            ("response_body_bytes", self.response_bytes),
            ("responses_incomplete", self.incomplete),
            ("tls_connections", self.tls),
            ("requests_overloaded", self.overloaded),
            ("requests_overdue", self.overdue),
            ("application_failures", self.failed),
            ("accepts_failed", self.accepts_failed),
            ("websockets_opened", self.sockets.opened),
            ("websockets_denied", self.sockets.denied),
            ("websocket_messages_received", self.sockets.received),
            ("websocket_messages_sent", self.sockets.sent),
        ] {
            snapshot.set_item(name, count)?;
        }
        Ok(snapshot)
    }
}

fn method_index(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        _ => 7,
    }
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}
