//! `Folder`: files that are looked up by names which clients say.

use std::os::fd::IntoRawFd;
use std::path::PathBuf;

use hoop_net::is_absence;
use pyo3::prelude::*;
use tokio::time::Instant;

use crate::errors::os_error;
use crate::gil_cell::GilCell;

/// A folder, of which files are opened and none outside of it.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct Folder(GilCell<hoop_net::Folder>);

#[pymethods]
impl Folder {
    #[new]
    fn new(path: PathBuf) -> PyResult<Self> {
        Ok(Self(GilCell::new(hoop_net::Folder::new(path)?)))
    }

    /// Opens what is there by a name of `relative_path`; the descriptor is the caller's. None if there is
    /// nothing to be had.
    fn open(&self, py: Python<'_>, name: &[u8]) -> PyResult<Option<i32>> {
        let name = if name.is_empty() { b"." } else { name };
        match self.0.borrow(py).open(name, Instant::now()) {
            Ok(file) => Ok(Some(file.into_raw_fd())),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(os_error(&error)),
        }
    }
}
