//! From the application's data to records for the peer.

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::phase::Phase;
use super::session::{Step, rest};
use super::{TlsProtocol, logger};
use crate::event_loop::call::leaves_the_loop;
use crate::event_loop::calls;
use crate::event_loop::endpoint::WRITES_AFTER_LOSS_BEFORE_WARNING;

impl TlsProtocol {
    /// Encrypts and sends, behind what is pending.
    pub(super) fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let phase = this.phase(py);
        if phase.is_written_off() {
            return this.note_write_after_loss(py);
        }
        this.push(py, data);
        if phase != Phase::Wrapped {
            return Ok(());
        }
        match Self::write_backlog(slf) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                Self::fatal(slf, "Fatal error on SSL protocol", &error)
            }
            other => other,
        }
    }

    /// Appends to what waits to be encrypted.
    pub(super) fn push(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) {
        let length = data.as_bytes().len();
        if length > 0 {
            let mut link = self.link.borrow_mut(py);
            link.backlog.push_back(data.as_any().clone().unbind());
            link.backlog_length += length;
        }
    }

    fn note_write_after_loss(&self, py: Python<'_>) -> PyResult<()> {
        let writes = {
            let mut link = self.link.borrow_mut(py);
            link.writes_after_loss += 1;
            link.writes_after_loss
        };
        if writes > WRITES_AFTER_LOSS_BEFORE_WARNING {
            logger(py)?.call_method1("warning", ("SSL connection is closed",))?;
        }
        Ok(())
    }

    /// Encrypts what waits for it, and sends.
    pub(super) fn write_backlog(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        loop {
            // Taken out while OpenSSL works on it: it lets other threads run meanwhile.
            let Some(data) = this.link.borrow_mut(py).backlog.pop_front() else { break };
            match this.session.write(py, &data) {
                Step::Done(count) => {
                    let data = data.into_bound(py);
                    let length = data.len()?;
                    // A long piece is encrypted a record at a time.
                    let left = if count < length { Some(rest(&data, count)?.unbind()) } else { None };
                    let mut link = this.link.borrow_mut(py);
                    link.backlog_length -= count.min(link.backlog_length);
                    if let Some(left) = left {
                        link.backlog.push_front(left);
                    }
                }
                Step::NeedsMore => {
                    this.link.borrow_mut(py).backlog.push_front(data);
                    break;
                }
                Step::Failed(error) => {
                    this.link.borrow_mut(py).backlog.push_front(data);
                    return Err(error);
                }
            }
        }
        Self::send(slf)
    }

    /// Hands records to the transport below, unless it has enough.
    pub(super) fn send(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let below_is_full = this.link.borrow(py).below_is_full;
        if !below_is_full {
            let records = this.session.collect(py)?;
            if !records.as_bytes().is_empty()
                && let Some(below) = this.below(py)
            {
                below.write(&records)?;
            }
        }
        Self::control_writing(slf)
    }

    /// Bytes that the application wrote and the transport below did not take yet.
    pub(super) fn unsent(&self, py: Python<'_>) -> PyResult<usize> {
        let (below_is_full, backlog_length) = {
            let link = self.link.borrow(py);
            (link.below_is_full, link.backlog_length)
        };
        let encrypted = if below_is_full { self.session.outgoing_pending(py)? } else { 0 };
        Ok(encrypted + backlog_length)
    }

    /// Tells the application to stop writing, or to write on.
    pub(super) fn control_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let unsent = this.unsent(py)?;
        let (must_pause, may_resume) = {
            let flow = &mut this.link.borrow_mut(py).outgoing;
            (flow.must_pause(unsent), flow.may_resume(unsent))
        };
        if must_pause {
            Self::tell_application(slf, intern!(py, "pause_writing"))
        } else if may_resume {
            Self::tell_application(slf, intern!(py, "resume_writing"))
        } else {
            Ok(())
        }
    }

    fn tell_application(slf: &Bound<'_, Self>, method: &Bound<'_, PyString>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Some(application) = this.application(py) else { return Ok(()) };
        match calls::call_method(&application, method, &[]) {
            Ok(_) => Ok(()),
            Err(error) if leaves_the_loop(py, &error) => Err(error),
            Err(error) => {
                let transport = Self::transport(slf)?;
                let with =
                    [("transport", Some(transport.as_any())), ("protocol", Some(slf.as_any().as_unbound()))];
                this.report(py, &format!("protocol.{method}() failed"), &error, &with)
            }
        }
    }
}
