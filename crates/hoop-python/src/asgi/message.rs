//! Messages that an application sends, checked before anything of them reaches the network.

use bytes::Bytes;
use hoop_asgi::{Fault, check_close};
use hoop_net::Message;
use http::StatusCode;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL,
};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyIterator, PyList, PyMemoryView, PyString, PyTuple};

/// Bodies up to this size are copied: cheaper than keeping the Python object alive.
const COPY_UP_TO: usize = 2048;

/// A message as the dict that it is.
fn dict_of<'a, 'py>(message: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyDict>> {
    message
        .cast()
        .map_err(|_| PyTypeError::new_err(format!("an ASGI message is a dict, not {}", type_name(message))))
}

/// The type of a message.
fn kind_of<'py>(kind: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyString>> {
    let Some(kind) = kind else {
        return Err(PyValueError::new_err("an ASGI message needs a 'type'"));
    };
    kind.cast_into()
        .map_err(|error| PyTypeError::new_err(format!("the 'type' of an ASGI message is a str: {error}")))
}

/// The message as a dict, and its type.
pub fn dict_and_type<'a, 'py>(
    message: &'a Bound<'py, PyAny>,
) -> PyResult<(&'a Bound<'py, PyDict>, Bound<'py, PyString>)> {
    let dict = dict_of(message)?;
    let kind = kind_of(dict.get_item(intern!(message.py(), "type"))?)?;
    Ok((dict, kind))
}

/// A message of an HTTP application, or of a WebSocket's that answers by HTTP, gone through once: to look each key up would cost three times as much.
pub struct HttpMessage<'a, 'py> {
    pub dict: &'a Bound<'py, PyDict>,
    pub kind: Bound<'py, PyString>,
    status: Option<Bound<'py, PyAny>>,
    headers: Option<Bound<'py, PyAny>>,
    body: Option<Bound<'py, PyAny>>,
    more_body: Option<Bound<'py, PyAny>>,
}

impl<'a, 'py> HttpMessage<'a, 'py> {
    pub fn read(message: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        let (py, dict) = (message.py(), dict_of(message)?);
        let keys = [
            intern!(py, "type"),
            intern!(py, "status"),
            intern!(py, "headers"),
            intern!(py, "body"),
            intern!(py, "more_body"),
        ];
        let mut values = [const { None }; 5];
        let mut found = 0;
        for (key, value) in dict {
            // Keys that are written in a program are interned: the very objects that are looked for.
            if let Some((_, slot)) = keys.iter().zip(&mut values).find(|(known, _)| known.is(&key)) {
                *slot = Some(value);
                found += 1;
            }
        }
        if found < dict.len() {
            // What is left may be others, or the same made at run time.
            for (key, slot) in keys.iter().zip(&mut values).filter(|(_, slot)| slot.is_none()) {
                *slot = dict.get_item(key)?;
            }
        }
        let [kind, status, headers, body, more_body] = values;
        Ok(Self { dict, kind: kind_of(kind)?, status, headers, body, more_body })
    }

    /// The status of 'http.response.start'.
    pub fn status(&self) -> PyResult<StatusCode> {
        self.status
            .as_ref()
            .map_or_else(|| Err(PyValueError::new_err("'http.response.start' needs a 'status'")), status_of)
    }

    /// The headers of 'http.response.start'.
    pub fn headers(&self) -> PyResult<HeaderMap> {
        headers_if_any(self.headers.as_ref())
    }

    /// The body of 'http.response.body', missing or None counting as empty.
    pub fn body(&self) -> PyResult<Bytes> {
        let what = "'body' of an ASGI message";
        self.body.as_ref().map_or_else(|| Ok(Bytes::new()), |body| bytes_of(body, what))
    }

    /// Whether another 'http.response.body' follows this one.
    pub fn more_body(&self) -> PyResult<bool> {
        self.more_body.as_ref().map_or(Ok(false), PyAnyMethods::is_truthy)
    }
}

/// The exception for a breach of the protocol.
pub fn fault(fault: Fault) -> PyErr {
    match fault {
        Fault::CloseCode(_) | Fault::CloseReason(_) => PyValueError::new_err(fault.to_string()),
        _ => PyRuntimeError::new_err(fault.to_string()),
    }
}

/// Shows a value in an error message.
fn shown(value: &Bound<'_, PyAny>) -> String {
    value.repr().map_or_else(|_| type_name(value), |text| text.to_string())
}

/// Names a type in an error message.
fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string())
}

/// A status, if it is one.
pub fn status_of(status: &Bound<'_, PyAny>) -> PyResult<StatusCode> {
    let wrong = || {
        PyValueError::new_err(format!(
            "'http.response.start': status is an int from 200 to 999, not {}",
            shown(status)
        ))
    };
    let number: u16 = status.extract().map_err(|_| wrong())?;
    // 1xx is no final response (RFC 9110 section 15.2).
    if number < 200 {
        return Err(wrong());
    }
    StatusCode::from_u16(number).map_err(|_| wrong())
}

