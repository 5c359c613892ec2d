//! Why an exchange failed: in which phase, and whose fault it is.

use std::error::Error;
use std::fmt;
use std::io;

/// What an exchange is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a connection that others have.
    Pool,
    /// The name is looked up, and a connection made.
    Connect,
    /// A proxy is asked for a connection.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The request is sent.
    Write,
    /// The response is waited for, or read.
    Read,
}

impl Phase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The phase took longer than it may.
    Timeout,
    /// The exchange as a whole did.
    Deadline,
    /// The network or the peer broke off.
    Broken,
    /// The proxy on the way cannot be reached, or makes no connection.
    Proxy,
    /// The server does not speak HTTP as it should.
    Remote,
    /// The request cannot be sent as it is.
    Local,
    /// The body is not in the coding that it claims.
    Decoding,
    /// The body is larger than the client takes.
    TooLarge,
    /// Whoever makes the request's body broke it off.
    Upload,
    /// The client is closed.
    Closed,
}

/// An exchange that failed.
#[derive(Debug)]
pub struct Failure {
    /// What it was doing.
    pub phase: Phase,
    /// What went wrong.
    pub fault: Fault,
    /// In words.
    pub detail: String,
    /// Whether the server has certainly not acted on the request: sent again, it is sent once.
    pub was_left_alone: bool,
}

impl Failure {
    /// With these words.
    pub fn new(phase: Phase, fault: Fault, detail: impl Into<String>) -> Self {
        let before_it = [Phase::Pool, Phase::Connect, Phase::Proxy, Phase::Tls];
        let was_left_alone = before_it.contains(&phase);
        Self { phase, fault, detail: detail.into(), was_left_alone }
    }

    /// The system's word.
    pub fn io(phase: Phase, error: &io::Error) -> Self {
        Self::new(phase, Fault::Broken, described(error))
    }

    /// hyper's word; `phase` is what the exchange was doing.
    pub fn http(phase: Phase, error: &hyper::Error) -> Self {
        let fault = if error.is_user() {
            if is_aborted_upload(error) { Fault::Upload } else { Fault::Local }
        } else if let Some(io) = io_error(error) {
            return Self::new(phase, io_fault(io), described(error));
        } else if error.is_parse() || error.is_incomplete_message() || reason(error).is_some() {
            Fault::Remote
        } else if error.is_canceled() || error.is_closed() {
            Fault::Broken
        } else {
            Fault::Remote
        };
        let phase = if fault == Fault::Upload { Phase::Write } else { phase };
        Self::new(phase, fault, described(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for Failure {}

/// An I/O error of a body that ends early, or is not chunked as it should be, is a breach of the protocol.
fn io_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Fault::Remote
        }
        _ => Fault::Broken,
    }
}

fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    causes(error).find_map(|cause| cause.downcast_ref::<io::Error>())
}

fn is_aborted_upload(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<crate::body::BodyAborted>())
}

/// What an HTTP/2 peer gave as the reason for the end of a stream or a connection.
pub fn reason(error: &(dyn Error + 'static)) -> Option<h2::Reason> {
    causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()).and_then(h2::Error::reason)
}

/// Whether the whole connection was given up in order, before it came to this stream.
pub fn is_goodbye(error: &(dyn Error + 'static)) -> bool {
    causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()).is_some_and(|error| {
        error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
    })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// All that an error and its causes say, each once.
fn described(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let words = cause.to_string();
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
    }
    text
}
