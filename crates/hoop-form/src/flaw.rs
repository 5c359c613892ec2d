//! Why a form is refused, and at which of its bytes.

use std::fmt;

/// Where and why a form is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Flaw {
    /// The byte of the body, counted from 0.
    pub at: u64,
    /// What is wrong there.
    pub problem: Problem,
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, at byte {}", self.problem, self.at)
    }
}

/// What is wrong with a form. Names are the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The Content-Type names no boundary, or one that cannot be.
    #[error("the Content-Type needs a boundary of 1 to 70 printable characters (RFC 2046 section 5.1.1)")]
    Boundary,
    /// The Content-Type, or that of a part, names a charset that is not read here.
    #[error("the charset {0:?} is not supported: forms are read as UTF-8")]
    Charset(String),
    /// The body does not begin with the boundary.
    #[error("the boundary that the Content-Type names does not begin the body")]
    NoBoundary,
    /// A boundary is not followed by a line break, or by `--`.
    #[error("a boundary is followed by something else than a line break or '--'")]
    AfterBoundary,
    /// The body ends before its last boundary.
    #[error("the body ends without the closing boundary")]
    Unfinished,
    /// The body ends before the last boundary, within this part.
    #[error("the body ends within the part {0:?}")]
    UnfinishedPart(String),
    /// A line of a part's head is no header.
    #[error("a line in the head of a part is no header")]
    Header,
    /// A header of a part has characters that none may have.
    #[error("a header of a part has a NUL or a bare line break in it")]
    ControlCharacters,
    /// The head of a part has no Content-Disposition that could be understood.
    #[error("a part needs one well-formed 'Content-Disposition: form-data' (RFC 7578 section 4.2)")]
    Disposition,
    /// The Content-Disposition names no field.
    #[error("the Content-Disposition of a part has no name")]
    NoName,
    /// A part is encoded.
    #[error("the part {name:?} has the Content-Transfer-Encoding {encoding:?}, which is not supported")]
    TransferEncoding {
        /// Of the part.
        name: String,
        /// What it says.
        encoding: String,
    },
    /// What a field says is not in its charset.
    #[error("the field {0:?} is not valid UTF-8")]
    Encoding(String),
    /// A name is not in its charset.
    #[error("the name of a field is not valid UTF-8")]
    NameEncoding,
    /// The head of a part is too long.
    #[error("the head of a part has more than {0} bytes")]
    HeadTooLong(usize),
    /// A part has too many headers.
    #[error("the head of a part has more than {0} headers")]
    TooManyHeaders(usize),
    /// There are too many fields.
    #[error("the form has more than {0} fields")]
    TooManyFields(usize),
    /// There are too many files.
    #[error("the form has more than {0} files")]
    TooManyFiles(usize),
    /// There are too many files that do not stay in memory.
    #[error("the form has more than {0} large files")]
    TooManyLargeFiles(usize),
    /// A field is too large.
    #[error("the field {name:?} has more than {most} bytes")]
    FieldTooLarge {
        /// Of the field.
        name: String,
        /// What it may have.
        most: usize,
    },
}

impl Problem {
    /// Whether the form would be fine if only it were smaller.
    pub fn is_size(&self) -> bool {
        matches!(
            self,
            Self::HeadTooLong(_)
                | Self::TooManyHeaders(_)
                | Self::TooManyFields(_)
                | Self::TooManyFiles(_)
                | Self::TooManyLargeFiles(_)
                | Self::FieldTooLarge { .. }
        )
    }

    /// The flaw, at a byte of the body.
    pub(crate) fn at(self, at: u64) -> Flaw {
        Flaw { at, problem: self }
    }
}
