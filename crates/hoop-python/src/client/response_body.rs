//! A response's body: read by the engine or made by Python, as a whole or piece by piece.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Waker;

use hoop_net::client::{Download, Failure, Whole as WholeBody};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::call::Call;
use super::failure::named;
use super::response::Response;
use super::upload::fed;
use crate::event_loop::awaitable::Running;

/// A body that is being read, and what goes on with it.
pub struct Reading {
    pub download: Download,
    /// A request's body that is still being made.
    pub feeding: Option<Running>,
    pub max_content: u64,
    /// What Python has tied to it: given up with it.
    pub tied: Option<Py<PyAny>>,
}

/// A body that was read.
pub enum Content {
    /// As Python has it.
    Whole(Py<PyBytes>),
    /// As it came.
    Pieces(WholeBody),
}

pub enum Body {
    Whole(WholeBody),
    Shown(Py<PyBytes>),
    Unread(Box<Reading>),
    /// A `hoopsnake._client._made.MadeBody`, which reads itself.
    Made(Py<PyAny>),
    /// Somebody reads it, who is woken to hear that it was closed.
    Lent(Option<Waker>),
    Closed,
}

impl Body {
    /// Whether nothing more can be read.
    pub fn is_closed(&self) -> bool {
        !matches!(self, Self::Unread(_) | Self::Lent(_) | Self::Made(_))
    }
}

impl Response {
    /// All of it. Raises ResponseNotRead if it has not been read.
    pub fn whole(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        let shown = match &*self.body.borrow(py) {
            Body::Shown(shown) => return Ok(shown.clone_ref(py)),
            Body::Whole(whole) => joined(py, whole)?,
            _ => {
                let text = "the response has not been read: `await response.aread()` first";
                return Err(named(py, "ResponseNotRead", text.to_owned()));
            }
        };
        drop(self.body.replace(py, Body::Shown(shown.clone_ref(py))));
        Ok(shown)
    }

    /// All of it, if it has been read.
    pub fn read_already(&self, py: Python<'_>) -> Option<Py<PyBytes>> {
        let is_there = matches!(&*self.body.borrow(py), Body::Whole(_) | Body::Shown(_));
        if is_there { self.whole(py).ok() } else { None }
    }

    /// An awaitable that reads all of it.
    pub fn read(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        match slf.get().made(slf.py()) {
            Some(made) => made.call_method1(slf.py(), "aread", (slf,)),
            None => Ok(Py::new(slf.py(), read_by_engine(slf.clone().unbind()))?.into_any()),
        }
    }

    /// An awaitable for the next piece, unpacked unless `raw`; None at the end.
    pub fn chunk(slf: &Bound<'_, Self>, raw: bool) -> PyResult<Py<PyAny>> {
        match slf.get().made(slf.py()) {
            Some(made) => made.call_method1(slf.py(), "chunk", (slf, raw)),
            None => Ok(Py::new(slf.py(), chunk_by_engine(slf.clone().unbind(), raw))?.into_any()),
        }
    }

    /// An awaitable that closes it.
    pub fn close(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        if let Some(made) = slf.get().made(slf.py()) {
            return made.call_method1(slf.py(), "aclose", (slf,));
        }
        let response = slf.clone().unbind();
        let call = Call::new(move |python_loop| {
            response.get().end(python_loop.py())?;
            Ok(Box::pin(async { Ok(Python::attach(|py| py.None())) }))
        });
        Ok(Py::new(slf.py(), call)?.into_any())
    }

    /// What was not read is not read any more.
    pub fn end(&self, py: Python<'_>) -> PyResult<()> {
        if matches!(&*self.body.borrow(py), Body::Whole(_) | Body::Shown(_)) {
            return Ok(());
        }
        let body = self.body.replace(py, Body::Closed);
        match body {
            Body::Made(made) => drop(made.call_method0(py, "close")?),
            Body::Lent(Some(reader)) => reader.wake(),
            _ => {}
        }
        Ok(())
    }

    /// Keeps `object` until there is no more to be read, or nobody does; whether it is kept.
    pub fn tie(&self, py: Python<'_>, object: Py<PyAny>) -> PyResult<bool> {
        if let Some(made) = self.made(py) {
            made.call_method1(py, "tie", (object,))?;
            return Ok(true);
        }
        let before = match &mut *self.body.borrow_mut(py) {
            Body::Unread(reading) => reading.tied.replace(object),
            _ => return Ok(false),
        };
        drop(before);
        Ok(true)
    }

    /// What has made the body, if that was Python.
    pub fn made(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match &*self.body.borrow(py) {
            Body::Made(made) => Some(made.clone_ref(py)),
            _ => None,
        }
    }

    fn take_reading(&self, py: Python<'_>) -> PyResult<Box<Reading>> {
        match self.body.replace(py, Body::Lent(None)) {
            Body::Unread(reading) => Ok(reading),
            other => {
                let (is_lent, is_closed) = (matches!(other, Body::Lent(_)), matches!(other, Body::Closed));
                drop(self.body.replace(py, other));
                if is_lent {
                    let text = "somebody reads this response already";
                    return Err(named(py, "StreamConsumed", text.to_owned()));
                }
                let (class, text) = if is_closed {
                    ("StreamClosed", "the response was closed, or read to its end as a stream")
                } else {
                    ("StreamConsumed", "the response was read already: its content is in `content`")
                };
                Err(named(py, class, text.to_owned()))
            }
        }
    }

