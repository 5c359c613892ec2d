//! Redirects: hoop-fetch says where they lead, and what of the request goes along.

use hoop_fetch::RedirectFault;
use http::HeaderMap;
use http::header::LOCATION;
use pyo3::prelude::*;

use super::failure::named;
use super::headers::Headers;
use super::url::Url;

/// Where a redirect leads: the URL, whether the method becomes GET, whether the origin is another one, and
/// the fields of the request that go along. None if the response is no redirect. Raises
/// RemoteProtocolError or UnsupportedProtocol for one that cannot be followed.
#[pyfunction]
pub fn redirect(
    py: Python<'_>,
    status: u16,
    method: &str,
    url: &Url,
    sent: &Headers,
    received: &Headers,
) -> PyResult<Option<(Url, bool, bool, Headers)>> {
    let location = received.0.borrow(py).get(LOCATION).cloned();
    let location = location.as_ref().map(http::HeaderValue::as_bytes);
    let step = match hoop_fetch::redirect(status, method, &url.0, location) {
        None => return Ok(None),
        Some(Ok(step)) => step,
        Some(Err(fault)) => {
            let class = match fault {
                RedirectFault::BadLocation(_) => "RemoteProtocolError",
                RedirectFault::OtherScheme(_) => "UnsupportedProtocol",
            };
            return Err(named(py, class, format!("the redirect cannot be followed: {fault}")));
        }
    };
    let mut kept = HeaderMap::new();
    for (name, value) in sent.0.borrow(py).iter() {
        if !step.drops(name.as_str()) {
            kept.append(name.clone(), value.clone());
        }
    }
    Ok(Some((Url(step.url), step.becomes_get, step.leaves_origin, Headers::of(kept))))
}
