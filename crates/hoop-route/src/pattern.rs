//! Path patterns as routes are declared with them: `/users/{id:int}/files/{name}.{suffix}`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use regex::Regex;

/// What a parameter of a path takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Convertor {
    /// Anything within one segment, and at least one character.
    Text,
    /// Digits.
    Integer,
    /// Digits, perhaps with a fraction.
    Float,
    /// 32 hexadecimal digits in five groups.
    Uuid,
    /// All that is left of the path, slashes and nothing included.
    Path,
}

impl Convertor {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "str" => Self::Text,
            "int" => Self::Integer,
            "float" => Self::Float,
            "uuid" => Self::Uuid,
            "path" => Self::Path,
            _ => return None,
        })
    }

    /// Whether the whole of a text may stand for the parameter.
    pub fn takes(self, text: &str) -> bool {
        match self {
            Self::Text => !text.is_empty(),
            Self::Integer => is_digits(text),
            Self::Float => match text.split_once('.') {
                Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
                None => is_digits(text),
            },
            Self::Uuid => is_uuid(text),
            Self::Path => true,
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(|group| (group.len(), group.bytes().all(|b| b.is_ascii_hexdigit())));
    groups.eq([8, 4, 4, 4, 12].map(|length| (length, true)))
}

/// What a pattern is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// Text that has to be there.
    Literal(Box<str>),
    /// A parameter, by the kind of what it takes.
    Parameter(Convertor),
}

/// One segment of a pattern: what stands between two slashes.
#[derive(Debug, Clone)]
pub struct Segment {
    pieces: Vec<Piece>,
    /// What finds the parameters among other text. It takes time in proportion to the text, whatever
    /// a client sends, as backtracking would not.
    mixed: Option<Regex>,
}

impl PartialEq for Segment {
    fn eq(&self, other: &Self) -> bool {
        self.pieces == other.pieces
    }
}

impl Eq for Segment {}

/// A pattern, parted at its slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    names: Vec<String>,
    segments: Vec<Segment>,
}

