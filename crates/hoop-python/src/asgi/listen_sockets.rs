//! `ListenSockets`: what a server, or all its worker processes, accept connections from.

use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use hoop_net::{Address, Bind, ListenOptions, ListenSocket, Listener};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::errors::{listen_error, os_error};
use crate::event_loop::state::LoopState;
use crate::gil_cell::GilCell;

/// A `hoopsnake._bind.Bind`, checked where it was made.
#[derive(FromPyObject)]
struct BindSetting {
    host: Option<String>,
    port: u16,
    path: Option<PathBuf>,
    descriptor: Option<RawFd>,
}

impl From<BindSetting> for Bind {
    fn from(setting: BindSetting) -> Self {
        match (setting.descriptor, setting.path) {
            (Some(number), _) => Self::Descriptor(number),
            (None, Some(path)) => Self::Unix(path),
            (None, None) => Self::Tcp { host: setting.host.unwrap_or_default(), port: setting.port },
        }
    }
}

/// Sockets that listen; connections wait in them until somebody accepts.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct ListenSockets {
    /// Nothing once they were closed, or a server has taken them.
    open: GilCell<Option<Vec<ListenSocket>>>,
    addresses: Vec<Address>,
}

#[pymethods]
impl ListenSockets {
    /// Opens all of them, or none: `ListenError` says which cannot be listened on, and why.
    #[new]
    #[pyo3(signature = (binds, *, backlog, reuse_port = false, unix_mode = None))]
    fn new(
        py: Python<'_>,
        binds: Vec<BindSetting>,
        backlog: i32,
        reuse_port: bool,
        unix_mode: Option<u32>,
    ) -> PyResult<Self> {
        let binds: Vec<Bind> = binds.into_iter().map(Bind::from).collect();
        let options = ListenOptions { backlog, reuse_port, unix_mode };
        let open = ListenSocket::open_all(&binds, &options).map_err(|error| listen_error(py, &error))?;
        let addresses = open.iter().map(|socket| socket.address().clone()).collect();
        Ok(Self { open: GilCell::new(Some(open)), addresses })
    }

    /// Where clients find them: URLs of this scheme, or `unix:` and a path.
    pub fn addresses(&self, scheme: &str) -> Vec<String> {
        let url = |address: &Address| match address {
            Address::Ip(ip) => format!("{scheme}://{ip}"),
            unix @ Address::Unix(_) => unix.to_string(),
        };
        self.addresses.iter().map(url).collect()
    }

    /// Their descriptors; none once they were closed or taken.
    fn descriptors(&self, py: Python<'_>) -> Vec<RawFd> {
        self.open.borrow(py).iter().flatten().map(AsRawFd::as_raw_fd).collect()
    }

    /// Closes them, unless a server has taken them; the files of Unix sockets go too.
    fn close(&self, py: Python<'_>) {
        drop(self.open.take(py));
    }
}

impl ListenSockets {
    /// Takes the sockets, to be accepted from on a loop.
    pub fn take(&self, py: Python<'_>, runs: &LoopState) -> PyResult<Vec<Listener>> {
        let Some(sockets) = self.open.take(py) else {
            return Err(PyRuntimeError::new_err("these sockets were closed, or a server has them"));
        };
        let runtime = runs.runtime(py)?;
        let _entered = runtime.enter();
        sockets.into_iter().map(|socket| Listener::new(socket).map_err(|error| os_error(&error))).collect()
    }
}
