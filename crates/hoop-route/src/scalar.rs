//! Single values: what a text from a path, a query, a header or a cookie means.
//!
//! They are read as pydantic reads strings in its lax mode, which is what FastAPI's users know.

use std::borrow::Cow;

use crate::bounds::{Bounds, Length, Number};
use crate::complaint::Complaint;

/// Python itself reads no more digits by default (`sys.int_info.default_max_str_digits`).
const DIGITS_AT_MOST: usize = 4300;

/// What a value has to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(Length),
    /// A whole number, however large.
    Integer(Bounds),
    /// A number.
    Float {
        /// What it keeps to.
        bounds: Bounds,
        /// Whether infinities and what is no number are taken.
        infinite: bool,
    },
    /// True or false.
    Boolean,
    /// One of a few texts.
    Choice(Choices),
    /// Something that only Python can check.
    Unchecked,
}

/// The texts that a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    texts: Vec<Box<str>>,
    expected: Box<str>,
    of_enumeration: bool,
}

impl Choices {
    /// Takes the texts; `expected` lists them as a complaint shows them.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>, expected: &str, of_enumeration: bool) -> Self {
        Self { texts: texts.into_iter().map(Into::into).collect(), expected: expected.into(), of_enumeration }
    }
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'t> {
    /// A text; also one that only Python can check.
    Text(Cow<'t, str>),
    /// A whole number.
    Integer(i64),
    /// A whole number that is larger: its digits, and a sign before them if it is negative.
    LargeInteger(String),
    /// A number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// One of a few texts, by its place among them.
    Choice(usize),
}

impl Scalar {
    /// Reads a text.
    pub fn read<'t>(&self, text: Cow<'t, str>) -> Result<Value<'t>, Complaint> {
        match self {
            Self::Text(length) => length.check_text(&text).map(|()| Value::Text(text)),
            Self::Integer(bounds) => {
                let value = integer(&text)?;
                bounds.check(match &value {
                    Value::Integer(number) => Number::Integer(*number),
                    // Beyond every bound that fits into 64 bits.
                    Value::LargeInteger(digits) if digits.starts_with('-') => {
                        Number::Float(f64::NEG_INFINITY)
                    }
                    _ => Number::Float(f64::INFINITY),
                })?;
                Ok(value)
            }
            Self::Float { bounds, infinite } => {
                let number = float(&text).ok_or(Complaint::NotANumber)?;
                if !infinite && !number.is_finite() {
                    return Err(Complaint::NotFinite);
                }
                bounds.check(Number::Float(number))?;
                Ok(Value::Float(number))
            }
            Self::Boolean => boolean(&text).map(Value::Boolean).ok_or(Complaint::NotABoolean),
            Self::Choice(choices) => {
                let place = choices.texts.iter().position(|each| **each == *text);
                place.map(Value::Choice).ok_or_else(|| Complaint::NotAChoice {
                    of_enumeration: choices.of_enumeration,
                    expected: choices.expected.clone(),
                })
            }
            Self::Unchecked => Ok(Value::Text(text)),
        }
    }
}

/// Reads a whole number: space around it, a sign, underscores between digits, and a fraction of
/// zeros are all allowed.
fn integer<'t>(text: &str) -> Result<Value<'t>, Complaint> {
    if let Some(number) = few_digits(text) {
        return Ok(Value::Integer(number));
    }
    let text = text.trim();
    if text.len() > DIGITS_AT_MOST {
        return Err(Complaint::IntegerTooLong);
    }
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = match digits.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return Err(Complaint::NotAnInteger),
        None => digits,
    };
    let digits = without_underscores(digits).ok_or(Complaint::NotAnInteger)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Complaint::NotAnInteger);
    }
    let digits = digits.trim_start_matches('0');
    let signed =
        format!("{}{}", if negative { "-" } else { "" }, if digits.is_empty() { "0" } else { digits });
    Ok(signed.parse().map_or_else(|_| Value::LargeInteger(signed), Value::Integer))
}

