//! Addresses as Python writes them, and as the kernel does.

use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStringExt;

use hoop_net::PeerAddress;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};

use super::DatagramTransport;
use crate::event_loop::endpoint::names::{bytes_of, to_python};

/// A Unix path and the zero behind it have this much room; CPython takes no longer ones.
const UNIX_PATH: usize = 108;
/// What fits into the field for IPv6's flow label and traffic class.
const FLOW_INFORMATION: u32 = 0xf_ffff;

/// Who sent the last datagram, both ways: who sends one often sends another, or is answered.
pub struct Sender {
    raw: SocketAddrAny,
    address: Py<PyAny>,
}

impl DatagramTransport {
    /// What `datagram_received` is told of a sender.
    pub(super) fn sender(&self, py: Python<'_>, raw: Option<SocketAddrAny>) -> PyResult<Py<PyAny>> {
        let Some(raw) = raw else { return Ok(py.None()) };
        if let Some(last) = self.last_sender.borrow(py).as_ref().filter(|last| last.raw == raw) {
            return Ok(last.address.clone_ref(py));
        }
        let address = to_python(py, PeerAddress::read(bytes_of(&raw)))?;
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
