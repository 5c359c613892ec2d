//! The response with a file, by the conditions and ranges of its request.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hoop_http::{
    ByteRanges, EntityTag, Outcome, Part, Preconditions, Preferences, Requested, Validators, range_applies,
    requested_parts,
};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;

use super::entry::{Entry, Facts, Opened, Variant, sibling_of};
use super::{Mount, StaticFiles};
use crate::body::ResponseBody;
use crate::file_part::FilePart;

/// Answers with a file that was found.
pub fn reply<B>(
    files: &StaticFiles,
    mount: &Mount,
    entry: &Rc<Entry>,
    opened: Opened,
    request: &Request<B>,
) -> Result<Response<ResponseBody>, Replaced> {
    let asked = request.headers();
    let (place, variant) = choose(entry, asked).ok_or(Replaced)?;
    match outcome(variant, asked) {
        Outcome::Proceed => {}
        Outcome::NotModified => return Ok(not_modified(variant)),
        Outcome::Failed => return Ok(refusal(StatusCode::PRECONDITION_FAILED)),
    }
    if request.method() == Method::HEAD {
        let mut response = with_headers(StatusCode::OK, variant, ResponseBody::from(""));
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(variant.facts.size));
        return Ok(response);
    }
    let requested = requested(variant, asked);
    if requested == Requested::Nothing {
        return Ok(unsatisfiable(variant));
    }
    let kept = variant.content.borrow().clone();
    let source = match kept {
        Some(content) => Source::Memory(content),
        None => Source::open(files, mount, entry, variant, opened.take(place))?,
    };
    Ok(match requested {
        Requested::One(part) => one_part(variant, part, source),
        Requested::Several(parts) => several_parts(variant, &parts, source),
        Requested::Whole | Requested::Nothing => {
            let whole = Part { from: 0, length: variant.facts.size };
            with_headers(StatusCode::OK, variant, source.body(whole))
        }
    })
}

fn choose<'a>(entry: &'a Entry, asked: &HeaderMap) -> Option<(usize, &'a Variant)> {
    let coding = match entry.variants.len() {
        1 => None,
        _ => {
            let offered = entry.variants.iter().filter_map(|variant| variant.coding);
            Preferences::parse(&joined(asked, &ACCEPT_ENCODING).unwrap_or_default()).choose(offered)
        }
    };
    entry.variants.iter().enumerate().find(|(_, variant)| variant.coding == coding)
}

/// A field of a request; its lines, if there are several, as one (RFC 9110 section 5.3).
pub(crate) fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?.as_bytes();
    Some(
        lines.fold(Cow::Borrowed(first), |joined, line| {
            Cow::Owned([&joined, line.as_bytes()].join(&b", "[..]))
        }),
    )
}

fn validators(variant: &Variant) -> Validators<'_> {
    Validators {
        tag: variant.headers.get(ETAG).and_then(|tag| EntityTag::parse(tag.as_bytes())),
        modified: variant.modified,
        is_settled: variant.is_settled,
    }
}

fn outcome(variant: &Variant, asked: &HeaderMap) -> Outcome {
    let conditions = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
    let [matches, none_match, since, until] = conditions.map(|name| joined(asked, &name));
    let conditions = Preconditions {
        if_match: matches.as_deref(),
        if_none_match: none_match.as_deref(),
        if_modified_since: since.as_deref(),
        if_unmodified_since: until.as_deref(),
    };
    conditions.outcome(&validators(variant), true)
}

fn requested(variant: &Variant, asked: &HeaderMap) -> Requested {
    // A field that is there twice is no range that could be understood.
    let mut ranges = asked.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Requested::Whole };
    if !range_applies(joined(asked, &IF_RANGE).as_deref(), &validators(variant)) {
        return Requested::Whole;
    }
    requested_parts(range.as_bytes(), variant.facts.size)
}

/// Where the bytes come from.
enum Source {
    Memory(Bytes),
    File(Arc<File>),
}

/// The file is another one than a moment ago.
pub struct Replaced;

