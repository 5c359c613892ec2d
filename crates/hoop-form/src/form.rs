//! A form gathered as it arrives: fields as texts, files in memory or handed out in pieces.

use crate::charset::Charset;
use crate::flaw::{Flaw, Problem};
use crate::form_kind::FormKind;
use crate::limits::Limits;
use crate::multipart::{Event, Multipart};
use crate::part_head::{Headers, PartHead};
use crate::urlencoded::Urlencoded;

/// Of a file that does not stay in memory pieces of about so many bytes are handed out. Whoever writes them
/// on a thread waits for the interpreter with each.
const PIECE: usize = 1024 * 1024;

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: Value,
}

/// What a field says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A file.
    File(Upload),
}

/// A file of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// As the client calls it.
    pub filename: String,
    /// The headers of its part.
    pub headers: Headers,
    /// How many bytes it has.
    pub size: u64,
    /// All of it, or `None` if it was handed out in pieces.
    pub content: Option<Vec<u8>>,
}

/// A piece of a file that does not stay in memory, to be written behind those before it.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow {
    /// The number of its entry.
    pub entry: usize,
    /// What comes next.
    pub bytes: Vec<u8>,
}

/// A form that comes in chunks.
#[derive(Debug)]
pub struct Form {
    reader: Reader,
    gathered: Gathered,
}

#[derive(Debug)]
enum Reader {
    Multipart(Box<Multipart>),
    Urlencoded(Urlencoded),
}

#[derive(Debug)]
struct Gathered {
    limits: Limits,
    entries: Vec<Entry>,
    overflow: Vec<Overflow>,
    /// The content of the part at work that is not yet anywhere else.
    bytes: Vec<u8>,
    charset: Charset,
    begins: u64,
    /// Bytes of files that are complete and in memory.
    in_memory: usize,
    /// Files that are not.
    on_disk: usize,
}

impl Form {
    /// A form of a kind.
    pub fn new(kind: FormKind, limits: Limits) -> Self {
        let reader = match kind {
            FormKind::Multipart { boundary, charset } => {
                Reader::Multipart(Box::new(Multipart::new(&boundary, charset, limits)))
            }
            FormKind::Urlencoded(charset) => Reader::Urlencoded(Urlencoded::new(charset, limits)),
        };
        let gathered = Gathered {
            limits,
            entries: Vec::new(),
            overflow: Vec::new(),
            bytes: Vec::new(),
            charset: Charset::default(),
            begins: 0,
            in_memory: 0,
            on_disk: 0,
        };
        Self { reader, gathered }
    }

    /// Reads a chunk. After a flaw there is nothing more to be read.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Flaw> {
        let gathered = &mut self.gathered;
        match &mut self.reader {
            Reader::Urlencoded(reader) => reader.feed(chunk, &mut |name, value| gathered.text(name, value)),
            Reader::Multipart(reader) => {
                let mut refused = Ok(());
                let read = reader.feed(chunk, &mut |event| {
                    if refused.is_ok() {
                        refused = gathered.take(event);
                    }
                });
                // What comes first in the form is told.
                refused.and(read)
            }
        }
    }

    /// Whether something has to be written now.
    pub fn overflows(&self) -> bool {
        !self.gathered.overflow.is_empty()
    }

    /// What has to be written now: it is not kept.
    pub fn overflow(&mut self) -> Vec<Overflow> {
        std::mem::take(&mut self.gathered.overflow)
    }

    /// All fields, once the body has ended.
    pub fn finish(mut self) -> Result<Vec<Entry>, Flaw> {
        let gathered = &mut self.gathered;
        match &mut self.reader {
            Reader::Urlencoded(reader) => reader.finish(&mut |name, value| gathered.text(name, value))?,
            Reader::Multipart(reader) => reader.finish()?,
        }
        Ok(self.gathered.entries)
    }
}

impl Gathered {
    fn text(&mut self, name: String, value: String) {
        self.entries.push(Entry { name, value: Value::Text(value) });
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Flaw> {
        match event {
            Event::Part(head) => self.begin(head),
            Event::Data(bytes) => return self.data(bytes),
            Event::End => return self.end(),
        }
        Ok(())
    }

    fn begin(&mut self, head: PartHead) {
        (self.charset, self.begins) = (head.charset, head.content_at);
        let value = match head.filename {
            None => Value::Text(String::new()),
            Some(filename) => {
                let content = Some(Vec::new());
                Value::File(Upload { filename, headers: head.headers, size: 0, content })
            }
        };
        self.entries.push(Entry { name: head.name, value });
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        self.bytes.extend_from_slice(bytes);
        let number = self.entries.len().saturating_sub(1);
        let Some(Entry { value: Value::File(file), .. }) = self.entries.last_mut() else { return Ok(()) };
        file.size += bytes.len() as u64;
        let size = self.bytes.len();
        let is_large = size > self.limits.file_in_memory
            || size > Limits::SMALL_FILE && self.in_memory + size > self.limits.files_in_memory;
        if file.content.is_some() && is_large {
            file.content = None;
            self.on_disk += 1;
            if self.on_disk > self.limits.files_on_disk {
                return Err(Problem::TooManyLargeFiles(self.limits.files_on_disk).at(self.begins));
            }
        }
        if file.content.is_none() && size >= PIECE.min(self.limits.file_in_memory) {
            self.overflow.push(Overflow { entry: number, bytes: std::mem::take(&mut self.bytes) });
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Flaw> {
        let bytes = std::mem::take(&mut self.bytes);
        let number = self.entries.len().saturating_sub(1);
        let Some(entry) = self.entries.last_mut() else { return Ok(()) };
        match &mut entry.value {
            Value::Text(text) => {
                *text = self
                    .charset
                    .decode(bytes)
                    .map_err(|valid| Problem::Encoding(entry.name.clone()).at(self.begins + valid as u64))?;
            }
            Value::File(Upload { content: Some(content), .. }) => {
                self.in_memory += bytes.len();
                *content = bytes;
            }
            Value::File(_) if bytes.is_empty() => {}
            Value::File(_) => self.overflow.push(Overflow { entry: number, bytes }),
        }
        Ok(())
    }
}
