//! Whether a request is to be carried out, and how (RFC 9110 section 13).

use crate::date::parse_date;
use crate::entity_tag::{EntityTag, Tags};

/// The conditions of a request, each the value of its field.
#[derive(Debug, Clone, Copy, Default)]
pub struct Preconditions<'a> {
    /// If-Match.
    pub if_match: Option<&'a [u8]>,
    /// If-None-Match.
    pub if_none_match: Option<&'a [u8]>,
    /// If-Modified-Since.
    pub if_modified_since: Option<&'a [u8]>,
    /// If-Unmodified-Since.
    pub if_unmodified_since: Option<&'a [u8]>,
}

/// What is known of the version that there is now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Validators<'a> {
    /// Its entity tag.
    pub tag: Option<EntityTag<'a>>,
    /// When it was changed last, in seconds since 1970.
    pub modified: Option<u64>,
    /// Whether that was long enough ago for no second change to carry the same date (section 8.8.2.2).
    pub is_settled: bool,
}

/// What the conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request is carried out.
    Proceed,
    /// The client has it: 304.
    NotModified,
    /// Not what the client thinks there is: 412.
    Failed,
}

impl Preconditions<'_> {
    /// Applies them to what there is, in the order of section 13.2.2. `reads` is whether the method is
    /// GET or HEAD.
    pub fn outcome(&self, current: &Validators<'_>, reads: bool) -> Outcome {
        let met = match (self.if_match, self.if_unmodified_since.and_then(parse_date), current.modified) {
            (Some(tags), _, _) => Tags::parse(tags).have_same(current.tag.as_ref()),
            (None, Some(date), Some(modified)) => modified <= date,
            (None, _, _) => true,
        };
        if !met {
            return Outcome::Failed;
        }
        if let Some(tags) = self.if_none_match {
            return match Tags::parse(tags).have_like(current.tag.as_ref()) {
                true if reads => Outcome::NotModified,
                true => Outcome::Failed,
                false => Outcome::Proceed,
            };
        }
        match (self.if_modified_since.filter(|_| reads).and_then(parse_date), current.modified) {
            (Some(date), Some(modified)) if modified <= date => Outcome::NotModified,
            _ => Outcome::Proceed,
        }
    }
}

/// Whether a Range applies, by If-Range (section 13.1.5): only to the very bytes that the client has a part
/// of.
pub fn range_applies(if_range: Option<&[u8]>, current: &Validators<'_>) -> bool {
    let Some(value) = if_range else { return true };
    let value = value.trim_ascii();
    if let Some(tag) = EntityTag::parse(value) {
        return current.tag.is_some_and(|current| current.is_same(&tag));
    }
    current.is_settled && current.modified.is_some() && parse_date(value) == current.modified
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEFORE: &[u8] = b"Sun, 06 Nov 1994 08:49:36 GMT";
    const NOW: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

    fn current() -> Validators<'static> {
        Validators { tag: EntityTag::parse(b"\"now\""), modified: parse_date(NOW), is_settled: true }
    }

    fn outcome(conditions: Preconditions<'_>) -> Outcome {
        conditions.outcome(&current(), true)
    }

    #[test]
    fn each_condition_does_what_it_says() {
        let none = Preconditions::default();
        assert_eq!(outcome(none), Outcome::Proceed);
        for (tags, expected) in [
            (&b"\"now\""[..], Outcome::Proceed),
            (b"*", Outcome::Proceed),
            (b"W/\"now\"", Outcome::Failed),
            (b"\"then\"", Outcome::Failed),
            (b"now", Outcome::Failed),
        ] {
            assert_eq!(outcome(Preconditions { if_match: Some(tags), ..none }), expected);
        }
        for (tags, expected) in [
            (&b"\"now\""[..], Outcome::NotModified),
            (b"*", Outcome::NotModified),
            (b"\"then\", W/\"now\"", Outcome::NotModified),
            (b"\"then\"", Outcome::Proceed),
            (b"now", Outcome::Proceed),
        ] {
            assert_eq!(outcome(Preconditions { if_none_match: Some(tags), ..none }), expected);
        }
        let since = |date| outcome(Preconditions { if_modified_since: Some(date), ..none });
        assert_eq!((since(NOW), since(BEFORE)), (Outcome::NotModified, Outcome::Proceed));
        assert_eq!(since(b"yesterday"), Outcome::Proceed);
        let unless = |date| outcome(Preconditions { if_unmodified_since: Some(date), ..none });
        assert_eq!((unless(NOW), unless(BEFORE)), (Outcome::Proceed, Outcome::Failed));
        assert_eq!(unless(b"yesterday"), Outcome::Proceed);
    }

    #[test]
    fn tags_count_for_more_than_dates() {
        let both = Preconditions {
            if_match: Some(b"\"now\""),
            if_unmodified_since: Some(BEFORE),
            ..Default::default()
        };
        assert_eq!(outcome(both), Outcome::Proceed);
        let both = Preconditions {
            if_none_match: Some(b"\"then\""),
            if_modified_since: Some(NOW),
            ..Default::default()
        };
        assert_eq!(outcome(both), Outcome::Proceed);
        let fails_first = Preconditions {
            if_match: Some(b"\"then\""),
            if_none_match: Some(b"\"now\""),
            ..Default::default()
        };
        assert_eq!(outcome(fails_first), Outcome::Failed);
    }

    #[test]
    fn what_changes_something_is_not_answered_with_304() {
        let conditions =
            Preconditions { if_none_match: Some(b"*"), if_modified_since: Some(NOW), ..Default::default() };
        assert_eq!(conditions.outcome(&current(), false), Outcome::Failed);
        let conditions = Preconditions { if_modified_since: Some(NOW), ..Default::default() };
        assert_eq!(conditions.outcome(&current(), false), Outcome::Proceed);
    }

    #[test]
    fn a_range_applies_to_the_very_same_bytes_alone() {
        let current = current();
        for (value, expected) in [
            (&b"\"now\""[..], true),
            (b"W/\"now\"", false),
            (b"\"then\"", false),
            (NOW, true),
            (BEFORE, false),
            (b"whenever", false),
        ] {
            assert_eq!(range_applies(Some(value), &current), expected);
        }
        assert!(range_applies(None, &current));
        assert!(!range_applies(Some(NOW), &Validators { is_settled: false, ..current }));
        assert!(!range_applies(Some(b"whenever"), &Validators { modified: None, ..current }));
        let weak = Validators { tag: EntityTag::parse(b"W/\"now\""), ..current };
        assert!(!range_applies(Some(b"W/\"now\""), &weak));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_conditions(one: Option<Vec<u8>>, two: Option<Vec<u8>>, three: Vec<u8>, reads: bool) {
            let conditions = Preconditions {
                if_match: one.as_deref(),
                if_none_match: two.as_deref(),
                if_modified_since: Some(&three),
                if_unmodified_since: Some(&three),
            };
            let outcome = conditions.outcome(&current(), reads);
            prop_assert!(reads || outcome != Outcome::NotModified);
            let _ = range_applies(Some(&three), &current());
        }
    }
}
