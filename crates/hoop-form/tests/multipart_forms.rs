//! Whole forms, in chunks of any size: what is read of them, and what is refused where.

use hoop_form::{Entry, Event, Flaw, Form, FormKind, Limits, Multipart, PartHead, Problem, Value};
use proptest::prelude::*;

const BOUNDARY: &str = "----x";
const SIMPLE: &str = "------x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n\
    ------x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\n\
    two\r\n--\r\n------y\r\n\r\n------x--\r\n";

fn kind() -> FormKind {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    FormKind::of(content_type.as_bytes()).expect("a boundary").expect("a form")
}

/// A form in chunks of a size; large files are put together again.
fn read(body: &[u8], size: usize, limits: Limits) -> Result<Vec<Entry>, Flaw> {
    let mut form = Form::new(kind(), limits);
    let mut written: Vec<(usize, Vec<u8>)> = Vec::new();
    for chunk in body.chunks(size) {
        form.feed(chunk)?;
        for piece in form.overflow() {
            match written.iter_mut().find(|(entry, _)| *entry == piece.entry) {
                Some((_, bytes)) => bytes.extend(piece.bytes),
                None => written.push((piece.entry, piece.bytes)),
            }
        }
    }
    let mut entries = form.finish()?;
    for (number, entry) in entries.iter_mut().enumerate() {
        if let Value::File(file) = &mut entry.value {
            let content = file.content.take().unwrap_or_else(|| {
                written.iter().find(|(entry, _)| *entry == number).expect("what was written").1.clone()
            });
            assert_eq!(content.len() as u64, file.size);
            file.content = Some(content);
        }
    }
    Ok(entries)
}

fn whole(body: &str) -> Result<Vec<Entry>, Flaw> {
    read(body.as_bytes(), body.len().max(1), Limits::default())
}

fn texts(body: &str) -> Vec<(String, String)> {
    let entries = whole(body).expect(body);
    entries
        .into_iter()
        .map(|entry| match entry.value {
            Value::Text(text) => (entry.name, text),
            Value::File(file) => (
                entry.name,
                format!(
                    "{}:{}",
                    file.filename,
                    String::from_utf8_lossy(&file.content.expect("a small file"))
                ),
            ),
        })
        .collect()
}

fn field(name: &str, content: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
}

fn end() -> String {
    format!("--{BOUNDARY}--")
}