/// Whether 'http.response.start' announces trailers.
pub fn trailers(message: &Bound<'_, PyDict>) -> PyResult<bool> {
    is_set(message, intern!(message.py(), "trailers"))
}

/// Whether another 'http.response.trailers' follows this one.
pub fn more_trailers(message: &Bound<'_, PyDict>) -> PyResult<bool> {
    is_set(message, intern!(message.py(), "more_trailers"))
}

/// The links of 'http.response.early_hint'.
pub fn links(message: &Bound<'_, PyDict>) -> PyResult<Vec<HeaderValue>> {
    let Some(links) = message.get_item(intern!(message.py(), "links"))? else {
        return Err(PyValueError::new_err("'http.response.early_hint' needs 'links'"));
    };
    let mut values = Vec::new();
    for link in links.try_iter()? {
        let link = link?;
        let Ok(bytes) = link.cast::<PyBytes>() else {
            return Err(PyTypeError::new_err(format!(
                "'links' of 'http.response.early_hint' are bytes, not {}",
                type_name(&link)
            )));
        };
        values.push(header_value(b"link", bytes.as_bytes())?);
    }
    Ok(values)
}

/// The message of 'websocket.send'.
pub fn websocket_send(message: &Bound<'_, PyDict>) -> PyResult<Message> {
    let py = message.py();
    let present = |key| -> PyResult<Option<Bound<'_, PyAny>>> {
        Ok(message.get_item(key)?.filter(|value| !value.is_none()))
    };
    match (present(intern!(py, "text"))?, present(intern!(py, "bytes"))?) {
        (Some(text), None) => Ok(Message::Text(text_of(&text, "'text' of 'websocket.send'")?)),
        (None, Some(bytes)) => Ok(Message::Binary(bytes_of(&bytes, "'bytes' of 'websocket.send'")?)),
        (None, None) => Err(PyValueError::new_err("'websocket.send' needs 'text' or 'bytes'")),
        (Some(_), Some(_)) => {
            Err(PyValueError::new_err("'websocket.send' takes 'text' or 'bytes', not both in one message"))
        }
    }
}

/// Code and reason of 'websocket.close'.
pub fn websocket_close(message: &Bound<'_, PyDict>) -> PyResult<(u16, String)> {
    let py = message.py();
    let code = match message.get_item(intern!(py, "code"))? {
        Some(code) => code
            .extract()
            .map_err(|_| PyTypeError::new_err("'code' of 'websocket.close' is an int from 1000 to 4999"))?,
        None => 1000,
    };
    let reason = match message.get_item(intern!(py, "reason"))?.filter(|reason| !reason.is_none()) {
        Some(reason) => text_of(&reason, "'reason' of 'websocket.close'")?,
        None => String::new(),
    };
    check_close(code, &reason).map_err(fault)?;
    Ok((code, reason))
}

/// The headers of 'websocket.accept', the chosen subprotocol among them.
pub fn websocket_accept(message: &Bound<'_, PyDict>) -> PyResult<HeaderMap> {
    let py = message.py();
    let mut headers = headers(message)?;
    let chosen = message.get_item(intern!(py, "subprotocol"))?.filter(|chosen| !chosen.is_none());
    if let Some(chosen) = chosen {
        let name = text_of(&chosen, "'subprotocol' of 'websocket.accept'")?;
        // A token (RFC 6455 section 4.1), and so certainly a valid header value.
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(PyValueError::new_err(format!(
                "'subprotocol' of 'websocket.accept': {name:?} is not a token (RFC 6455 section 4.1)"
            )));
        }
        if let Ok(value) = HeaderValue::from_str(&name) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
    }
    Ok(headers)
}

fn text_of(value: &Bound<'_, PyAny>, what: &str) -> PyResult<String> {
    let Ok(text) = value.cast::<PyString>() else {
        return Err(PyTypeError::new_err(format!("{what} is a str, not {}", type_name(value))));
    };
    Ok(text.to_str()?.to_owned())
}

/// The headers of a response start or a WebSocket accept.
pub fn headers(message: &Bound<'_, PyDict>) -> PyResult<HeaderMap> {
    headers_if_any(message.get_item(intern!(message.py(), "headers"))?.as_ref())
}

fn headers_if_any(pairs: Option<&Bound<'_, PyAny>>) -> PyResult<HeaderMap> {
    pairs.filter(|pairs| !pairs.is_none()).map_or_else(|| Ok(HeaderMap::new()), headers_of)
}

/// Pairs of bytes as headers.
pub fn headers_of(pairs: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::new();
    if let Ok(list) = pairs.cast::<PyList>() {
        for pair in list {
            append_header(&mut map, &pair)?;
        }
    } else {
        for pair in pairs.try_iter()? {
            append_header(&mut map, &pair?)?;
        }
    }
    Ok(map)
}

