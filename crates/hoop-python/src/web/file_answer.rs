//! How a request for a file is answered, by its conditions and ranges (RFC 9110 sections 13 and 14).

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use hoop_http::{
    ByteRanges, EntityTag, Outcome, Part, Preconditions, Requested, Validators, range_applies,
    requested_parts,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

type Field<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Status, headers to set, pieces and what stands behind them; a piece is what stands before it, where it
/// begins in the file, and how long it is.
struct Answer<'py>(u16, Vec<Field<'py>>, Vec<(Bound<'py, PyBytes>, u64, u64)>, Bound<'py, PyBytes>);

/// Answers a GET or HEAD with a file of this size, tag, time (in seconds since 1970) and type.
#[pyfunction]
pub fn answer_file<'py>(
    py: Python<'py>,
    headers: Vec<Field<'py>>,
    size: u64,
    tag: &[u8],
    modified: Option<u64>,
    is_settled: bool,
    content_type: &str,
) -> PyResult<Bound<'py, PyTuple>> {
    let current = Validators { tag: EntityTag::parse(tag), modified, is_settled };
    let [matches, none_match, since, until] =
        ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
            .map(|name| joined(&headers, name.as_bytes()));
    let conditions = Preconditions {
        if_match: matches.as_deref(),
        if_none_match: none_match.as_deref(),
        if_modified_since: since.as_deref(),
        if_unmodified_since: until.as_deref(),
    };
    let bytes = |text: &str| PyBytes::new(py, text.as_bytes());
    let field = |name: &str, value: &str| (bytes(name), bytes(value));
    let empty = |status, fields| Answer(status, fields, Vec::new(), bytes(""));
    let answer = match conditions.outcome(&current, true) {
        Outcome::NotModified => empty(304, Vec::new()),
        Outcome::Failed => empty(412, Vec::new()),
        Outcome::Proceed => match requested(&headers, size, &current) {
            Requested::Nothing => empty(416, vec![field("content-range", &format!("bytes */{size}"))]),
            Requested::Whole => {
                let length = field("content-length", &size.to_string());
                Answer(200, vec![length], vec![(bytes(""), 0, size)], bytes(""))
            }
            Requested::One(part) => {
                let length = field("content-length", &part.length.to_string());
                let range = field("content-range", &part.content_range(size));
                Answer(206, vec![length, range], vec![(bytes(""), part.from, part.length)], bytes(""))
            }
            Requested::Several(parts) => {
                let around = ByteRanges::around(&parts, size, content_type, &boundary());
                let length = field("content-length", &around.length.to_string());
                let kind = field("content-type", &around.content_type);
                let piece = |(part, head): (&Part, &String)| (bytes(head), part.from, part.length);
                let pieces = parts.iter().zip(&around.heads).map(piece).collect();
                Answer(206, vec![length, kind], pieces, bytes(&around.end))
            }
        },
    };
    (answer.0, answer.1, answer.2, answer.3).into_pyobject(py)
}

/// A field of a request; its lines, if there are several, as one (RFC 9110 section 5.3).
fn joined<'a>(headers: &'a [Field<'_>], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.iter().filter(|(known, _)| known.as_bytes() == name);
    let (_, first) = lines.next()?;
    let join =
        |joined: Cow<'a, [u8]>, line: &Field<'_>| Cow::Owned([&*joined, line.1.as_bytes()].join(&b", "[..]));
    Some(lines.fold(Cow::Borrowed(first.as_bytes()), join))
}

fn requested(headers: &[Field<'_>], size: u64, current: &Validators<'_>) -> Requested {
    let mut ranges = headers.iter().filter(|(name, _)| name.as_bytes() == b"range");
    // A field that is there twice is no range that could be understood.
    let (Some((_, range)), None) = (ranges.next(), ranges.next()) else { return Requested::Whole };
    if !range_applies(joined(headers, b"if-range").as_deref(), current) {
        return Requested::Whole;
    }
    requested_parts(range.as_bytes(), size)
}

/// What no file has in it but by intent, and nobody knows in advance.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// The media type of a file, by its name.
#[pyfunction]
pub fn content_type_of(name: &str) -> &'static str {
    hoop_http::content_type_of(name.as_bytes())
}

/// A percent-encoded path as names that are safe to look up in a folder; None for any other.
#[pyfunction]
pub fn relative_path<'py>(py: Python<'py>, encoded: &str, takes_hidden: bool) -> Option<Bound<'py, PyBytes>> {
    hoop_http::relative_path(encoded, takes_hidden).ok().map(|path| PyBytes::new(py, &path))
}
