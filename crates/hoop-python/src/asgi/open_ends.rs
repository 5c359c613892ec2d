//! A connection for as long as its server has it.

use std::sync::Arc;

use hoop_net::ConnectionFacts;
use pyo3::prelude::*;

use super::scope::Ends;
use super::server_state::ServerState;

/// When it goes, so does what has outlived its response, and it is not counted as open any more.
pub struct OpenEnds {
    pub ends: Arc<Ends>,
    server: Arc<ServerState>,
    is_http1: bool,
}

impl OpenEnds {
    /// Counts one more.
    pub fn new(py: Python<'_>, server: &Arc<ServerState>, ends: Ends, facts: &ConnectionFacts) -> Self {
        let is_http1 = facts.interim.is_some();
        server.tally.borrow_mut(py).connected(is_http1, facts.tls.is_some());
        Self { ends: Arc::new(ends), server: server.clone(), is_http1 }
    }
}

impl Drop for OpenEnds {
    fn drop(&mut self) {
        Python::attach(|py| {
            self.server.tally.borrow_mut(py).disconnected(self.is_http1);
            self.ends.end_outlived(py);
        });
    }
}
