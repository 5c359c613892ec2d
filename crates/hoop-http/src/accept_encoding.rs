//! Which content codings a client takes (RFC 9110 section 12.5.3).

/// A content coding that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All of them, those first that make the least of what they are given.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// Its name in fields.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The coding of that name.
    pub fn named(name: &[u8]) -> Option<Self> {
        // Section 8.4.1.3: x-gzip is gzip.
        if name.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()))
    }
}

/// Thousandths: what a weight can tell apart (section 12.4.2).
type Weight = u16;

/// What a client has said of the codings that we know, in Accept-Encoding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preferences {
    zstd: Option<Weight>,
    brotli: Option<Weight>,
    gzip: Option<Weight>,
    identity: Option<Weight>,
    /// `*`: all that is not named.
    others: Option<Weight>,
}

impl Preferences {
    /// Reads the field. An element that is malformed is left out; of a coding that is named twice the
    /// first counts.
    pub fn parse(value: &[u8]) -> Self {
        let mut read = Self::default();
        for element in value.split(|byte| *byte == b',') {
            let mut parts = element.split(|byte| *byte == b';');
            let name = parts.next().unwrap_or_default().trim_ascii();
            let weight = match parts.next() {
                None => Some(1000),
                Some(parameter) => weight(parameter.trim_ascii()),
            };
            let Some(weight) = weight.filter(|_| parts.next().is_none()) else { continue };
            let place = match Coding::named(name) {
                Some(Coding::Zstd) => &mut read.zstd,
                Some(Coding::Brotli) => &mut read.brotli,
                Some(Coding::Gzip) => &mut read.gzip,
                None if name == b"*" => &mut read.others,
                None if name.eq_ignore_ascii_case(b"identity") => &mut read.identity,
                None => continue,
            };
            place.get_or_insert(weight);
        }
        read
    }

    fn weight(&self, coding: Coding) -> Weight {
        let own = match coding {
            Coding::Zstd => self.zstd,
            Coding::Brotli => self.brotli,
            Coding::Gzip => self.gzip,
        };
        own.or(self.others).unwrap_or(0)
    }

    /// The one of `offered` that the client likes best; where it does not care the earlier one. `None` is
    /// the content as it is: what the client prefers, or all that can be done for it.
    pub fn choose(&self, offered: impl IntoIterator<Item = Coding>) -> Option<Coding> {
        let mut best = None;
        // As it is, it is always good enough unless named; a coding that is taken at all is better.
        let mut least = self.identity.or(self.others).unwrap_or(0).max(1);
        for coding in offered {
            let weight = self.weight(coding);
            if weight > least || weight == least && best.is_none() {
                best = Some(coding);
                least = weight;
            }
        }
        best
    }
}

/// `q=0.5`
fn weight(parameter: &[u8]) -> Option<Weight> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, fraction) = value.split_first()?;
    let fraction = match fraction {
        [] => &[][..],
        [b'.', digits @ ..] if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => digits,
        _ => return None,
    };
    let mut thousandths = 0;
    for place in 0..3 {
        thousandths = thousandths * 10 + fraction.get(place).map_or(0, |digit| Weight::from(digit - b'0'));
    }
    match (whole, thousandths) {
        (b'0', thousandths) => Some(thousandths),
        (b'1', 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chosen(field: &str) -> Option<&'static str> {
        Preferences::parse(field.as_bytes())
            .choose([Coding::Zstd, Coding::Brotli, Coding::Gzip])
            .map(Coding::name)
    }

    #[test]
    fn the_client_chooses_and_then_the_server() {
        for (field, expected) in [
            ("", None),
            ("gzip", Some("gzip")),
            ("X-GZIP", Some("gzip")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("gzip, br", Some("br")),
            ("gzip;q=1.0, br;q=0.5", Some("gzip")),
            ("gzip;q=0", None),
            ("br;q=0, *", Some("zstd")),
            ("*", Some("zstd")),
            ("*;q=0", None),
            ("gzip;q=0.2, *;q=0", Some("gzip")),
            ("deflate", None),
            ("identity", None),
            ("identity;q=0, gzip", Some("gzip")),
            ("identity;q=0", None),
            ("identity;q=1, gzip;q=0.5", None),
            ("identity;q=0.5, gzip", Some("gzip")),
            ("gzip;q=0.001", Some("gzip")),
            ("gzip ; q=0.8 , br;q=0.8", Some("br")),
            ("gzip;q=0, gzip", None),
        ] {
            assert_eq!(chosen(field), expected, "{field}");
        }
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        for field in [
            "gzip;q=2",
            "gzip;q=1.1",
            "gzip;q=0.1234",
            "gzip;q=",
            "gzip;q=-1",
            "gzip;x=1",
            "gzip;q=1;q=1",
            "gz ip",
        ] {
            assert_eq!(chosen(field), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn what_is_chosen_was_taken(weights in prop::collection::vec(prop::option::of(0..=1000_u16), 3)) {
            let shown = |weight: u16| format!("{}.{:03}", weight / 1000, weight % 1000);
            let offered = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
            let named: Vec<_> = offered.into_iter().zip(&weights).filter_map(|(coding, weight)| Some((coding, (*weight)?))).collect();
            let field = named.iter().map(|(coding, weight)| format!("{};q={}", coding.name(), shown(*weight))).collect::<Vec<_>>().join(",");
            let choice = Preferences::parse(field.as_bytes()).choose(offered);
            let best = named.iter().map(|(_, weight)| *weight).max().filter(|weight| *weight > 0);
            let expected = best.and_then(|best| named.iter().find(|(_, weight)| *weight == best)).map(|(coding, _)| *coding);
            prop_assert_eq!(choice, expected);
        }

        #[test]
        fn any_bytes_can_be_read(value: Vec<u8>) {
            let _ = Preferences::parse(&value).choose(Coding::ALL);
        }
    }
}
