//! Who a request comes from: hoop-fetch's Basic, Digest and netrc, as Python's flows use them.

use hoop_fetch::{Digest, Netrc as Logins, basic, challenges};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::url::Url;
use crate::gil_cell::GilCell;

/// The Authorization of a name and a password (RFC 7617). Raises ValueError for a name that has a colon, or
/// for control characters.
#[pyfunction]
pub fn basic_authorization(name: &str, password: &str) -> PyResult<String> {
    basic(name, password).ok_or_else(|| {
        let words = "basic authentication takes no colon in the name, and no control characters at all";
        PyValueError::new_err(words)
    })
}

/// A server's challenge of Digest authentication (RFC 7616), and how often it was answered.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct DigestChallenge(GilCell<Digest>);

#[pymethods]
impl DigestChallenge {
    /// The strongest that can be answered of a response's WWW-Authenticate fields; None if there is none.
    #[staticmethod]
    fn strongest(fields: Vec<String>) -> Option<Self> {
        let offered: Vec<_> = fields.iter().flat_map(|field| challenges(field)).collect();
        Digest::strongest(&offered).map(|digest| Self(GilCell::new(digest)))
    }

    /// Whether the nonce before was too old, and not the password wrong.
    #[getter]
    fn is_stale(&self, py: Python<'_>) -> bool {
        self.0.borrow(py).is_stale
    }

    /// The Authorization of the next request; `nonce` is random.
    fn authorization(
        &self,
        py: Python<'_>,
        name: &str,
        password: &str,
        method: &str,
        url: &Url,
        nonce: &str,
    ) -> String {
        let mut target = url.0.path().to_owned();
        if let Some(query) = url.0.query() {
            target.push('?');
            target.push_str(query);
        }
        self.0.borrow_mut(py).authorization(name, password, method, &target, nonce)
    }
}

/// The logins of a netrc.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Netrc(Logins);

#[pymethods]
impl Netrc {
    /// Reads a file's text. Raises ValueError, with the line, for what is none.
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        Logins::parse(text).map(Self).map_err(|fault| PyValueError::new_err(fault.to_string()))
    }

    /// Name and password for a host, or those for all others; None if there are none.
    fn login(&self, host: &str) -> Option<(String, String)> {
        self.0.login(host).map(|login| (login.name.clone(), login.password.clone()))
    }
}