/// What nearly all whole numbers are: digits alone, and not more than certainly fit.
fn few_digits(text: &str) -> Option<i64> {
    if !(1..=18).contains(&text.len()) {
        return None;
    }
    text.bytes()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Takes out single underscores that have a digit on either side.
fn without_underscores(digits: &str) -> Option<Cow<'_, str>> {
    if !digits.contains('_') {
        return Some(Cow::Borrowed(digits));
    }
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    Some(Cow::Owned(digits.replace('_', "")))
}

fn float(text: &str) -> Option<f64> {
    let text = without_underscores(text.trim())?;
    text.parse().ok()
}

fn boolean(text: &str) -> Option<bool> {
    const TRUE: [&str; 6] = ["1", "on", "t", "true", "y", "yes"];
    const FALSE: [&str; 6] = ["0", "off", "f", "false", "n", "no"];
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
    if is(&TRUE) { Some(true) } else { is(&FALSE).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(scalar: &Scalar, text: &str) -> Result<Value<'static>, Complaint> {
        scalar.read(Cow::Owned(text.to_owned()))
    }

    #[test]
    fn whole_numbers() {
        let any = Scalar::Integer(Bounds::default());
        for (text, number) in
            [("1", 1), (" 12 ", 12), ("+3", 3), ("-4", -4), ("1_000", 1000), ("007", 7), ("5.00", 5)]
        {
            assert_eq!(read(&any, text), Ok(Value::Integer(number)), "{text}");
        }
        for text in
            ["", " ", "-", "1.5", "a", "1__0", "_1", "1_", "0x1", "1e3", ".0", "5.", "--1", "\u{0661}"]
        {
            assert_eq!(read(&any, text), Err(Complaint::NotAnInteger), "{text}");
        }
        assert_eq!(read(&any, "-9223372036854775808"), Ok(Value::Integer(i64::MIN)));
        let large = "-92233720368547758089";
        assert_eq!(read(&any, large), Ok(Value::LargeInteger(large.to_owned())));
        assert_eq!(read(&any, &"1".repeat(4301)), Err(Complaint::IntegerTooLong));
    }

    #[test]
    fn large_numbers_keep_to_bounds_too() {
        let small = Scalar::Integer(Bounds { most: Some(Number::Integer(9)), ..Bounds::default() });
        assert_eq!(read(&small, &"9".repeat(30)), Err(Complaint::Above(Number::Integer(9))));
        assert!(read(&small, &format!("-{}", "9".repeat(30))).is_ok());
    }

    #[test]
    fn numbers() {
        let finite = Scalar::Float { bounds: Bounds::default(), infinite: false };
        let any = Scalar::Float { bounds: Bounds::default(), infinite: true };
        assert_eq!(read(&finite, " 1.5e3 "), Ok(Value::Float(1500.0)));
        assert_eq!(read(&finite, "1_0.5"), Ok(Value::Float(10.5)));
        assert_eq!(read(&finite, "1,5"), Err(Complaint::NotANumber));
        assert_eq!(read(&finite, "inf"), Err(Complaint::NotFinite));
        assert_eq!(read(&any, "-Infinity"), Ok(Value::Float(f64::NEG_INFINITY)));
    }

    #[test]
    fn truth_values() {
        for (text, value) in [("1", true), ("YES", true), ("off", false), ("f", false)] {
            assert_eq!(read(&Scalar::Boolean, text), Ok(Value::Boolean(value)), "{text}");
        }
        assert_eq!(read(&Scalar::Boolean, "2"), Err(Complaint::NotABoolean));
        assert_eq!(read(&Scalar::Boolean, ""), Err(Complaint::NotABoolean));
    }

    #[test]
    fn choices() {
        let colours = Scalar::Choice(Choices::new(["red", "blue"], "'red' or 'blue'", true));
        assert_eq!(read(&colours, "blue"), Ok(Value::Choice(1)));
        let complaint = read(&colours, "green").expect_err("no such colour");
        assert_eq!(complaint.kind(), "enum");
        assert_eq!(complaint.to_string(), "Input should be 'red' or 'blue'");
    }
}
