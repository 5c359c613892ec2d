//! What `get_extra_info` answers: made when it is asked for, then kept.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::names::Name;
use super::{Endpoint, LOCAL, PEER, borrow};
use crate::imports::Imports;

impl Endpoint {
    /// What `get_extra_info` answers.
    pub fn extra_info(
        &self,
        transport: &Bound<'_, PyAny>,
        name: &str,
        default: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = transport.py();
        let known = self.known_info(py);
        if let Some(value) = known.as_ref().map(|known| known.bind(py).get_item(name)).transpose()?.flatten()
        {
            return Ok(value.unbind());
        }
        let value = match name {
            "socket" => Imports::get(py)?.transport_socket.call1(py, (self.socket(py)?, transport))?,
            PEER => {
                let peer = self.link.borrow(py).peer.clone();
                peer.to_python(py)?
            }
            LOCAL => self.local_name(py).to_python(py)?,
            _ => return Ok(default.unwrap_or_else(|| py.None())),
        };
        self.keep_info(py, name, &value)?;
        Ok(value)
    }

    /// Remembers this end's address, which nobody can tell once the socket is closed.
    pub(super) fn keep_local_name(&self, py: Python<'_>) {
        let told = self.known_info(py).is_some_and(|known| known.bind(py).contains(LOCAL).unwrap_or(false));
        if !told {
            let local = self.local_name(py);
            self.link.borrow_mut(py).local = Some(Box::new(local));
        }
    }

    fn local_name(&self, py: Python<'_>) -> Name {
        match self.registration(py) {
            Some(registration) => rustix::net::getsockname(borrow(&registration)).ok().into(),
            None => self.link.borrow(py).local.as_deref().cloned().unwrap_or_default(),
        }
    }

    fn known_info(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        self.link.borrow(py).extra.as_ref().map(|known| known.clone_ref(py))
    }

    fn keep_info(&self, py: Python<'_>, name: &str, value: &Py<PyAny>) -> PyResult<()> {
        let known = self.known_info(py).unwrap_or_else(|| PyDict::new(py).unbind());
        known.bind(py).set_item(name, value)?;
        self.link.borrow_mut(py).extra = Some(known);
        Ok(())
    }
}
