//! From the peer's records to the application's data.

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::phase::{Phase, Told};
use super::session::{Step, rest};
use super::{TlsProtocol, logger};
use crate::event_loop::call::leaves_the_loop;
use crate::event_loop::calls;
use crate::event_loop::transport::receiver::Receiver;

/// What became of the peer's records so far.
struct Decrypted<'py> {
    data: Option<Bound<'py, PyBytes>>,
    /// The peer has said that it sends no more.
    ended: bool,
    /// A record that is none: reported behind the data before it.
    failed: Option<PyErr>,
}

impl TlsProtocol {
    /// Delivers what has arrived, if the application wants it. `Err` is what must leave the loop.
    pub(super) fn read(slf: &Bound<'_, Self>) -> PyResult<()> {
        if !slf.get().phase(slf.py()).has_data() {
            return Ok(());
        }
        match Self::read_and_answer(slf) {
            Err(error) if error.is_instance_of::<PyException>(slf.py()) => {
                Self::fatal(slf, "Fatal error on SSL protocol", &error)
            }
            other => other,
        }
    }

    fn read_and_answer(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if !this.link.borrow(py).reading_paused {
            match this.receiver(py)? {
                Some((application, Receiver::Streaming)) => Self::read_copied(slf, &application)?,
                Some((application, Receiver::Buffered)) => Self::read_buffered(slf, &application)?,
                None => return Ok(()),
            }
            if this.phase(py) == Phase::Unwrapped {
                return Ok(());
            }
            // What came in may have to be answered by the session itself.
            Self::write_backlog(slf)?;
        }
        this.control_reading(py)
    }

    /// The application, and how it takes data; None once the connection is lost.
    fn receiver(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>, Receiver)>> {
        let Some(application) = self.application(py) else { return Ok(None) };
        if let Some(receiver) = self.link.borrow(py).receiver {
            return Ok(Some((application, receiver)));
        }
        let receiver = Receiver::of(application.bind(py))?;
        self.link.borrow_mut(py).receiver = Some(receiver);
        Ok(Some((application, receiver)))
    }

    fn read_copied(slf: &Bound<'_, Self>, application: &Py<PyAny>) -> PyResult<()> {
        let py = slf.py();
        let decrypted = slf.get().decrypt(py)?;
        if let Some(data) = &decrypted.data {
            calls::call_method(application, intern!(py, "data_received"), &[data.as_any().as_unbound()])?;
        }
        Self::after_reading(slf, decrypted.ended, decrypted.failed)
    }

    /// Decrypts all that has arrived.
    fn decrypt<'py>(&self, py: Python<'py>) -> PyResult<Decrypted<'py>> {
        let mut decrypted = Decrypted { data: None, ended: false, failed: None };
        let mut more: Vec<Bound<'py, PyBytes>> = Vec::new();
        loop {
            match self.session.read(py) {
                Step::Done(record) if record.as_bytes().is_empty() => decrypted.ended = true,
                Step::Done(record) => {
                    match decrypted.data {
                        None => decrypted.data = Some(record),
                        Some(_) => more.push(record),
                    }
                    // To be told by an exception that there is no more would cost more than this.
                    if self.session.incoming_pending(py)? > 0 {
                        continue;
                    }
                }
                Step::NeedsMore => {}
                Step::Failed(error) => decrypted.failed = Some(error),
            }
            break;
        }
        if let Some(first) = decrypted.data.take_if(|_| !more.is_empty()) {
            more.insert(0, first);
            let joined = PyBytes::new(py, b"").call_method1(intern!(py, "join"), (more,))?;
            decrypted.data = Some(joined.cast_into::<PyBytes>()?);
        }
        Ok(decrypted)
    }

    fn read_buffered(slf: &Bound<'_, Self>, application: &Py<PyAny>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let expected = this.session.incoming_pending(py)?.into_pyobject(py)?.into_any().unbind();
        let buffer = calls::call_method(application, intern!(py, "get_buffer"), &[&expected])?.into_bound(py);
        let (room, mut filled) = (buffer.len()?, 0);
        let (mut ended, mut failed) = (false, None);
        while filled < room {
            let free = if filled == 0 { buffer.clone() } else { rest(&buffer, filled)? };
            match this.session.read_into(py, room - filled, free.as_unbound()) {
                Step::Done(0) => ended = true,
                Step::Done(count) => {
                    filled += count;
                    continue;
                }
                Step::NeedsMore => {}
                Step::Failed(error) => failed = Some(error),
            }
            break;
        }
        if filled > 0 && filled == room {
            // There may be more; others have their turn first.
            Self::call_soon(slf, "_read")?;
        }
        if filled > 0 {
            let count = filled.into_pyobject(py)?.into_any().unbind();
            calls::call_method(application, intern!(py, "buffer_updated"), &[&count])?;
        }
        Self::after_reading(slf, ended, failed)
    }

    fn after_reading(slf: &Bound<'_, Self>, ended: bool, failed: Option<PyErr>) -> PyResult<()> {
        if let Some(error) = failed {
            return Err(error);
        }
        if ended {
            Self::tell_end_of_file(slf)?;
            Self::start_shutdown(slf)?;
        }
        Ok(())
    }

    /// Tells the application, once, that its peer has ended.
    pub(super) fn tell_end_of_file(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let application = {
            let mut link = this.link.borrow_mut(py);
            if link.told != Told::Made {
                return Ok(());
            }
            link.told = Told::EndOfFile;
            link.application.as_ref().map(|application| application.clone_ref(py))
        };
        let Some(application) = application else { return Ok(()) };
        let answer = calls::call_method(&application, intern!(py, "eof_received"), &[])
            .and_then(|keep_open| keep_open.is_truthy(py));
        match answer {
            Ok(false) => Ok(()),
            Ok(true) => logger(py)?
                .call_method1("warning", ("returning true from eof_received() has no effect when using ssl",))
                .map(drop),
            Err(error) if leaves_the_loop(py, &error) => Err(error),
            Err(error) => Self::fatal(slf, "Error calling eof_received()", &error),
        }
    }

    /// Holds the transport below back while the application reads slower than its peer writes.
    pub(super) fn control_reading(&self, py: Python<'_>) -> PyResult<()> {
        let pending = self.session.incoming_pending(py)?;
        let (must_pause, may_resume, below) = {
            let mut link = self.link.borrow_mut(py);
            let (must_pause, may_resume) =
                (link.incoming.must_pause(pending), link.incoming.may_resume(pending));
            (must_pause, may_resume, link.below.as_ref().map(|below| below.clone_ref(py)))
        };
        match below {
            Some(below) if must_pause => below.pause_reading(py),
            Some(below) if may_resume => below.resume_reading(py),
            _ => Ok(()),
        }
    }
}