impl Source {
    fn open(
        files: &StaticFiles,
        mount: &Mount,
        entry: &Rc<Entry>,
        variant: &Variant,
        opened: Option<File>,
    ) -> Result<Self, Replaced> {
        let is_known = |file: &File| file.metadata().is_ok_and(|found| Facts::of(&found) == variant.facts);
        let file = match opened {
            Some(file) => file,
            None => {
                let name = sibling_of(&entry.name, variant.coding);
                let found = mount.folder.open(&name, Instant::now()).ok().filter(is_known);
                found.ok_or(Replaced)?
            }
        };
        let (file, size) = (Arc::new(file), variant.facts.size);
        // Of what has just been written the next version may look the same.
        if variant.is_settled
            && files.shelf.takes(size)
            && let Some(content) = FilePart::new(file.clone(), 0, size).read_whole()
            && is_known(&file)
        {
            files.shelf.keep(entry, variant, &content);
            return Ok(Self::Memory(content));
        }
        Ok(Self::File(file))
    }

    fn body(self, part: Part) -> ResponseBody {
        match self {
            Self::Memory(content) => ResponseBody::Whole(slice(&content, part)),
            Self::File(file) => {
                let (sender, body) = ResponseBody::stream(Some(part.length));
                sender.push(FilePart::new(file, part.from, part.length));
                sender.finish();
                body
            }
        }
    }
}

/// A part of what is in memory, which has it.
fn slice(content: &Bytes, part: Part) -> Bytes {
    let from = usize::try_from(part.from).map_or(content.len(), |from| from.min(content.len()));
    let length = usize::try_from(part.length).unwrap_or(usize::MAX).min(content.len() - from);
    content.slice(from..from + length)
}

fn with_headers(status: StatusCode, variant: &Variant, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = variant.headers.clone();
    response
}

/// RFC 9110 section 15.4.5: what the response would have said of the version, and no more.
fn not_modified(variant: &Variant) -> Response<ResponseBody> {
    let mut response = with_headers(StatusCode::NOT_MODIFIED, variant, ResponseBody::from(""));
    for name in [CONTENT_TYPE, CONTENT_ENCODING, ACCEPT_RANGES, X_CONTENT_TYPE_OPTIONS] {
        response.headers_mut().remove(name);
    }
    response
}

fn unsatisfiable(variant: &Variant) -> Response<ResponseBody> {
    let mut response = refusal(StatusCode::RANGE_NOT_SATISFIABLE);
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{}", variant.facts.size)) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

fn one_part(variant: &Variant, part: Part, source: Source) -> Response<ResponseBody> {
    let mut response = with_headers(StatusCode::PARTIAL_CONTENT, variant, source.body(part));
    if let Ok(value) = HeaderValue::try_from(part.content_range(variant.facts.size)) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

/// RFC 9110 section 14.6.
fn several_parts(variant: &Variant, parts: &[Part], source: Source) -> Response<ResponseBody> {
    let kind = variant.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let around = ByteRanges::around(parts, variant.facts.size, kind, &boundary());
    let (sender, body) = ResponseBody::stream(Some(around.length));
    for (part, head) in parts.iter().zip(around.heads) {
        sender.push(Bytes::from(head));
        match &source {
            Source::Memory(content) => sender.push(slice(content, *part)),
            Source::File(file) => sender.push(FilePart::new(file.clone(), part.from, part.length)),
        }
    }
    sender.push(Bytes::from(around.end));
    sender.finish();
    let mut response = with_headers(StatusCode::PARTIAL_CONTENT, variant, body);
    if let Ok(value) = HeaderValue::try_from(around.content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// What no file has in it but by intent, and nobody knows in advance.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// A folder was named without its slash, and the links in its index would lead elsewhere.
pub fn moved(root_path: &str, uri: &Uri) -> Result<Response<ResponseBody>, StatusCode> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{root_path}{}/{query}", uri.path());
    let target = HeaderValue::try_from(target.into_bytes()).map_err(|_| StatusCode::NOT_FOUND)?;
    let mut response = refusal(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(LOCATION, target);
    Ok(response)
}

/// A response without a file.
pub fn refusal(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(status.canonical_reason().unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