fn refused(body: &str, limits: Limits) -> (u64, Problem) {
    let flaw = read(body.as_bytes(), body.len().max(1), limits).expect_err(body);
    (flaw.at, flaw.problem)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn fields_and_files_are_read() {
    assert_eq!(texts(SIMPLE), [pair("a", "one"), pair("f", "f.txt:two\r\n--\r\n------y\r\n")]);
    let entries = whole(SIMPLE).expect("a form");
    let Value::File(file) = &entries[1].value else { panic!("no file") };
    assert_eq!(file.headers[1], (b"content-type".to_vec(), b"text/plain".to_vec()));
}

#[test]
fn what_stands_around_the_parts_says_nothing() {
    let body = format!("a preamble\r\n--\r\n{}{}\r\nan epilogue\r\n--{BOUNDARY}x", field("a", "1"), end());
    assert_eq!(texts(&body), [pair("a", "1")]);
    let padded = body.replacen("----x\r\n", "----x \t\r\n", 1);
    assert_eq!(texts(&padded), [pair("a", "1")]);
}

#[test]
fn a_part_may_be_empty_and_so_may_a_form() {
    assert_eq!(texts(&(field("a", "") + &end())), [pair("a", "")]);
    let touching = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=a\r\n\r\n--{BOUNDARY}--");
    assert_eq!(texts(&touching), [pair("a", "")]);
    assert_eq!(texts(&end()), []);
    assert_eq!(texts(""), []);
}

#[test]
fn what_is_broken_is_refused_with_its_place() {
    let none = Limits::default();
    let one = field("a", "1");
    let begin = |rest: &str| format!("--{BOUNDARY}{rest}");
    for (body, at, problem) in [
        ("no form at all".to_owned(), 0, Problem::NoBoundary),
        (format!("x--{BOUNDARY}\r\n"), 0, Problem::NoBoundary),
        ("x".repeat(20_000), 0, Problem::NoBoundary),
        (one.clone(), one.len() as u64, Problem::UnfinishedPart("a".into())),
        (begin(""), 7, Problem::Unfinished),
        (begin("-"), 8, Problem::Unfinished),
        (begin("\r\nContent-Dis"), 20, Problem::Unfinished),
        (begin("\n"), 7, Problem::AfterBoundary),
        (begin("x\r\n"), 7, Problem::AfterBoundary),
        (begin("-x"), 8, Problem::AfterBoundary),
        (begin("\rx"), 8, Problem::AfterBoundary),
        (begin("\r\n\r\nx"), 9, Problem::Disposition),
        (begin(&format!("\r\nx: {}", "y".repeat(20_000))), 9, Problem::HeadTooLong(16 * 1024)),
    ] {
        assert_eq!(refused(&body, none), (at, problem), "{body:?}");
    }
    let mut latin = field("a", "xyz").into_bytes();
    let at = latin.len() - 3;
    latin[at] = 0xff;
    latin.extend(end().into_bytes());
    let flaw = read(&latin, 7, none).expect_err("no UTF-8");
    assert_eq!((flaw.at, flaw.problem), (at as u64, Problem::Encoding("a".into())));
}

#[test]
fn there_are_limits() {
    let file = field("f", "12345678").replace("name=\"f\"", "name=\"f\"; filename=\"g\"");
    let limits = Limits { fields: 2, files: 1, field_size: 5, ..Limits::default() };
    let good = field("a", "12345") + &file + &field("b", "") + &end();
    assert!(read(good.as_bytes(), 3, limits).is_ok());
    let (one, begins) = (field("a", "1"), field("a", "1").len() as u64);
    assert_eq!(refused(&(one.repeat(3)), limits), (2 * begins + 9, Problem::TooManyFields(2)));
    assert_eq!(refused(&(file.repeat(2)), limits), (file.len() as u64 + 9, Problem::TooManyFiles(1)));
    let (at, problem) = refused(&field("a", "123456"), limits);
    assert_eq!((at, &problem), (begins - 3, &Problem::FieldTooLarge { name: "a".into(), most: 5 }));
    assert!(problem.is_size());
}

#[test]
fn large_files_are_handed_out_and_not_kept() {
    let limits = Limits { file_in_memory: 10, ..Limits::default() };
    let file = |content: &str| field("f", content).replace("name=\"f\"", "name=\"f\"; filename=\"g\"");
    let content = "0123456789abcdefghijklmnopq";
    let body = file("0123456789") + &file(content) + &end();
    for size in 1..body.len() {
        let mut form = Form::new(kind(), limits);
        let mut pieces = Vec::new();
        for chunk in body.as_bytes().chunks(size) {
            form.feed(chunk).expect("well formed");
            pieces.extend(form.overflow());
        }
        let entries = form.finish().expect("complete");
        let kept = |entry: &Entry| match &entry.value {
            Value::File(file) => file.content.clone(),
            Value::Text(_) => None,
        };
        assert_eq!((kept(&entries[0]), kept(&entries[1])), (Some(b"0123456789".to_vec()), None));
        assert!(pieces.iter().all(|piece| piece.entry == 1 && !piece.bytes.is_empty()));
        let written: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.bytes).collect();
        assert_eq!(written, content.as_bytes());
    }
}

