//! What is wrong with a value that a client sent, in the words that pydantic has for it.
//!
//! The kinds and texts are those of pydantic 2's catalogue of errors
//! (docs.pydantic.dev, "Validation Errors"), as FastAPI's users have them in their 422 answers.

use std::fmt;

use crate::bounds::Number;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Complaint {
    /// There is none, and there has to be.
    Missing,
    /// It is no whole number.
    NotAnInteger,
    /// It has too many digits.
    IntegerTooLong,
    /// It is no number.
    NotANumber,
    /// It is infinite or no number, where that is not allowed.
    NotFinite,
    /// It is no truth value.
    NotABoolean,
    /// It is none of a few texts; they stand here as they are shown.
    NotAChoice {
        /// Whether they are the members of an enumeration, and not literals.
        of_enumeration: bool,
        /// `'a', 'b' or 'c'`.
        expected: Box<str>,
    },
    /// It is not above this.
    NotAbove(Number),
    /// It is below this.
    Below(Number),
    /// It is not below this.
    NotBelow(Number),
    /// It is above this.
    Above(Number),
    /// It is no multiple of this.
    NotAMultiple(Number),
    /// It has fewer characters.
    TooShort(usize),
    /// It has more characters.
    TooLong(usize),
    /// There are fewer values.
    TooFew {
        /// How many there have to be.
        least: usize,
        /// How many there are.
        actual: usize,
    },
    /// There are more values.
    TooMany {
        /// How many there may be.
        most: usize,
        /// How many there are.
        actual: usize,
    },
}

/// What a complaint's `ctx` says: a name, and what stands there.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail<'a> {
    /// A number.
    Number(Number),
    /// A count.
    Count(usize),
    /// A text.
    Text(&'a str),
}

impl Complaint {
    /// pydantic's name for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotAnInteger => "int_parsing",
            Self::IntegerTooLong => "int_parsing_size",
            Self::NotANumber => "float_parsing",
            Self::NotFinite => "finite_number",
            Self::NotABoolean => "bool_parsing",
            Self::NotAChoice { of_enumeration: true, .. } => "enum",
            Self::NotAChoice { .. } => "literal_error",
            Self::NotAbove(_) => "greater_than",
            Self::Below(_) => "greater_than_equal",
            Self::NotBelow(_) => "less_than",
            Self::Above(_) => "less_than_equal",
            Self::NotAMultiple(_) => "multiple_of",
            Self::TooShort(_) => "string_too_short",
            Self::TooLong(_) => "string_too_long",
            Self::TooFew { .. } => "too_short",
            Self::TooMany { .. } => "too_long",
        }
    }

    /// What its `ctx` says.
    pub fn details(&self) -> Vec<(&'static str, Detail<'_>)> {
        match self {
            Self::Missing
            | Self::NotAnInteger
            | Self::IntegerTooLong
            | Self::NotANumber
            | Self::NotFinite
            | Self::NotABoolean => Vec::new(),
            Self::NotAChoice { expected, .. } => vec![("expected", Detail::Text(expected))],
            Self::NotAbove(bound) => vec![("gt", Detail::Number(*bound))],
            Self::Below(bound) => vec![("ge", Detail::Number(*bound))],
            Self::NotBelow(bound) => vec![("lt", Detail::Number(*bound))],
            Self::Above(bound) => vec![("le", Detail::Number(*bound))],
            Self::NotAMultiple(step) => vec![("multiple_of", Detail::Number(*step))],
            Self::TooShort(least) => vec![("min_length", Detail::Count(*least))],
            Self::TooLong(most) => vec![("max_length", Detail::Count(*most))],
            Self::TooFew { least, actual } => vec![
                ("field_type", Detail::Text("List")),
                ("min_length", Detail::Count(*least)),
                ("actual_length", Detail::Count(*actual)),
            ],
            Self::TooMany { most, actual } => vec![
                ("field_type", Detail::Text("List")),
                ("max_length", Detail::Count(*most)),
                ("actual_length", Detail::Count(*actual)),
            ],
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |count: &usize| if *count == 1 { "" } else { "s" };
        match self {
            Self::Missing => write!(formatter, "Field required"),
            Self::NotAnInteger => {
                write!(formatter, "Input should be a valid integer, unable to parse string as an integer")
            }
            Self::IntegerTooLong => {
                write!(formatter, "Unable to parse input string as an integer, exceeded maximum size")
            }
            Self::NotANumber => {
                write!(formatter, "Input should be a valid number, unable to parse string as a number")
            }
            Self::NotFinite => write!(formatter, "Input should be a finite number"),
            Self::NotABoolean => {
                write!(formatter, "Input should be a valid boolean, unable to interpret input")
            }
            Self::NotAChoice { expected, .. } => write!(formatter, "Input should be {expected}"),
            Self::NotAbove(bound) => write!(formatter, "Input should be greater than {bound}"),
            Self::Below(bound) => write!(formatter, "Input should be greater than or equal to {bound}"),
            Self::NotBelow(bound) => write!(formatter, "Input should be less than {bound}"),
            Self::Above(bound) => write!(formatter, "Input should be less than or equal to {bound}"),
            Self::NotAMultiple(step) => write!(formatter, "Input should be a multiple of {step}"),
            Self::TooShort(least) => {
                write!(formatter, "String should have at least {least} character{}", many(least))
            }
            Self::TooLong(most) => {
                write!(formatter, "String should have at most {most} character{}", many(most))
            }
            Self::TooFew { least, actual } => write!(
                formatter,
                "List should have at least {least} item{} after validation, not {actual}",
                many(least)
            ),
            Self::TooMany { most, actual } => write!(
                formatter,
                "List should have at most {most} item{} after validation, not {actual}",
                many(most)
            ),
        }
    }
}