/// What is wrong with a pattern; the text is for the developer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It does not begin with a slash.
    #[error("the path {0:?} does not begin with '/'")]
    NoSlash(String),
    /// A brace without its other half.
    #[error("the path {0:?} has a brace that is not closed, or not opened")]
    Brace(String),
    /// A parameter whose name is none.
    #[error("the path {path:?} has a parameter named {name:?}, which is no name in Python")]
    Name {
        /// The pattern.
        path: String,
        /// What stands in braces.
        name: String,
    },
    /// Two parameters of one name.
    #[error("the path {path:?} has the parameter {name:?} twice")]
    Twice {
        /// The pattern.
        path: String,
        /// Their name.
        name: String,
    },
    /// A convertor that nobody knows.
    #[error("the path {path:?} has a parameter of kind {kind:?}; there are str, int, float, uuid and path")]
    Kind {
        /// The pattern.
        path: String,
        /// What stands after the colon.
        kind: String,
    },
    /// Two parameters with nothing between them.
    #[error(
        "the path {0:?} has two parameters with nothing between them: where the first ends is anybody's guess"
    )]
    Touching(String),
    /// A parameter for all that is left, and something that follows it.
    #[error("the path {0:?} goes on after a parameter of kind path, which takes all that is left")]
    AfterPath(String),
    /// So much in one segment that no expression can be made of it.
    #[error("the path {0:?} has a segment that is too long")]
    TooLarge(String),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(inside) = text.strip_prefix('/') else {
            return Err(PatternError::NoSlash(text.to_owned()));
        };
        let mut names = Vec::new();
        let mut segments = Vec::new();
        for segment in inside.split('/') {
            segments.push(Segment::of(pieces(text, segment, &mut names)?, text)?);
        }
        let rest = segments.iter().position(Segment::takes_the_rest);
        if rest.is_some_and(|position| position + 1 < segments.len()) {
            return Err(PatternError::AfterPath(text.to_owned()));
        }
        Ok(Self { text: text.to_owned(), names, segments })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of its parameters, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Its segments; "/" has one, which is empty.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn pieces(path: &str, segment: &str, names: &mut Vec<String>) -> Result<Vec<Piece>, PatternError> {
    let broken = || PatternError::Brace(path.to_owned());
    let mut pieces = Vec::new();
    let mut rest = segment;
    while !rest.is_empty() {
        let (literal, parameter) = match rest.split_once('{') {
            Some((literal, after)) => {
                let (inside, after) = after.split_once('}').ok_or_else(broken)?;
                rest = after;
                (literal, Some(inside))
            }
            None => (std::mem::take(&mut rest), None),
        };
        if literal.contains('}') || parameter.is_some_and(|inside| inside.contains('{')) {
            return Err(broken());
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        if let Some(inside) = parameter {
            if matches!(pieces.last(), Some(Piece::Parameter(_))) {
                return Err(PatternError::Touching(path.to_owned()));
            }
            let (name, kind) = inside.split_once(':').unwrap_or((inside, "str"));
            let convertor = Convertor::named(kind)
                .ok_or_else(|| PatternError::Kind { path: path.to_owned(), kind: kind.to_owned() })?;
            add_name(path, name, names)?;
            if matches!(pieces.last(), Some(Piece::Parameter(Convertor::Path))) {
                return Err(PatternError::AfterPath(path.to_owned()));
            }
            pieces.push(Piece::Parameter(convertor));
        }
    }
    let path_parameter = pieces.iter().position(|piece| *piece == Piece::Parameter(Convertor::Path));
    if path_parameter.is_some_and(|position| position + 1 < pieces.len()) {
        return Err(PatternError::AfterPath(path.to_owned()));
    }
    Ok(pieces)
}

fn add_name(path: &str, name: &str, names: &mut Vec<String>) -> Result<(), PatternError> {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    if !begins || !characters.all(|each| each.is_alphanumeric() || each == '_') {
        return Err(PatternError::Name { path: path.to_owned(), name: name.to_owned() });
    }
    if names.iter().any(|known| known == name) {
        return Err(PatternError::Twice { path: path.to_owned(), name: name.to_owned() });
    }
    names.push(name.to_owned());
    Ok(())
}

impl Segment {
    fn of(pieces: Vec<Piece>, path: &str) -> Result<Self, PatternError> {
        let mixed = match pieces.as_slice() {
            [] | [_] => None,
            several => {
                let expression: String = several.iter().map(Piece::expression).collect();
                let expression = Regex::new(&format!("(?s)^{expression}$"));
                Some(expression.map_err(|_| PatternError::TooLarge(path.to_owned()))?)
            }
        };
        Ok(Self { pieces, mixed })
    }

    /// The text that it has to be, if there is no choice.
    pub fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it takes all that is left of a path.
    pub fn takes_the_rest(&self) -> bool {
        self.pieces.contains(&Piece::Parameter(Convertor::Path))
    }

    /// Adds what the parameters take of a text, if all of it fits; otherwise adds nothing.
    ///
    /// Where there are several ways, each parameter takes as much as it can, the first before the
    /// second.
    #[expect(clippy::ptr_arg, reason = "what is borrowed stays borrowed for as long as the path")]
    pub fn capture<'t>(&self, text: &Cow<'t, str>, captured: &mut Vec<Cow<'t, str>>) -> bool {
        match (self.pieces.as_slice(), &self.mixed) {
            ([Piece::Parameter(convertor)], _) if convertor.takes(text) => captured.push(text.clone()),
            (_, Some(mixed)) => {
                let Some(found) = mixed.captures(text) else { return false };
                captured.extend(found.iter().skip(1).flatten().map(|one| part(text, one.range())));
            }
            _ => return false,
        }
        true
    }
}

impl Piece {
    /// The regular expression that takes the same.
    fn expression(&self) -> String {
        match self {
            Self::Literal(text) => regex::escape(text),
            Self::Parameter(convertor) => match convertor {
                Convertor::Text => "(.+)",
                Convertor::Integer => "([0-9]+)",
                Convertor::Float => r"([0-9]+(?:\.[0-9]+)?)",
                Convertor::Uuid => "([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})",
                Convertor::Path => "(.*)",
            }
            .to_owned(),
        }
    }
}

