//! Entity tags: a version of something, and how two are compared (RFC 9110 section 8.8.3).

/// An entity tag, as it stands in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag<'a> {
    weak: bool,
    /// What is between the quotes.
    opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads a whole field value; `None` if it is no entity tag.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (tag, rest) = Self::take(value)?;
        rest.is_empty().then_some(tag)
    }

    /// Reads the tag that the bytes begin with, and gives what follows it.
    fn take(value: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, quoted) = match value.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, value),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|byte| !is_tag_character(*byte))?;
        let (opaque, rest) = inner.split_at_checked(end)?;
        Some((Self { weak, opaque }, rest.strip_prefix(b"\"")?))
    }

    /// Whether it only says "as good as", not "the same bytes".
    pub fn is_weak(&self) -> bool {
        self.weak
    }

    /// The strong comparison: the same bytes, surely.
    pub fn is_same(&self, other: &EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// The weak comparison: one is as good as the other.
    pub fn is_like(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

fn is_tag_character(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// What If-Match and If-None-Match list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags<'a> {
    /// `*`: whatever there is.
    Any,
    /// These, as far as the list is well formed.
    These(Vec<EntityTag<'a>>),
}

impl<'a> Tags<'a> {
    /// Reads a list. What is malformed ends it: it can only make for fewer matches.
    pub fn parse(value: &'a [u8]) -> Self {
        let mut rest = value.trim_ascii();
        if rest == b"*" {
            return Self::Any;
        }
        let mut tags = Vec::new();
        loop {
            // RFC 9110 section 5.6.1: empty elements count for nothing.
            while let Some(shorter) = rest.strip_prefix(b",") {
                rest = shorter.trim_ascii_start();
            }
            let Some((tag, after)) = EntityTag::take(rest) else { return Self::These(tags) };
            rest = after.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b",") {
                return Self::These(tags);
            }
            tags.push(tag);
        }
    }

    /// Whether one of them is that one, by the strong comparison.
    pub fn have_same(&self, current: Option<&EntityTag<'_>>) -> bool {
        self.any(current, EntityTag::is_same)
    }

    /// Whether one of them is like that one, by the weak comparison.
    pub fn have_like(&self, current: Option<&EntityTag<'_>>) -> bool {
        self.any(current, EntityTag::is_like)
    }

    fn any(
        &self,
        current: Option<&EntityTag<'_>>,
        equal: impl Fn(&EntityTag<'a>, &EntityTag<'_>) -> bool,
    ) -> bool {
        match (self, current) {
            (Self::Any, _) => true,
            (Self::These(tags), Some(current)) => tags.iter().any(|tag| equal(tag, current)),
            (Self::These(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(text: &str) -> EntityTag<'_> {
        EntityTag::parse(text.as_bytes()).expect("an entity tag")
    }

    #[test]
    fn tags_compare_as_the_table_of_the_rfc_says() {
        // RFC 9110 section 8.8.3.2.
        for (one, other, same, like) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            assert_eq!(tag(one).is_same(&tag(other)), same, "{one} {other}");
            assert_eq!(tag(one).is_like(&tag(other)), like, "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_tag_is_none() {
        for text in ["", "x", "\"", "\"x", "x\"", "w/\"x\"", "\"a b\"", "\"a\"b", "W/ \"x\"", "\"a\x7f\""] {
            assert_eq!(EntityTag::parse(text.as_bytes()), None, "{text:?}");
        }
        assert!(tag("W/\"\"").is_weak());
    }

    #[test]
    fn lists_are_read_up_to_what_is_malformed() {
        let count = |text: &'static str| match Tags::parse(text.as_bytes()) {
            Tags::Any => usize::MAX,
            Tags::These(tags) => tags.len(),
        };
        assert_eq!(count("*"), usize::MAX);
        assert_eq!(count(" * "), usize::MAX);
        assert_eq!(count("\"a\", W/\"b\",\"c,d\""), 3);
        assert_eq!(count(",, \"a\" ,,"), 1);
        assert_eq!(count("\"a\" \"b\""), 0);
        assert_eq!(count("\"a\", *"), 1);
        assert_eq!(count("\"a\", b, \"c\""), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(value: Vec<u8>) {
            let _ = EntityTag::parse(&value);
            let _ = Tags::parse(&value);
        }

        #[test]
        fn tags_of_a_list_are_found_in_it(opaques in prop::collection::vec("[!#-~]{0,8}", 1..6), chosen: prop::sample::Index) {
            let list = opaques.iter().map(|opaque| format!("\"{opaque}\"")).collect::<Vec<_>>().join(" , ");
            let one = format!("\"{}\"", chosen.get(&opaques));
            let one = EntityTag::parse(one.as_bytes()).expect("a tag");
            prop_assert!(Tags::parse(list.as_bytes()).have_same(Some(&one)));
        }
    }
}
