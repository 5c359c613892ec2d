//! A parameter as Python declares it, made into what `hoop_route` reads, and its value into an object.

use hoop_route::{Argument, Bounds, Choices, Length, Number, Parameter, Place, Scalar, Shape, Value};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString};

/// `hoopsnake.web._parameters.Declared`: one parameter of a handler or of what it depends on.
#[derive(FromPyObject)]
pub struct Declared {
    /// "path", "query", "header" or "cookie".
    place: String,
    /// Its name there.
    name: String,
    /// "str", "int", "float", "bool", "choice" or "unchecked".
    kind: String,
    /// Whether it takes several values.
    many: bool,
    required: bool,
    /// What the handler gets where there is none.
    default: Py<PyAny>,
    gt: Option<Py<PyAny>>,
    ge: Option<Py<PyAny>>,
    lt: Option<Py<PyAny>>,
    le: Option<Py<PyAny>>,
    multiple_of: Option<Py<PyAny>>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    allow_inf_nan: bool,
    /// For a choice: the texts, the objects that they stand for, and how a complaint lists them.
    choices: Vec<(String, Py<PyAny>)>,
    expected: String,
    of_enumeration: bool,
}

/// What Python gets for the values of a parameter.
pub struct Objects {
    default: Py<PyAny>,
    choices: Vec<Py<PyAny>>,
}

impl Declared {
    /// The parameter of a plan, and the objects of its values. `path_names` are the pattern's.
    pub fn into_parts(self, py: Python<'_>, path_names: &[String]) -> PyResult<(Parameter, Objects)> {
        let place = match self.place.as_str() {
            "path" => {
                Place::Path(path_names.iter().position(|name| *name == self.name).ok_or_else(|| {
                    PyValueError::new_err(format!("the path has no parameter {:?}", self.name))
                })?)
            }
            "query" => Place::Query,
            "header" => Place::Header,
            "cookie" => Place::Cookie,
            other => return Err(PyValueError::new_err(format!("a parameter cannot stand in {other:?}"))),
        };
        let length = Length { least: self.min_length, most: self.max_length };
        // Of several values the length is how many there are.
        let text_length = if self.many { Length::default() } else { length };
        let scalar = self.scalar(py, text_length)?;
        let shape = if self.many { Shape::Many(scalar, length) } else { Shape::One(scalar) };
        let choices = self.choices.into_iter().map(|(_, object)| object).collect();
        let parameter = Parameter { place, name: self.name.into(), shape, required: self.required };
        Ok((parameter, Objects { default: self.default, choices }))
    }

    fn scalar(&self, py: Python<'_>, length: Length) -> PyResult<Scalar> {
        Ok(match self.kind.as_str() {
            "str" => Scalar::Text(length),
            "int" => Scalar::Integer(self.bounds(py)?),
            "float" => Scalar::Float { bounds: self.bounds(py)?, infinite: self.allow_inf_nan },
            "bool" => Scalar::Boolean,
            "choice" => Scalar::Choice(Choices::new(
                self.choices.iter().map(|(text, _)| text.as_str()),
                &self.expected,
                self.of_enumeration,
            )),
            "unchecked" => Scalar::Unchecked,
            other => return Err(PyValueError::new_err(format!("there is no kind {other:?} of parameters"))),
        })
    }

    fn bounds(&self, py: Python<'_>) -> PyResult<Bounds> {
        let number =
            |bound: &Option<Py<PyAny>>| bound.as_ref().map(|bound| number(bound.bind(py))).transpose();
        Ok(Bounds {
            above: number(&self.gt)?,
            least: number(&self.ge)?,
            below: number(&self.lt)?,
            most: number(&self.le)?,
            multiple_of: number(&self.multiple_of)?,
        })
    }
}

fn number(bound: &Bound<'_, PyAny>) -> PyResult<Number> {
    Ok(if bound.is_instance_of::<PyInt>() {
        Number::Integer(bound.extract()?)
    } else {
        Number::Float(bound.extract()?)
    })
}

impl Objects {
    /// The object that the handler gets.
    pub fn argument<'py>(&self, py: Python<'py>, argument: Argument<'_>) -> PyResult<Bound<'py, PyAny>> {
        match argument {
            Argument::Absent => Ok(self.default.bind(py).clone()),
            Argument::One(value) => self.value(py, value),
            Argument::Many(values) => {
                let list = PyList::empty(py);
                for value in values {
                    list.append(self.value(py, value)?)?;
                }
                Ok(list.into_any())
            }
        }
    }

    fn value<'py>(&self, py: Python<'py>, value: Value<'_>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match value {
            Value::Text(text) => PyString::new(py, &text).into_any(),
            Value::Integer(number) => PyInt::new(py, number).into_any(),
            Value::LargeInteger(digits) => py.get_type::<PyInt>().call1((digits,))?,
            Value::Float(number) => PyFloat::new(py, number).into_any(),
            Value::Boolean(truth) => PyBool::new(py, truth).to_owned().into_any(),
            Value::Choice(place) => match self.choices.get(place) {
                Some(choice) => choice.bind(py).clone(),
                None => self.default.bind(py).clone(),
            },
        })
    }
}
