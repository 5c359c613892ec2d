//! The addresses of a connection's two ends, small until somebody asks for them.

use std::ffi::OsStr;
use std::net::{SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;

use hoop_net::{PeerAddress, ipv4_text, ipv6_text};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use rustix::net::SocketAddrAny;

/// An address as the kernel told it.
#[derive(Debug, Clone, Default)]
pub enum Name {
    #[default]
    Unknown,
    V4(SocketAddrV4),
    V6(Box<SocketAddrV6>),
    /// A Unix socket that is bound to nothing.
    Unnamed,
    /// The bytes of every other `sockaddr`. Boxed twice, as few have one and all have room for it.
    Raw(Box<Box<[u8]>>),
}

impl From<Option<SocketAddrAny>> for Name {
    fn from(address: Option<SocketAddrAny>) -> Self {
        let Some(address) = address else { return Self::Unknown };
        let raw = bytes_of(&address);
        match PeerAddress::read(raw) {
            Some(PeerAddress::V4(it)) => Self::V4(it),
            Some(PeerAddress::V6(it)) => Self::V6(Box::new(it)),
            Some(PeerAddress::Unnamed) => Self::Unnamed,
            _ => Self::Raw(Box::new(raw.into())),
        }
    }
}

impl Name {
    /// The address as the methods of Python's sockets return it; None if it is not known.
    pub fn to_python(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Unknown => Ok(py.None()),
            Self::V4(it) => to_python(py, Some(PeerAddress::V4(*it))),
            Self::V6(it) => to_python(py, Some(PeerAddress::V6(**it))),
            Self::Unnamed => to_python(py, Some(PeerAddress::Unnamed)),
            Self::Raw(raw) => to_python(py, PeerAddress::read(raw)),
        }
    }
}

/// The bytes of a `sockaddr`.
pub fn bytes_of(raw: &SocketAddrAny) -> &[u8] {
    // SAFETY: the first `addr_len` bytes behind the pointer are initialised, and stay while `raw` does.
    unsafe { std::slice::from_raw_parts(raw.as_ptr().cast(), raw.addr_len() as usize) }
}

/// An address as Python writes it.
pub fn to_python(py: Python<'_>, address: Option<PeerAddress<'_>>) -> PyResult<Py<PyAny>> {
    let address = match address {
        Some(PeerAddress::V4(it)) => (ipv4_text(*it.ip()).as_str(), it.port()).into_pyobject(py)?.into_any(),
        Some(PeerAddress::V6(it)) => {
            (ipv6_text(*it.ip()), it.port(), it.flowinfo(), it.scope_id()).into_pyobject(py)?.into_any()
        }
        Some(PeerAddress::Path(path)) => OsStr::from_bytes(path).into_pyobject(py)?.into_any(),
        Some(PeerAddress::Abstract(name)) => PyBytes::new(py, name).into_any(),
        Some(PeerAddress::Unnamed) => PyString::new(py, "").into_any(),
        None => py.None().into_bound(py),
    };
    Ok(address.unbind())
}
