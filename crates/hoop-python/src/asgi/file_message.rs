//! Messages that name a file: 'http.response.pathsend' and 'http.response.zerocopysend'.
//!
//! Rules that the one unsafe block rests on:
//! 1. A number that an application gives as a descriptor is borrowed for the length of one system call,
//!    and only to be duplicated; what is read later is the duplicate, which is ours.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::fd::{BorrowedFd, RawFd};
use std::path::PathBuf;

use hoop_net::FilePart;
use pyo3::exceptions::{PyIsADirectoryError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The whole file that 'http.response.pathsend' names.
pub fn path_send(message: &Bound<'_, PyDict>) -> PyResult<FilePart> {
    let Some(path) = message.get_item(intern!(message.py(), "path"))? else {
        return Err(PyValueError::new_err("'http.response.pathsend' needs a 'path'"));
    };
    let path: PathBuf = path.extract()?;
    // Before it is opened: to open a pipe would wait for its writer.
    let found = fs::metadata(&path)?;
    if found.is_dir() {
        return Err(PyIsADirectoryError::new_err(format!(
            "'http.response.pathsend': {path:?} is a directory"
        )));
    }
    if !found.is_file() {
        return Err(PyValueError::new_err(format!("'http.response.pathsend': {path:?} is no regular file")));
    }
    let file = File::open(&path)?;
    let length = file.metadata()?.len();
    Ok(FilePart::new(file, 0, length))
}

/// The part of a file that 'http.response.zerocopysend' names.
pub fn zero_copy_send(message: &Bound<'_, PyDict>) -> PyResult<FilePart> {
    let py = message.py();
    let Some(file) = message.get_item(intern!(py, "file"))? else {
        return Err(PyValueError::new_err("'http.response.zerocopysend' needs a 'file'"));
    };
    let number: RawFd = match file.extract() {
        Ok(number) => number,
        Err(_) => file.call_method0(intern!(py, "fileno"))?.extract()?,
    };
    if number < 0 {
        return Err(PyValueError::new_err(format!(
            "'http.response.zerocopysend': {number} is no descriptor"
        )));
    }
    // SAFETY: rule 1; the number is not -1, and one that is not open is an error of the system's.
    let mut file = File::from(unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()?);
    if !file.metadata()?.is_file() {
        return Err(PyValueError::new_err("'http.response.zerocopysend' takes a regular file"));
    }
    let offset = unsigned(message, "offset")?;
    let from = match offset {
        Some(offset) => offset,
        None => file.stream_position()?,
    };
    let there = file.metadata()?.len().saturating_sub(from);
    let length = unsigned(message, "count")?.map_or(there, |count| count.min(there));
    if offset.is_none() {
        // As os.sendfile() without an offset: the duplicate shares its position with the original.
        file.seek(SeekFrom::Start(from + length))?;
    }
    Ok(FilePart::new(file, from, length))
}

fn unsigned(message: &Bound<'_, PyDict>, name: &str) -> PyResult<Option<u64>> {
    let Some(value) = message.get_item(name)?.filter(|value| !value.is_none()) else { return Ok(None) };
    value.extract().map(Some).map_err(|_| {
        PyTypeError::new_err(format!("{name:?} of 'http.response.zerocopysend' is an int of 0 or more"))
    })
}
