//! Names for requests, by which logs, applications and clients speak of the same one.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use pyo3::prelude::*;
use pyo3::types::PyString;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::errors::{os_error, server_error};
use crate::gil_cell::GilCell;

/// 128 bits: no two are ever the same.
const LENGTH: usize = 16;
/// So much is fetched at once: a call into the system for every 256 requests.
const STORE: usize = 256 * LENGTH;
/// The longest that is taken over from a proxy.
const LONGEST: usize = 128;

/// Makes the names, and takes over those that trusted proxies give.
pub struct RequestIds {
    header: HeaderName,
    random: GilCell<Store>,
}

struct Store {
    bytes: Box<[u8; STORE]>,
    used: usize,
}

/// The name of one request.
pub struct RequestId {
    pub text: Py<PyString>,
    value: HeaderValue,
}

impl RequestIds {
    /// `header` is where they are read and written.
    pub fn new(py: Python<'_>, header: &str) -> PyResult<Self> {
        let header = HeaderName::from_bytes(header.as_bytes())
            .map_err(|_| server_error(py, &format!("request_id_header {header:?} is no name of a header")))?;
        Ok(Self { header, random: GilCell::new(Store { bytes: Box::new([0; STORE]), used: STORE }) })
    }

    /// The name of a request; `is_trusted` says whether its peer may choose it.
    pub fn name(&self, py: Python<'_>, headers: &HeaderMap, is_trusted: bool) -> PyResult<RequestId> {
        let given = if is_trusted { headers.get(&self.header) } else { None };
        if let Some(value) = given.filter(|value| is_well_formed(value.as_bytes())) {
            let text = PyString::new(py, &String::from_utf8_lossy(value.as_bytes())).unbind();
            return Ok(RequestId { text, value: value.clone() });
        }
        let digits = self.random_digits(py)?;
        let value =
            HeaderValue::from_bytes(&digits).map_err(|_| os_error(&std::io::ErrorKind::Other.into()))?;
        Ok(RequestId { text: PyString::new(py, &String::from_utf8_lossy(&digits)).unbind(), value })
    }

    fn random_digits(&self, py: Python<'_>) -> PyResult<[u8; 2 * LENGTH]> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut store = self.random.borrow_mut(py);
        if store.used + LENGTH > STORE {
            fill(&mut store.bytes[..]).map_err(|error| os_error(&error))?;
            store.used = 0;
        }
        let used = store.used;
        store.used += LENGTH;
        let mut digits = [0; 2 * LENGTH];
        let random = store.bytes.get(used..used + LENGTH).unwrap_or_default();
        for (pair, byte) in digits.chunks_exact_mut(2).zip(random) {
            if let [high, low] = pair {
                *high = DIGITS[usize::from(byte >> 4)];
                *low = DIGITS[usize::from(byte & 15)];
            }
        }
        Ok(digits)
    }

    /// Tells the client, unless the application has.
    pub fn stamp(&self, id: &RequestId, headers: &mut HeaderMap) {
        headers.entry(&self.header).or_insert_with(|| id.value.clone());
    }
}

/// The system gives as much as it likes at once (getrandom(2)).
fn fill(mut bytes: &mut [u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let given = getrandom(&mut *bytes, GetRandomFlags::empty())?;
        bytes = bytes.get_mut(given..).unwrap_or_default();
    }
    Ok(())
}

/// Letters, digits and what identifiers have between them: nothing that a log could take for its own.
fn is_well_formed(value: &[u8]) -> bool {
    (1..=LONGEST).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(byte))
}
