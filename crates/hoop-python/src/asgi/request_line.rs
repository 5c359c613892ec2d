//! What the logs say of a request.

use http::request::Parts;
use http::{Method, StatusCode, Uri, Version};
use pyo3::prelude::*;

use super::scope::Ends;
use super::server_state::ServerState;

/// What the access log needs, kept only if there is one.
struct Access {
    client: Py<PyAny>,
    version: &'static str,
}

/// The request's first line.
pub struct RequestLine {
    method: Method,
    uri: Uri,
    access: Option<Access>,
}

impl RequestLine {
    /// Takes method and target out of `parts`, which nobody needs any more.
    pub fn new(py: Python<'_>, server: &ServerState, ends: &Ends, parts: &mut Parts) -> Self {
        let access = server.access_log.then(|| Access {
            client: ends.client.clone_ref(py),
            version: match parts.version {
                Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2",
                _ => "1.1",
            },
        });
        Self { method: std::mem::take(&mut parts.method), uri: std::mem::take(&mut parts.uri), access }
    }

    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("*", |target| target.as_str())
    }

    /// For error messages: method and target.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.target())
    }

    /// Tells the access log, if there is one, how the request was answered.
    pub fn answered(&self, py: Python<'_>, server: &ServerState, status: StatusCode) {
        if let Some(access) = &self.access {
            let details =
                (&access.client, self.method.as_str(), self.target(), access.version, status.as_u16());
            server.tell(py, "access", details);
        }
    }
}
