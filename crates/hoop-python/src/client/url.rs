//! URLs as the WHATWG standard reads them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::failure::named;

/// An absolute URL; it never changes.
#[pyclass(frozen, module = "hoopsnake", name = "URL")]
pub struct Url(pub hoop_net::client::Url);

/// Reads an absolute URL.
pub fn parsed(py: Python<'_>, text: &str) -> PyResult<hoop_net::client::Url> {
    hoop_net::client::Url::parse(text).map_err(|error| {
        let shown = without_login(text);
        named(py, "InvalidURL", format!("'{shown}' is no absolute URL: {error}"))
    })
}

/// A URL as it may be shown: without its password.
pub fn shown(url: &hoop_net::client::Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() {
        // A URL that cannot have one has none.
        let _ = shown.set_password(Some("****"));
    }
    shown.into()
}

/// The same for text that is no URL: without what stands before the @.
fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("//") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}//{host}{path}")
}

impl Url {
    /// What is one, or is its text.
    pub fn of(url: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = url.py();
        if let Ok(url) = url.cast::<Self>() {
            return Ok(Self(url.get().0.clone()));
        }
        parsed(py, url.cast::<PyString>()?.to_str()?).map(Self)
    }
}

#[pymethods]
impl Url {
    #[new]
    fn new(url: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::of(url)
    }

    /// What comes before the colon, in lower case.
    #[getter]
    fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The name or address, an IPv6 address without its brackets; empty if there is none.
    #[getter]
    fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port, if it is not the scheme's own.
    #[getter]
    fn port(&self) -> Option<u16> {
        self.0.port()
    }

    /// The path, percent-encoded.
    #[getter]
    fn path(&self) -> &str {
        self.0.path()
    }

    /// What follows the question mark, percent-encoded; empty if there is none.
    #[getter]
    fn query(&self) -> &str {
        self.0.query().unwrap_or_default()
    }

    /// What follows the hash sign; empty if there is none.
    #[getter]
    fn fragment(&self) -> &str {
        self.0.fragment().unwrap_or_default()
    }

    /// The user's name, percent-encoded; empty if there is none.
    #[getter]
    fn username(&self) -> &str {
        self.0.username()
    }

    /// The password, percent-encoded; empty if there is none.
    #[getter]
    fn password(&self) -> &str {
        self.0.password().unwrap_or_default()
    }

    /// Where a reference leads that is found at this URL.
    fn join(&self, py: Python<'_>, reference: &str) -> PyResult<Self> {
        self.0.join(reference).map(Self).map_err(|error| {
            named(py, "InvalidURL", {
                let (reference, from) = (without_login(reference), shown(&self.0));
                format!("'{reference}' leads nowhere from '{from}': {error}")
            })
        })
    }

    fn __str__(&self) -> &str {
        self.0.as_str()
    }

    fn __repr__(&self) -> String {
        format!("URL('{}')", shown(&self.0))
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, operation: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let is_equal = if let Ok(other) = other.cast::<Self>() {
            self.0 == other.get().0
        } else if let Ok(text) = other.cast::<PyString>() {
            hoop_net::client::Url::parse(text.to_str()?).is_ok_and(|other| other == self.0)
        } else {
            return Ok(py.NotImplemented());
        };
        match operation {
            CompareOp::Eq => Ok(is_equal.into_pyobject(py)?.to_owned().into_any().unbind()),
            CompareOp::Ne => Ok((!is_equal).into_pyobject(py)?.to_owned().into_any().unbind()),
            _ => Ok(py.NotImplemented()),
        }
    }
}
