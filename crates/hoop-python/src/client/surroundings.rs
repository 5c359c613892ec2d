//! The loop, as the client's engine sees it: what runs its tasks, and resolves names.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hoop_net::client::{LocalFuture, Surroundings};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::call::running_loop;
use crate::event_loop::awaitable::Running;
use crate::event_loop::state::LoopState;

/// The loop, as the engine sees it.
pub struct OnLoop(pub Arc<LoopState>);

impl Surroundings for OnLoop {
    fn spawn(&self, task: LocalFuture<()>) {
        // A closed loop drops it, and runs nothing that could wait for it.
        Python::attach(|py| drop(self.0.spawn(py, task)));
    }

    /// As the loop resolves names, so that who has changed that is heard.
    fn resolve(&self, host: &str, port: u16) -> LocalFuture<io::Result<Vec<SocketAddr>>> {
        let looking = Python::attach(|py| {
            let python_loop = running_loop(py)?;
            let keywords = PyDict::new(py);
            // SOCK_STREAM: else each address comes once for each kind of socket.
            keywords.set_item(intern!(py, "type"), rustix::net::SocketType::STREAM.as_raw())?;
            let coroutine = python_loop.call_method("getaddrinfo", (host, port), Some(&keywords))?;
            Running::start(&python_loop, &coroutine)
        });
        let unresolved = |error: PyErr| io::Error::new(io::ErrorKind::NotFound, error.to_string());
        Box::pin(async move {
            let found = looking.map_err(unresolved)?.await.map_err(unresolved)?;
            Python::attach(|py| addresses(found.bind(py))).map_err(unresolved)
        })
    }
}

/// The addresses of what `getaddrinfo` returns.
fn addresses(found: &Bound<'_, PyAny>) -> PyResult<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for entry in found.try_iter()? {
        let socket_address = entry?.get_item(4)?;
        let (host, port): (String, u16) =
            (socket_address.get_item(0)?.extract()?, socket_address.get_item(1)?.extract()?);
        let host = host.split('%').next().unwrap_or_default();
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => {
                let scope: u32 = socket_address.get_item(3)?.extract()?;
                addresses.push(std::net::SocketAddrV6::new(address, port, 0, scope).into());
            }
            Ok(address) => addresses.push(SocketAddr::new(address, port)),
            Err(_) => {}
        }
    }
    Ok(addresses)
}
