//! Which bytes of a whole a request asks for (RFC 9110 section 14).
//!
//! A client could ask for the same bytes again and again, or for many that are next to nothing (CVE-2011-3192).
//! So a request may name [`MOST_RANGES`]; one that names more gets the whole. Ranges that touch, or that lie
//! closer together than the head of a part is long, become one. So the parts never make more bytes than
//! the whole has, and a few heads.

/// So many ranges one request may name.
pub const MOST_RANGES: usize = 16;
/// About what the head of a part takes (section 15.3.7.2): a smaller gap is sent too.
const GAP: u64 = 80;

/// A part of a whole, which has at least one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub from: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl Part {
    fn end(&self) -> u64 {
        self.from + self.length
    }

    /// As Content-Range says it (section 14.4).
    pub fn content_range(&self, whole: u64) -> String {
        format!("bytes {}-{}/{whole}", self.from, self.end().saturating_sub(1))
    }

    fn joins(&self, other: &Self) -> bool {
        self.from <= other.end().saturating_add(GAP) && other.from <= self.end().saturating_add(GAP)
    }

    fn join(&self, other: &Self) -> Self {
        let from = self.from.min(other.from);
        Self { from, length: self.end().max(other.end()) - from }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// All of it: the field is not to be understood, or asks for too much.
    Whole,
    /// One part.
    One(Part),
    /// Several that do not touch, in the order in which they were named.
    Several(Vec<Part>),
    /// Nothing that there is: 416.
    Nothing,
}

/// Reads Range, for something that has `length` bytes.
pub fn requested_parts(range: &[u8], length: u64) -> Requested {
    let Some(list) = ranges_of_bytes(range) else { return Requested::Whole };
    let mut parts: Vec<Part> = Vec::new();
    let mut named = 0;
    for spec in list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|spec| !spec.is_empty()) {
        named += 1;
        let Some(resolved) = resolve(spec, length).filter(|_| named <= MOST_RANGES) else {
            return Requested::Whole;
        };
        match resolved {
            Resolved::Part(part) => add(&mut parts, part),
            Resolved::Everything => return Requested::Whole,
            Resolved::Nothing => {}
        }
    }
    match parts.as_slice() {
        [] if named == 0 => Requested::Whole,
        [] => Requested::Nothing,
        [part] => Requested::One(*part),
        _ => Requested::Several(parts),
    }
}

fn ranges_of_bytes(range: &[u8]) -> Option<&[u8]> {
    let (unit, list) = range.split_at_checked(range.iter().position(|byte| *byte == b'=')?)?;
    unit.eq_ignore_ascii_case(b"bytes").then(|| list.get(1..))?
}

enum Resolved {
    Part(Part),
    /// The end of something empty: there is no way to say so in a Content-Range.
    Everything,
    Nothing,
}

/// `None` if it is malformed.
fn resolve(spec: &[u8], length: u64) -> Option<Resolved> {
    let (first, last) = spec.split_at_checked(spec.iter().position(|byte| *byte == b'-')?)?;
    let last = last.get(1..)?;
    if first.is_empty() {
        let wanted = number(last)?.min(length);
        return Some(match (wanted, number(last)?) {
            (0, 0) => Resolved::Nothing,
            (0, _) => Resolved::Everything,
            _ => Resolved::Part(Part { from: length - wanted, length: wanted }),
        });
    }
    let from = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < from {
        return None;
    }
    if from >= length {
        return Some(Resolved::Nothing);
    }
    Some(Resolved::Part(Part { from, length: last.min(length - 1) - from + 1 }))
}

/// A number; one that is too large to be counted is as good as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
    )
}