    /// What a read has left behind.
    fn note(&self, py: Python<'_>, reading: &mut Reading) {
        self.elapsed.set(py, reading.download.elapsed());
        self.received.set(py, reading.download.received());
        if let Some(trailers) = reading.download.trailers() {
            drop(self.trailers.replace(py, Some(trailers)));
        }
    }

    /// Awaits what a reader waits for, as long as nobody closes the response.
    async fn unless_closed<T>(&self, mut future: Pin<&mut impl Future<Output = PyResult<T>>>) -> PyResult<T> {
        poll_fn(|cx| {
            Python::attach(|py| match &mut *self.body.borrow_mut(py) {
                Body::Lent(Some(reader)) => {
                    reader.clone_from(cx.waker());
                    Ok(())
                }
                Body::Lent(nobody) => {
                    *nobody = Some(cx.waker().clone());
                    Ok(())
                }
                _ => Err(closed_meanwhile(py)),
            })?;
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Leaves behind what a reader has made of the body, unless it was closed while he read.
    fn give_back(&self, py: Python<'_>, body: Body) -> PyResult<()> {
        if !matches!(&*self.body.borrow(py), Body::Lent(_)) {
            return Err(closed_meanwhile(py));
        }
        drop(self.body.replace(py, body));
        Ok(())
    }

    fn failed(&self, py: Python<'_>, failure: &Failure) -> PyErr {
        drop(self.body.replace(py, Body::Closed));
        self.raised(py, failure)
    }
}

fn read_by_engine(response: Py<Response>) -> Call {
    Call::new(move |python_loop| {
        let py = python_loop.py();
        if let Ok(content) = response.get().whole(py) {
            return Ok(Box::pin(async move { Ok(content.into_any()) }));
        }
        let mut reading = response.get().take_reading(py)?;
        let lending = Lending { response: response.clone_ref(py) };
        Ok(Box::pin(async move {
            let Reading { download, feeding, max_content, .. } = &mut *reading;
            let whole = {
                let whole = pin!(download.whole(*max_content));
                lending.response.get().unless_closed(pin!(fed(feeding, whole))).await?
            };
            Python::attach(|py| {
                let response = lending.response.get();
                response.note(py, &mut reading);
                match whole {
                    Ok(bytes) => {
                        response.give_back(py, Body::Whole(bytes))?;
                        Ok(response.whole(py)?.into_any())
                    }
                    Err(failure) => Err(response.failed(py, &failure)),
                }
            })
        }))
    })
}

fn chunk_by_engine(response: Py<Response>, raw: bool) -> Call {
    Call::new(move |python_loop| {
        let reading = next_chunk(python_loop.py(), &response, raw)?;
        Ok(Box::pin(async move {
            let chunk = reading.await?;
            Ok(chunk.map_or_else(|| Python::attach(|py| py.None()), Py::into_any))
        }))
    })
}

/// Reads the next piece of what the engine reads; `None` at the end.
pub fn next_chunk(
    py: Python<'_>,
    response: &Py<Response>,
    raw: bool,
) -> PyResult<impl Future<Output = PyResult<Option<Py<PyBytes>>>> + use<>> {
    let mut reading = response.get().take_reading(py)?;
    let lending = Lending { response: response.clone_ref(py) };
    Ok(async move {
        let Reading { download, feeding, .. } = &mut *reading;
        let response = lending.response.get();
        let chunk = if raw {
            response.unless_closed(pin!(fed(feeding, pin!(download.raw_chunk())))).await?
        } else {
            response.unless_closed(pin!(fed(feeding, pin!(download.chunk())))).await?
        };
        Python::attach(|py| {
            response.note(py, &mut reading);
            let (body, outcome) = match chunk {
                Ok(Some(bytes)) => (Body::Unread(reading), Some(PyBytes::new(py, &bytes).unbind())),
                Ok(None) => (Body::Closed, None),
                Err(failure) => return Err(response.failed(py, &failure)),
            };
            response.give_back(py, body)?;
            Ok(outcome)
        })
    })
}

fn closed_meanwhile(py: Python<'_>) -> PyErr {
    named(py, "StreamClosed", "the response was closed while it was read".to_owned())
}

/// Puts a response back into the state in which a read has found it lent.
struct Lending {
    response: Py<Response>,
}

impl Drop for Lending {
    /// A read that was given up has closed the connection.
    fn drop(&mut self) {
        Python::attach(|py| {
            let body = &self.response.get().body;
            if matches!(&*body.borrow(py), Body::Lent(_)) {
                drop(body.replace(py, Body::Closed));
            }
        });
    }
}

/// A body's bytes, copied once.
fn joined(py: Python<'_>, whole: &WholeBody) -> PyResult<Py<PyBytes>> {
    let length = usize::try_from(whole.length())?;
    let bytes = PyBytes::new_with(py, length, |mut room| {
        for piece in whole.pieces() {
            if let Some((place, rest)) = std::mem::take(&mut room).split_at_mut_checked(piece.len()) {
                place.copy_from_slice(piece);
                room = rest;
            }
        }
        Ok(())
    })?;
    Ok(bytes.unbind())
}