#[test]
fn many_files_do_not_fill_the_memory() {
    let content = "x".repeat(Limits::SMALL_FILE + 1);
    let limits = Limits { files_in_memory: 3 * content.len(), ..Limits::default() };
    let file = |content: &str| field("f", content).replace("name=\"f\"", "name=\"f\"; filename=\"g\"");
    let body = file(&content).repeat(5) + &file("small") + &end();
    let mut form = Form::new(kind(), limits);
    form.feed(body.as_bytes()).expect("well formed");
    assert_eq!(form.overflow().iter().map(|piece| piece.entry).collect::<Vec<_>>(), [3, 4]);
    let entries = form.finish().expect("complete");
    assert!(matches!(&entries[5].value, Value::File(file) if file.content.as_deref() == Some(b"small")));
}

#[test]
fn so_many_files_may_be_on_disk_and_no_more() {
    let limits = Limits { file_in_memory: 4, files_on_disk: 2, ..Limits::default() };
    let file = |content: &str| field("f", content).replace("name=\"f\"", "name=\"f\"; filename=\"g\"");
    let refused = |count| {
        let mut form = Form::new(kind(), limits);
        let body = file("larger").repeat(count) + &file("tiny").repeat(5) + &end();
        form.feed(body.as_bytes()).err().map(|flaw| (flaw.problem.is_size(), flaw.to_string()))
    };
    assert_eq!(refused(2), None);
    let (is_size, told) = refused(3).expect("too many");
    assert!(is_size && told.starts_with("the form has more than 2 large files, at byte "), "{told}");
}

/// What may be mistaken for a boundary.
fn confusing() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> =
        vec![b"\r", b"\n", b"\r\n", b"-", b"--", b"--x", b"x", b"\r\n----", b"\r\r\n--", b"\xff"];
    prop::collection::vec(prop::sample::select(pieces), 0..20)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("the boundary", |bytes| {
            !bytes.starts_with(b"------x") && !bytes.windows(9).any(|window| window == b"\r\n------x")
        })
}

/// The head of a part, its data, and whether it has ended.
type Seen = (Option<PartHead>, Vec<u8>, bool);

/// The events of a form, with data that follows data put together.
fn events(body: &[u8], size: usize) -> (Vec<Seen>, Result<(), Flaw>) {
    let mut reader = Multipart::new(BOUNDARY.as_bytes(), Default::default(), Limits::default());
    let mut parts: Vec<Seen> = Vec::new();
    for chunk in body.chunks(size) {
        let fed = reader.feed(chunk, &mut |event| match event {
            Event::Part(head) => parts.push((Some(head), Vec::new(), false)),
            Event::Data(data) => parts.last_mut().expect("a part").1.extend_from_slice(data),
            Event::End => parts.last_mut().expect("a part").2 = true,
        });
        if fed.is_err() {
            return (parts, fed);
        }
    }
    let ended = reader.finish();
    (parts, ended)
}

proptest! {
    #[test]
    fn any_content_comes_back_however_it_is_cut(contents in prop::collection::vec(confusing(), 0..4), size in 1_usize..40) {
        let mut body = Vec::new();
        for content in &contents {
            body.extend(b"------x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n");
            body.extend(content);
            body.extend(b"\r\n");
        }
        body.extend(end().into_bytes());
        let (parts, ended) = events(&body, size);
        prop_assert_eq!(ended, Ok(()));
        prop_assert!(parts.iter().all(|part| part.2));
        prop_assert_eq!(parts.into_iter().map(|part| part.1).collect::<Vec<_>>(), contents);
    }

    #[test]
    fn how_it_is_cut_makes_no_difference(changes in prop::collection::vec((any::<prop::sample::Index>(), confusing()), 0..3), size in 1_usize..40) {
        let mut body = SIMPLE.as_bytes().to_vec();
        for (at, bytes) in changes {
            let at = at.index(body.len());
            body.splice(at..at, bytes);
        }
        prop_assert_eq!(events(&body, body.len()), events(&body, size));
        prop_assert_eq!(read(&body, body.len(), Limits::default()), read(&body, size, Limits::default()));
    }

    #[test]
    fn any_bytes_can_be_a_form(body: Vec<u8>, size in 1_usize..40) {
        let _ = read(&body, size, Limits::default());
    }
}