/// Adds a part; with those that it joins it takes the place of the first of them.
fn add(parts: &mut Vec<Part>, part: Part) {
    let (mut joined, mut place) = (part, parts.len());
    while let Some(found) = parts.iter().position(|other| other.joins(&joined)) {
        joined = parts.remove(found).join(&joined);
        place = place.min(found);
    }
    parts.insert(place.min(parts.len()), joined);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(from: u64, length: u64) -> Part {
        Part { from, length }
    }

    #[test]
    fn single_ranges_are_cut_to_what_there_is() {
        for (field, expected) in [
            ("bytes=0-0", Requested::One(part(0, 1))),
            ("bytes=0-", Requested::One(part(0, 1000))),
            ("Bytes=10-19", Requested::One(part(10, 10))),
            ("bytes=990-2000", Requested::One(part(990, 10))),
            ("bytes=-10", Requested::One(part(990, 10))),
            ("bytes=-5000", Requested::One(part(0, 1000))),
            ("bytes=1000-", Requested::Nothing),
            ("bytes=-0", Requested::Nothing),
            ("bytes=99999999999999999999999-", Requested::Nothing),
            ("bytes=0-99999999999999999999999", Requested::One(part(0, 1000))),
        ] {
            assert_eq!(requested_parts(field.as_bytes(), 1000), expected, "{field}");
        }
    }

    #[test]
    fn what_is_not_understood_asks_for_the_whole() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=x-1",
            "bytes=1",
            "bytes=2-1",
            "bytes=-",
            "lines=0-1",
            "bytes =0-1",
            "bytes=0-1,x",
            "bytes=+1-2",
        ] {
            assert_eq!(requested_parts(field.as_bytes(), 1000), Requested::Whole, "{field}");
        }
    }

    #[test]
    fn of_something_empty_there_is_no_part() {
        assert_eq!(requested_parts(b"bytes=0-", 0), Requested::Nothing);
        assert_eq!(requested_parts(b"bytes=-5", 0), Requested::Whole);
    }

    #[test]
    fn several_ranges_stay_in_order_and_join_where_they_touch() {
        let requested = |field: &str| requested_parts(field.as_bytes(), 10_000);
        assert_eq!(requested("bytes=5000-5009, 0-9"), Requested::Several(vec![part(5000, 10), part(0, 10)]));
        assert_eq!(requested("bytes=0-99, 50-199, 200-249"), Requested::One(part(0, 250)));
        assert_eq!(requested("bytes=0-9, 60-69"), Requested::One(part(0, 70)));
        assert_eq!(
            requested("bytes=0-9,5000-5009,20000-"),
            Requested::Several(vec![part(0, 10), part(5000, 10)])
        );
        assert_eq!(
            requested("bytes=0-9,5000-5009,9000-9009,10-4999"),
            Requested::Several(vec![part(0, 5010), part(9000, 10)])
        );
        assert_eq!(part(10, 5).content_range(100), "bytes 10-14/100");
    }

    #[test]
    fn too_many_ranges_ask_for_the_whole() {
        let field = |count: u64| {
            let specs: Vec<_> = (0..count).map(|number| format!("{0}-{0}", number * 1000)).collect();
            format!("bytes={}", specs.join(","))
        };
        assert!(
            matches!(requested_parts(field(16).as_bytes(), 100_000), Requested::Several(parts) if parts.len() == 16)
        );
        assert_eq!(requested_parts(field(17).as_bytes(), 100_000), Requested::Whole);
        assert_eq!(requested_parts(format!("bytes={}", "0-,".repeat(1000)).as_bytes(), 9), Requested::Whole);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(value: Vec<u8>, length: u64) {
            let _ = requested_parts(&value, length);
        }

        #[test]
        fn parts_never_make_more_than_the_whole(
            specs in prop::collection::vec("[0-9]{0,5}-[0-9]{0,5}", 0..20),
            length in 0..100_000_u64,
        ) {
            let field = format!("bytes={}", specs.join(", "));
            let parts = match requested_parts(field.as_bytes(), length) {
                Requested::One(part) => vec![part],
                Requested::Several(parts) => {
                    prop_assert!(parts.len() > 1 && parts.len() <= MOST_RANGES);
                    parts
                }
                _ => vec![],
            };
            for (index, one) in parts.iter().enumerate() {
                prop_assert!(one.length > 0 && one.end() <= length);
                for other in parts.iter().skip(index + 1) {
                    prop_assert!(!one.joins(other), "{:?} and {:?}", one, other);
                }
            }
        }
    }
}
