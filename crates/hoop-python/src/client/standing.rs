//! The headers that go with all of a client's requests, and may be changed while it works.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use pyo3::prelude::*;

use super::headers::Headers;
use crate::gil_cell::GilCell;

/// A client's headers, and what was last made of them.
pub struct StandingHeaders {
    /// The program's, which it changes.
    own: Py<Headers>,
    latest: GilCell<Option<Made>>,
}

/// What is sent, and the headers that it was made of: as long as these are shared here, a change makes others.
struct Made {
    of: Arc<HeaderMap>,
    sent: Arc<HeaderMap>,
}

impl StandingHeaders {
    pub fn new(own: Py<Headers>) -> Self {
        Self { own, latest: GilCell::default() }
    }

    /// What goes with a request now. It costs a look where nothing has changed.
    pub fn now(&self, py: Python<'_>) -> Arc<HeaderMap> {
        let own = self.own.get().0.borrow(py);
        if let Some(made) = &*self.latest.borrow(py)
            && Arc::ptr_eq(&made.of, &own)
        {
            return made.sent.clone();
        }
        let sent = without_framing(&own);
        drop(self.latest.replace(py, Some(Made { of: own.clone(), sent: sent.clone() })));
        sent
    }
}

/// The engine says how long a body is, and how it is framed (RFC 9112 section 6).
fn without_framing(fields: &Arc<HeaderMap>) -> Arc<HeaderMap> {
    if !fields.contains_key(TRANSFER_ENCODING) && !fields.contains_key(CONTENT_LENGTH) {
        return fields.clone();
    }
    let mut fields = HeaderMap::clone(fields);
    fields.remove(TRANSFER_ENCODING);
    fields.remove(CONTENT_LENGTH);
    Arc::new(fields)
}