/// A part of a text, borrowed from where the text is borrowed.
fn part<'t>(text: &Cow<'t, str>, range: Range<usize>) -> Cow<'t, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured<'t>(pattern: &str, text: &'t str) -> Option<Vec<Cow<'t, str>>> {
        let pattern = Pattern::parse(&format!("/{pattern}")).expect("a pattern");
        let mut found = Vec::new();
        pattern.segments()[0].capture(&Cow::Borrowed(text), &mut found).then_some(found)
    }

    #[test]
    fn a_pattern_is_parted_at_its_slashes() {
        let pattern = Pattern::parse("/users/{id:int}/{rest:path}").expect("a pattern");
        assert_eq!(pattern.names(), ["id", "rest"]);
        assert_eq!(pattern.segments().len(), 3);
        assert_eq!(pattern.segments()[0].literal(), Some("users"));
        assert!(pattern.segments()[2].takes_the_rest());
        assert_eq!(Pattern::parse("/").expect("a pattern").segments()[0].literal(), Some(""));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| Pattern::parse(text).expect_err("no pattern");
        assert!(matches!(error("users"), PatternError::NoSlash(_)));
        for text in ["/{a", "/a}", "/{a{b}}", "/{a}}"] {
            assert!(matches!(error(text), PatternError::Brace(_)), "{text}");
        }
        for text in ["/{}", "/{1a}", "/{a-b}", "/{a b}"] {
            assert!(matches!(error(text), PatternError::Name { .. }), "{text}");
        }
        assert!(matches!(error("/{a}/{a}"), PatternError::Twice { .. }));
        assert!(matches!(error("/{a:integer}"), PatternError::Kind { .. }));
        assert!(matches!(error("/{a}{b}"), PatternError::Touching(_)));
        for text in ["/{a:path}/b", "/{a:path}.txt"] {
            assert!(matches!(error(text), PatternError::AfterPath(_)), "{text}");
        }
    }

    #[test]
    fn convertors_take_whole_texts_only() {
        assert_eq!(captured("{id:int}", "12"), Some(vec!["12".into()]));
        for text in ["", "-1", "1.0", "a", "1a", "\u{0661}"] {
            assert_eq!(captured("{id:int}", text), None, "{text}");
        }
        assert!(captured("{x:float}", "1.50").is_some() && captured("{x:float}", "1").is_some());
        assert!(captured("{x:float}", ".5").is_none() && captured("{x:float}", "1.").is_none());
        assert!(captured("{x:uuid}", "12345678-1234-1234-1234-123456789abC").is_some());
        assert!(captured("{x:uuid}", "12345678123412341234123456789abc").is_none());
        assert!(captured("{x}", "").is_none());
    }

    #[test]
    fn text_around_parameters_has_to_be_there() {
        assert_eq!(captured("v{n:int}", "v2"), Some(vec!["2".into()]));
        assert_eq!(captured("v{n:int}", "w2"), None);
        assert_eq!(captured("{name}.{suffix}", "a.tar.gz"), Some(vec!["a.tar".into(), "gz".into()]));
        assert_eq!(captured("{name}.txt", ".txt"), None);
        assert_eq!(captured("{a:int}-{b:int}", "1-2-3"), None);
        assert_eq!(captured("{a}-{b:int}", "1-2-3"), Some(vec!["1-2".into(), "3".into()]));
        assert_eq!(captured("{a}", "x\ny"), Some(vec!["x\ny".into()]));
        assert_eq!(captured("a{b:path}", "a"), Some(vec!["".into()]));
    }

    #[test]
    fn text_that_nearly_fits_takes_no_longer() {
        let dashes = "-".repeat(60_000);
        assert_eq!(captured("{a}-{b}-{c}-{d}-{e}.{f}", &dashes), None);
    }
}
