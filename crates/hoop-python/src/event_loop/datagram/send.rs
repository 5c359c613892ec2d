//! What a datagram transport sends: at once if it can, else when the socket has room.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rustix::net::SendFlags;

use super::pending::{Datagram, Destination};
use super::receive::would_block;
use super::{DatagramTransport, Peer};
use crate::errors::os_error;
use crate::event_loop::LoopCore;
use crate::event_loop::call::leaves_the_loop;
use crate::event_loop::calls;
use crate::event_loop::endpoint::{as_bytes, borrow, settle};
use crate::event_loop::readers::Direction;

const WRITE_FAILED: &str = "Fatal write error on datagram transport";

impl DatagramTransport {
    pub(super) fn send(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        address: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let data = as_bytes(data)?;
        if data.as_bytes().is_empty() && !this.sends_empty {
            return Ok(());
        }
        this.check_address(py, address)?;
        // As in asyncio, one that is not connected still sends until `connection_lost` is called.
        if (this.address.is_some() || !this.endpoint.is_open(py)) && this.endpoint.is_written_off(py)? {
            return Ok(());
        }
        let datagram = Datagram { data: data.unbind(), destination: this.destination_of(py, address) };
        if this.pending.borrow(py).is_empty() {
            match this.transmit(py, &datagram) {
                Ok(true) => return Ok(()),
                Ok(false) => Self::wait_for_room(slf)?,
                Err(error) => return Self::sending_failed(slf, error),
            }
        }
        let size = {
            let mut pending = this.pending.borrow_mut(py);
            pending.push(py, datagram);
            pending.size()
        };
        this.endpoint.output_grew(slf.as_any(), size);
        Ok(())
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn send_pending(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        loop {
            let next = this.pending.borrow_mut(py).pop(py);
            let Some(datagram) = next else { break };
            match this.transmit(py, &datagram) {
                Ok(true) => {}
                Ok(false) => {
                    this.pending.borrow_mut(py).put_back(py, datagram);
                    break;
                }
                // The loop calls again for what is left.
                Err(error) => return Self::sending_failed(slf, error),
            }
        }
        let size = this.pending.borrow(py).size();
        this.endpoint.output_shrank(slf.as_any(), size);
        if this.pending.borrow(py).is_empty() {
            Self::stop_waiting(slf);
            if this.endpoint.is_closing(py) {
                this.endpoint.lose(slf.as_any(), None);
            }
        }
        Ok(())
    }

    /// Who was connected with `remote_addr` sends to nobody else.
    fn check_address(&self, py: Python<'_>, address: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        match (&self.address, address) {
            (Some(fixed), Some(address)) if !address.eq(fixed)? => Err(PyValueError::new_err(format!(
                "Invalid address: must be None or {}",
                fixed.bind(py).str()?
            ))),
            _ => Ok(()),
        }
    }

    fn destination_of(&self, py: Python<'_>, address: Option<&Bound<'_, PyAny>>) -> Destination {
        match (self.peer, address) {
            (Peer::Named, _) | (Peer::Unnamed, None) => Destination::Peer,
            (_, Some(address)) => self
                .destination(address)
                .map_or_else(|| Destination::Python(address.clone().unbind()), Destination::Address),
            (Peer::Nobody, None) => Destination::Python(py.None()),
        }
    }

    /// Says whether the socket took the datagram; if not, it would have blocked.
    fn transmit(&self, py: Python<'_>, datagram: &Datagram) -> PyResult<bool> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let Some(registration) = self.endpoint.registration(py) else { return Ok(true) };
        let (socket, data) = (borrow(&registration), datagram.data.as_bytes(py));
        let sent = match &datagram.destination {
            Destination::Peer if self.family.is_some() => rustix::net::send(socket, data, flags),
            Destination::Address(address) => rustix::net::sendto(socket, data, flags, address),
            Destination::Peer | Destination::Python(_) => return self.hand_to_python(py, datagram),
        };
        settle(sent).map(|sent| sent.is_some()).map_err(|error| os_error(&error))
    }

    /// Sends with the socket's own methods.
    fn hand_to_python(&self, py: Python<'_>, datagram: &Datagram) -> PyResult<bool> {
        let socket = self.endpoint.socket(py)?;
        let sent = match &datagram.destination {
            Destination::Python(address) => socket.call_method1(py, "sendto", (&datagram.data, address)),
            Destination::Peer | Destination::Address(_) => socket.call_method1(py, "send", (&datagram.data,)),
        };
        match sent {
            Ok(_) => Ok(true),
            Err(error) if would_block(py, &error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An error of the network is the protocol's to hear; every other ends the endpoint.
    fn sending_failed(slf: &Bound<'_, Self>, error: PyErr) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if error.is_instance_of::<PyOSError>(py) {
            let protocol = this.endpoint.protocol(py);
            let error = error.into_value(py).into_any();
            return calls::call_method(&protocol, intern!(py, "error_received"), &[&error]).map(drop);
        }
        if leaves_the_loop(py, &error) {
            return Err(error);
        }
        Self::fatal(slf, WRITE_FAILED, error);
        Ok(())
    }

    /// Reports an error and closes at once.
    pub(super) fn fatal(slf: &Bound<'_, Self>, message: &str, error: PyErr) {
        if slf.get().endpoint.ends_by(slf.as_any(), message, &error) {
            Self::force_close(slf, Some(error));
        }
    }

    /// Closes at once; what waits is lost.
    pub(super) fn force_close(slf: &Bound<'_, Self>, error: Option<PyErr>) {
        let this = slf.get();
        Self::forget_pending(slf);
        this.endpoint.begin_closing(slf.py());
        this.endpoint.lose(slf.as_any(), error);
    }

    /// Drops what waits to be sent.
    pub(super) fn forget_pending(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let dropped = this.pending.borrow_mut(py).take_all();
        drop(dropped);
        Self::stop_waiting(slf);
    }

    /// Asks the loop to call when there is room, as `add_writer` does: level-triggered, so it is told
    /// again for as long as something waits.
    fn wait_for_room(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, endpoint) = (slf.py(), &slf.get().endpoint);
        let callback = slf.getattr("_send_pending")?;
        let python_loop = endpoint.python_loop.bind(py);
        LoopCore::watch(python_loop, endpoint.fd(py).into(), Direction::Write, callback, &PyTuple::empty(py))
            .map(drop)
    }

    fn stop_waiting(slf: &Bound<'_, Self>) {
        let (py, endpoint) = (slf.py(), &slf.get().endpoint);
        endpoint.python_loop.get().unwatch(py, endpoint.fd(py), Direction::Write);
    }
}