fn append_header(map: &mut HeaderMap, pair: &Bound<'_, PyAny>) -> PyResult<()> {
    // Nearly always a tuple, whose items can be looked at without taking them out.
    if let Ok(tuple) = pair.cast::<PyTuple>()
        && let [name, value] = tuple.as_slice()
        && let (Ok(name), Ok(value)) = (name.cast::<PyBytes>(), value.cast::<PyBytes>())
    {
        return append_checked(map, name.as_bytes(), value.as_bytes());
    }
    let wrong = |_: PyErr| {
        PyTypeError::new_err(format!("a header is a pair of bytes (name, value), not {}", shown(pair)))
    };
    let (name, value): (Bound<'_, PyBytes>, Bound<'_, PyBytes>) =
        pair.try_iter().and_then(two_of).map_err(wrong)?;
    append_checked(map, name.as_bytes(), value.as_bytes())
}

/// Both items of an iterable that has two.
fn two_of<'py>(mut items: Bound<'py, PyIterator>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let count = || PyValueError::new_err("not a pair");
    let name = items.next().ok_or_else(count)??.cast_into()?;
    let value = items.next().ok_or_else(count)??.cast_into()?;
    match items.next() {
        None => Ok((name, value)),
        Some(_) => Err(count()),
    }
}

fn append_checked(map: &mut HeaderMap, name: &[u8], value: &[u8]) -> PyResult<()> {
    // What every response has, written as frameworks write it.
    let header = match name {
        b"content-type" => CONTENT_TYPE,
        b"content-length" => CONTENT_LENGTH,
        _ => HeaderName::from_bytes(name)
            .map_err(|_| PyValueError::new_err(format!("{} is not a valid header name", quoted(name))))?,
    };
    let value = match Some(value).filter(|_| header == CONTENT_TYPE).and_then(common_value) {
        Some(common) => common,
        None => header_value(name, value)?,
    };
    map.append(header, value);
    Ok(())
}

/// What most responses are: known to be well formed, and not copied.
fn common_value(content_type: &[u8]) -> Option<HeaderValue> {
    Some(HeaderValue::from_static(match content_type {
        b"application/json" => "application/json",
        b"text/html; charset=utf-8" => "text/html; charset=utf-8",
        b"text/plain; charset=utf-8" => "text/plain; charset=utf-8",
        b"text/html" => "text/html",
        b"text/plain" => "text/plain",
        _ => return None,
    }))
}

#[inline]
fn header_value(name: &[u8], value: &[u8]) -> PyResult<HeaderValue> {
    HeaderValue::from_bytes(value).map_err(|_| {
        PyValueError::new_err(format!(
            "header {}: the value {} contains a control character (a line break would let it forge headers)",
            quoted(name),
            quoted(value)
        ))
    })
}

/// Bytes as Python would show them, cut where they get long.
fn quoted(bytes: &[u8]) -> String {
    let shown = bytes.get(..80).unwrap_or(bytes);
    format!("b'{}'", shown.escape_ascii())
}

/// The length that the headers declare, if they do.
pub fn declared_length(headers: &HeaderMap) -> PyResult<Option<u64>> {
    let mut declared = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let digits = value.as_bytes();
        let length = decimal(digits);
        if length.is_none() || declared.is_some_and(|known| Some(known) != length) {
            return Err(PyValueError::new_err(format!(
                "header content-length: {} is not one decimal number",
                quoted(digits)
            )));
        }
        declared = length;
    }
    Ok(declared)
}

/// A number in digits alone, which `parse` is more generous about.
fn decimal(digits: &[u8]) -> Option<u64> {
    let next = |number: u64, digit: &u8| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, next) }
}

fn is_set(message: &Bound<'_, PyDict>, key: &Bound<'_, PyString>) -> PyResult<bool> {
    message.get_item(key)?.map_or(Ok(false), |value| value.is_truthy())
}

/// Bytes of any kind; `what` names them in an error.
pub fn bytes_of(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Bytes> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        let length = bytes.as_bytes().len();
        if length <= COPY_UP_TO {
            return Ok(Bytes::copy_from_slice(bytes.as_bytes()));
        }
        return Ok(Bytes::from_owner(PyBackedBytes::from(bytes.clone())));
    }
    if let Ok(array) = value.cast::<PyByteArray>() {
        return Ok(Bytes::from(array.to_vec()));
    }
    if value.is_instance_of::<PyMemoryView>() {
        let copy = value.py().get_type::<PyBytes>().call1((value,))?.cast_into::<PyBytes>()?;
        return Ok(Bytes::from_owner(PyBackedBytes::from(copy)));
    }
    if value.is_none() {
        return Ok(Bytes::new());
    }
    Err(PyTypeError::new_err(format!("{what} is bytes, not {}", type_name(value))))
}
