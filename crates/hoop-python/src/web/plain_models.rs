//! `ModelWriter`: JSON of pydantic models whose fields are plain, written without pydantic.
//!
//! `hoopsnake.web._plain_models` says which are: then JSON is what the fields say, and to look at them is
//! all that a serialiser can do. What is not as its type declares is left to pydantic, which has words for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use hoop_route::{write_float, write_integer, write_text};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyType};

use super::dicts::{attributes_of, next_pair, value_of};

/// The bits of `_plain_models.Shape.scalars`.
const NONE: u8 = 1;
const BOOLEAN: u8 = 2;
const INTEGER: u8 = 4;
const FLOAT: u8 = 8;
const TEXT: u8 = 16;

/// Room that is made at first, and at most for what the last one was.
const SHORTEST: usize = 256;
const LARGEST_GUESS: usize = 256 * 1024;

/// `_plain_models.Shape`: what a value may be.
struct Shape {
    scalars: u8,
    /// Of a list's items.
    items: Option<Box<Shape>>,
    /// Of a dict's values; its keys are texts.
    values: Option<Box<Shape>>,
    model: Option<Box<Model>>,
}

struct Model {
    class: Py<PyType>,
    fields: Vec<Field>,
}

struct Field {
    name: Py<PyString>,
    /// What stands before its value: a comma unless it is the first, the quoted name, a colon.
    before: Vec<u8>,
    shape: Shape,
}

/// Writes values of one type.
#[pyclass(frozen, module = "hoopsnake._native")]
pub struct ModelWriter {
    shape: Shape,
    /// How long the last one was: the next is most likely as long.
    last: AtomicUsize,
}

#[pymethods]
impl ModelWriter {
    #[new]
    fn new(shape: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { shape: Shape::read(shape)?, last: AtomicUsize::new(SHORTEST) })
    }

    /// The value as JSON, or None if it is not as it was declared.
    fn __call__<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let last = self.last.load(Ordering::Relaxed);
        let mut bytes = Vec::with_capacity((last + last / 8).clamp(SHORTEST, LARGEST_GUESS));
        if !self.shape.write(&mut bytes, value)? {
            return Ok(None);
        }
        self.last.store(bytes.len(), Ordering::Relaxed);
        Ok(Some(PyBytes::new(value.py(), &bytes)))
    }
}

impl Shape {
    fn read(told: &Bound<'_, PyAny>) -> PyResult<Self> {
        let part = |name: &str| Ok::<_, PyErr>(Some(told.getattr(name)?).filter(|part| !part.is_none()));
        let boxed =
            |part: Option<Bound<'_, PyAny>>| part.map(|part| Self::read(&part).map(Box::new)).transpose();
        Ok(Self {
            scalars: told.getattr("scalars")?.extract()?,
            items: boxed(part("items")?)?,
            values: boxed(part("values")?)?,
            model: part("model")?.map(|model| Model::read(&model).map(Box::new)).transpose()?,
        })
    }

    /// Writes a value; false if it is not of this shape. The depth is that of the type, which has an end.
    fn write(&self, bytes: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let may_be = |scalar| self.scalars & scalar != 0;
        if let Some(model) = &self.model
            && value.get_type_ptr() == model.class.as_ptr().cast()
        {
            return model.write(bytes, value);
        }
        if let Ok(text) = value.cast_exact::<PyString>() {
            if may_be(TEXT) {
                write_text(bytes, text.to_str()?);
            }
            return Ok(may_be(TEXT));
        }
        if let Ok(number) = value.cast_exact::<PyInt>() {
            return Ok(may_be(INTEGER) && integer(bytes, number));
        }
        if let Ok(number) = value.cast_exact::<PyFloat>() {
            write_float(bytes, number.value());
            return Ok(may_be(FLOAT));
        }
        if let Ok(truth) = value.cast_exact::<PyBool>() {
            bytes.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
            return Ok(may_be(BOOLEAN));
        }
        if value.is_none() {
            bytes.extend_from_slice(b"null");
            return Ok(may_be(NONE));
        }
        if let (Some(shape), Ok(list)) = (&self.items, value.cast_exact::<PyList>()) {
            return shape.write_list(bytes, list);
        }
        if let (Some(shape), Ok(dict)) = (&self.values, value.cast_exact::<PyDict>()) {
            return shape.write_dict(bytes, dict);
        }
        Ok(false)
    }

    fn write_list(&self, bytes: &mut Vec<u8>, list: &Bound<'_, PyList>) -> PyResult<bool> {
        bytes.push(b'[');
        for (position, item) in list.iter().enumerate() {
            if position > 0 {
                bytes.push(b',');
            }
            if !self.write(bytes, &item)? {
                return Ok(false);
            }
        }
        bytes.push(b']');
        Ok(true)
    }

    fn write_dict(&self, bytes: &mut Vec<u8>, dict: &Bound<'_, PyDict>) -> PyResult<bool> {
        bytes.push(b'{');
        let (size, mut position, mut is_first) = (dict.len(), 0, true);
        while let Some((key, value)) = next_pair(dict, &mut position) {
            let Ok(key) = key.cast_exact::<PyString>() else { return Ok(false) };
            if !std::mem::take(&mut is_first) {
                bytes.push(b',');
            }
            write_text(bytes, key.to_str()?);
            bytes.push(b':');
            // Whatever changes it meanwhile, what was written is not what it is.
            if !self.write(bytes, &value)? || dict.len() != size {
                return Ok(false);
            }
        }
        bytes.push(b'}');
        Ok(true)
    }
}

impl Model {
    fn read(told: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = told.py();
        let mut fields = Vec::new();
        for field in told.getattr("fields")?.try_iter()? {
            let field = field?;
            let mut before = if fields.is_empty() { Vec::new() } else { b",".to_vec() };
            write_text(&mut before, &field.getattr("key")?.extract::<String>()?);
            before.push(b':');
            fields.push(Field {
                name: PyString::intern(py, &field.getattr("name")?.extract::<String>()?).unbind(),
                before,
                shape: Shape::read(&field.getattr("shape")?)?,
            });
        }
        Ok(Self { class: told.getattr("class_")?.cast_into::<PyType>()?.unbind(), fields })
    }

    fn write(&self, bytes: &mut Vec<u8>, model: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Some(dict) = attributes_of(model) else { return Ok(false) };
        let mut position = 0;
        bytes.push(b'{');
        for field in &self.fields {
            bytes.extend_from_slice(&field.before);
            let Some(value) = value_of(&dict, &mut position, &field.name)? else { return Ok(false) };
            if !field.shape.write(bytes, &value)? {
                return Ok(false);
            }
        }
        bytes.push(b'}');
        Ok(true)
    }
}

/// Whether it is a number of 64 bits; larger ones are for pydantic.
fn integer(bytes: &mut Vec<u8>, number: &Bound<'_, PyInt>) -> bool {
    match number.extract::<i64>() {
        Ok(number) => {
            write_integer(bytes, number);
            true
        }
        Err(_) => false,
    }
}
