//! The names of common request headers as Python has them: made once, not for each request.

use http::header::{self, HeaderName};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What browsers, proxies and programs send. The rest is made when it comes.
const COMMON: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::ACCESS_CONTROL_REQUEST_HEADERS,
    header::ACCESS_CONTROL_REQUEST_METHOD,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::DNT,
    header::EXPECT,
    header::FORWARDED,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
    header::PRAGMA,
    header::RANGE,
    header::REFERER,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_VERSION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::UPGRADE_INSECURE_REQUESTS,
    header::USER_AGENT,
    header::VIA,
];

/// Places in the table: a power of two, and several for each name.
const PLACES: usize = 256;

/// A table by the address of a name's text. The text of a name that `http` knows is a constant, so the
/// same address is the same name; where the compiler has made a second copy of it, it is not found.
#[derive(Debug)]
pub struct HeaderNames(Vec<Option<(usize, Py<PyBytes>)>>);

impl HeaderNames {
    pub fn new(py: Python<'_>) -> Self {
        let mut table: Vec<Option<(usize, Py<PyBytes>)>> = Vec::new();
        table.resize_with(PLACES, || None);
        for name in COMMON {
            let address = address_of(name);
            let free = probe(address).find(|place| matches!(table.get(*place), Some(None)));
            if let Some(slot) = free.and_then(|place| table.get_mut(place)) {
                *slot = Some((address, PyBytes::new(py, name.as_str().as_bytes()).unbind()));
            }
        }
        Self(table)
    }

    /// A name as Python has it.
    pub fn get<'py>(&self, py: Python<'py>, name: &HeaderName) -> Bound<'py, PyBytes> {
        self.common(py, name).cloned().unwrap_or_else(|| PyBytes::new(py, name.as_str().as_bytes()))
    }

    /// A common name as Python has it.
    pub fn common<'py>(&self, py: Python<'py>, name: &HeaderName) -> Option<&Bound<'py, PyBytes>> {
        let address = address_of(name);
        for place in probe(address) {
            match self.0.get(place) {
                Some(Some((known, bytes))) if *known == address => return Some(bytes.bind(py)),
                Some(Some(_)) => {}
                _ => break,
            }
        }
        None
    }
}

fn address_of(name: &HeaderName) -> usize {
    name.as_str().as_ptr().addr()
}

fn probe(address: usize) -> impl Iterator<Item = usize> {
    let first = address ^ (address >> 7);
    (0..PLACES).map(move |step| first.wrapping_add(step) % PLACES)
}
