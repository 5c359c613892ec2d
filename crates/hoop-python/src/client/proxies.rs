//! Which proxy a client's requests go through: what the program says, and else the environment.

use std::collections::HashMap;
use std::sync::Arc;

use hoop_fetch::{Proxies as Environment, ProxyAddress, UrlPattern};
use hoop_net::client::{Proxy, Url};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::failure::named;
use super::headers::fields;

/// `hoopsnake._client._proxy.Proxy`.
#[derive(FromPyObject)]
pub struct Given {
    url: String,
    auth: Option<(String, String)>,
    headers: Py<PyAny>,
}

/// What the settings say of proxies.
#[derive(FromPyObject)]
pub struct ProxySettings {
    /// By patterns of URLs; None is none.
    rules: Vec<(String, Option<Given>)>,
    /// Variables of the environment, if they count.
    environment: Option<HashMap<String, String>>,
}

/// A client's proxies.
#[derive(Default)]
pub struct ProxyTable {
    /// In the order in which they are asked.
    rules: Vec<(UrlPattern, Option<Arc<Proxy>>)>,
    environment: Environment,
    /// A fault of one is raised for what would go through it, for nobody may have meant it for this program.
    of_environment: HashMap<String, Result<Arc<Proxy>, String>>,
}

impl ProxyTable {
    /// Raises InvalidURL and ValueError for what is no proxy and no pattern.
    pub fn new(py: Python<'_>, settings: &ProxySettings) -> PyResult<Self> {
        let mut rules = Vec::with_capacity(settings.rules.len());
        for (pattern, given) in &settings.rules {
            let pattern =
                UrlPattern::parse(pattern).map_err(|fault| PyValueError::new_err(fault.to_string()))?;
            rules.push((pattern, given.as_ref().map(|given| made(py, given)).transpose()?));
        }
        // A stable order: of equals the first counts.
        rules.sort_by(|(one, _), (other, _)| one.cmp(other));
        let Some(variables) = &settings.environment else { return Ok(Self { rules, ..Self::default() }) };
        let environment = Environment::from_environment(|name| variables.get(name).cloned());
        let mut of_environment = HashMap::new();
        for text in environment.named() {
            let proxy = ProxyAddress::parse(text)
                .map_err(|fault| fault.to_string())
                .and_then(|address| told(Proxy::new(address, http::HeaderMap::new())))
                .map_err(|fault| format!("a proxy that the environment names: {fault} (trust_env)"));
            of_environment.insert(text.to_owned(), proxy);
        }
        Ok(Self { rules, environment, of_environment })
    }

    /// Whether the environment names what cannot be a proxy.
    pub fn has_faults(&self) -> bool {
        self.of_environment.values().any(Result::is_err)
    }

    /// The proxy for a URL; `None`: straight there. `Err` is what is wrong with the environment's.
    pub fn for_url(&self, url: &Url) -> Result<Option<&Arc<Proxy>>, &str> {
        if let Some((_, proxy)) = self.rules.iter().find(|(pattern, _)| pattern.matches(url)) {
            return Ok(proxy.as_ref());
        }
        let found = self.environment.for_url(url).and_then(|text| self.of_environment.get(text));
        found.map(|proxy| proxy.as_ref().map_err(String::as_str)).transpose()
    }
}

fn made(py: Python<'_>, given: &Given) -> PyResult<Arc<Proxy>> {
    let mut address =
        ProxyAddress::parse(&given.url).map_err(|fault| named(py, "InvalidURL", fault.to_string()))?;
    if given.auth.is_some() {
        address.login.clone_from(&given.auth);
    }
    told(Proxy::new(address, fields(given.headers.bind(py))?)).map_err(PyValueError::new_err)
}

fn told(proxy: Option<Proxy>) -> Result<Arc<Proxy>, String> {
    let words = "a proxy's login has a colon in the name, or a control character, and cannot be sent";
    proxy.map(Arc::new).ok_or_else(|| words.to_owned())
}
