//! The native half of `hoopsnake.Cookies`: hoop-fetch's jar, and what of it goes with a request.

use std::cell::RefMut;
use std::time::SystemTime;

use hoop_fetch::{Cookie, CookieJar as Jar};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::headers::Headers;
use super::url::Url;
use crate::gil_cell::GilCell;

/// All cookies of a client, or of one response.
#[pyclass(frozen, module = "hoopsnake._native")]
#[derive(Default)]
pub struct CookieJar(GilCell<Jar>);

/// A cookie as Python has it: name, value, domain, path.
type Shown = (String, String, String, String);

/// A name and a value as they go over the wire.
type Pair<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

impl CookieJar {
    /// Keeps what a response from `url` sets; what its server may not set is left out.
    pub fn keep(&self, py: Python<'_>, url: &hoop_net::client::Url, fields: &HeaderMap) {
        // Most responses set none, and this is all that it costs them.
        if !fields.contains_key(SET_COOKIE) {
            return;
        }
        let now = now();
        let mut jar = self.0.borrow_mut(py);
        for line in fields.get_all(SET_COOKIE) {
            // RFC 6265 section 5.3: a cookie that is refused is ignored, and the response is as good as before.
            let _ = jar.store(url, line.as_bytes(), now);
        }
    }

    /// The fields of a request with the cookies for its URL; `None` if there are none to add.
    pub fn added(
        &self,
        py: Python<'_>,
        url: &hoop_net::client::Url,
        fields: &HeaderMap,
    ) -> Option<HeaderMap> {
        let mut jar: RefMut<'_, Jar> = self.0.borrow_mut(py);
        if jar.is_empty() || fields.contains_key(COOKIE) {
            return None;
        }
        let value = HeaderValue::from_bytes(&jar.header(url, now())?).ok()?;
        let mut fields = fields.clone();
        fields.insert(COOKIE, value);
        Some(fields)
    }
}

/// Seconds since 1970, as cookies end by the calendar.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Bytes as text: UTF-8 where it is, else Latin-1.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn shown(cookie: &Cookie) -> Shown {
    (text(&cookie.name), text(&cookie.value), cookie.domain.clone(), text(&cookie.path))
}

/// Whether text can stand in a Cookie: no control characters, and nothing that ends a pair.
fn is_fit(text: &str) -> bool {
    !text.contains(';') && !text.chars().any(|character| character.is_control())
}

#[pymethods]
impl CookieJar {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Keeps what a response from `url` sets, as far as its server may.
    fn store(&self, py: Python<'_>, url: &Url, headers: &Headers) {
        self.keep(py, &url.0, &headers.0.borrow(py));
    }

    /// Sets one for a domain and all below it, or for all if that is empty. Raises ValueError for what no
    /// Cookie can hold.
    fn put(&self, py: Python<'_>, name: &str, value: &str, domain: &str, path: &str) -> PyResult<()> {
        if name.is_empty() || name.contains('=') || !is_fit(name) {
            return Err(PyValueError::new_err(format!("{name:?} is no name for a cookie")));
        }
        if !is_fit(value) {
            let words = format!("the value of the cookie {name:?} has a ';' or a control character in it");
            return Err(PyValueError::new_err(words));
        }
        if !path.starts_with('/') || !is_fit(path) {
            return Err(PyValueError::new_err(format!(
                "{path:?} is no path for a cookie: it begins with a /"
            )));
        }
        self.0.borrow_mut(py).put(name.as_bytes(), value.as_bytes(), domain, path.as_bytes());
        Ok(())
    }

    /// Keeps all of another jar, each for whom it is.
    fn merge(&self, py: Python<'_>, other: &Self) {
        // It may be this one.
        let given: Vec<Cookie> = other.0.borrow(py).cookies().into_iter().cloned().collect();
        self.0.borrow_mut(py).merge(given, now());
    }

    /// Names and values that go with a request to `url`; those for all only if the program asked for it.
    /// As bytes, which is what they came as.
    fn pairs<'py>(&self, py: Python<'py>, url: &Url, is_asked: bool) -> Vec<Pair<'py>> {
        let mut jar = self.0.borrow_mut(py);
        let found = jar.for_url(&url.0, is_asked, now());
        let pair = |cookie: &Cookie| (PyBytes::new(py, &cookie.name), PyBytes::new(py, &cookie.value));
        found.into_iter().map(pair).collect()
    }

    /// Name, value, domain and path of all, in the order in which they were made.
    fn cookies(&self, py: Python<'_>) -> Vec<Shown> {
        let now = now();
        let mut jar = self.0.borrow_mut(py);
        jar.remove(|cookie| cookie.expires.is_some_and(|end| end <= now));
        jar.cookies().into_iter().map(shown).collect()
    }

    /// Takes out what has that name, domain and path, each where it is given. How many that were.
    #[pyo3(signature = (name=None, domain=None, path=None))]
    fn remove(&self, py: Python<'_>, name: Option<&str>, domain: Option<&str>, path: Option<&str>) -> usize {
        let mut jar = self.0.borrow_mut(py);
        let before = jar.len();
        jar.remove(|cookie| {
            let (own_name, _, own_domain, own_path) = shown(cookie);
            name.is_none_or(|name| name == own_name)
                && domain.is_none_or(|domain| domain == own_domain)
                && path.is_none_or(|path| path == own_path)
        });
        before - jar.len()
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.borrow(py).len()
    }
}
