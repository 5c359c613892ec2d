//! Addresses as Python writes them, and as the kernel does.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use hoop_net::{PeerAddress, ipv4_text, ipv6_text};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};

use super::DatagramTransport;

/// A Unix path and the zero behind it have this much room; CPython takes no longer ones.
const UNIX_PATH: usize = 108;
/// What fits into the field for IPv6's flow label and traffic class.
const FLOW_INFORMATION: u32 = 0xf_ffff;

/// Who sent the last datagram, both ways: who sends one often sends another, or is answered.
pub struct Sender {
    raw: SocketAddrAny,
    address: Py<PyAny>,
}

/// The bytes of a `sockaddr`.
fn bytes_of(raw: &SocketAddrAny) -> &[u8] {
    // SAFETY: the first `addr_len` bytes behind the pointer are initialised, and stay while `raw` does.
    unsafe { std::slice::from_raw_parts(raw.as_ptr().cast(), raw.addr_len() as usize) }
}

impl DatagramTransport {
    /// What `datagram_received` is told of a sender.
    pub(super) fn sender(&self, py: Python<'_>, raw: Option<SocketAddrAny>) -> PyResult<Py<PyAny>> {
        let Some(raw) = raw else { return Ok(py.None()) };
        if let Some(last) = self.last_sender.borrow(py).as_ref().filter(|last| last.raw == raw) {
            return Ok(last.address.clone_ref(py));
        }
        let address = to_python(py, &raw)?;
        let sender = Sender { raw, address: address.clone_ref(py) };
        drop(self.last_sender.replace(py, Some(sender)));
        Ok(address)
    }

    /// The address that `sendto` was given; `None` if Python's own socket should look at it: it may be
    /// a name, or wrong.
    pub(super) fn destination(&self, address: &Bound<'_, PyAny>) -> Option<SocketAddrAny> {
        if let Some(last) =
            self.last_sender.borrow(address.py()).as_ref().filter(|it| address.is(&it.address))
        {
            return Some(last.raw.clone());
        }
        match self.family? {
            AddressFamily::INET => {
                let (host, port): (Bound<'_, PyString>, u16) = parts(address)?.extract().ok()?;
                let ip: Ipv4Addr = host.to_str().ok()?.parse().ok()?;
                Some(SocketAddrV4::new(ip, port).into())
            }
            AddressFamily::INET6 => ipv6_destination(parts(address)?).map(SocketAddrAny::from),
            AddressFamily::UNIX => unix_destination(address).map(SocketAddrAny::from),
            _ => None,
        }
    }
}

fn parts<'a, 'py>(address: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyTuple>> {
    address.cast::<PyTuple>().ok()
}

fn ipv6_destination(parts: &Bound<'_, PyTuple>) -> Option<SocketAddrV6> {
    let number = |index: usize| match parts.get_item(index) {
        Ok(item) => item.extract::<u32>().ok(),
        Err(_) => Some(0),
    };
    if !(2..=4).contains(&parts.len()) {
        return None;
    }
    let host = parts.get_item(0).ok()?.cast_into::<PyString>().ok()?;
    let ip: Ipv6Addr = host.to_str().ok()?.parse().ok()?;
    let port = u16::try_from(number(1)?).ok()?;
    let (flow, scope) = (number(2)?, number(3)?);
    (flow <= FLOW_INFORMATION).then(|| SocketAddrV6::new(ip, port, flow, scope))
}

fn unix_destination(address: &Bound<'_, PyAny>) -> Option<SocketAddrUnix> {
    let bytes = match address.cast::<PyBytes>() {
        Ok(bytes) => bytes.as_bytes().to_vec(),
        Err(_) => address.cast::<PyString>().ok()?.extract::<OsString>().ok()?.into_vec(),
    };
    match bytes.as_slice() {
        [] => None,
        [0, name @ ..] => SocketAddrUnix::new_abstract_name(name).ok(),
        path if path.len() < UNIX_PATH => SocketAddrUnix::new(path).ok(),
        _ => None,
    }
}

/// An address as `socket.recvfrom` returns it.
fn to_python(py: Python<'_>, raw: &SocketAddrAny) -> PyResult<Py<PyAny>> {
    let address = match PeerAddress::read(bytes_of(raw)) {
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
