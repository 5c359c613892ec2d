//! application/x-www-form-urlencoded as it arrives (WHATWG URL, section 5.1).
//!
//! Unlike there, what is no UTF-8 is a flaw, and not a text with something missing.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::charset::Charset;
use crate::flaw::{Flaw, Problem};
use crate::limits::Limits;

/// Reads the pairs of a form that comes in chunks.
#[derive(Debug)]
pub struct Urlencoded {
    limits: Limits,
    charset: Charset,
    /// The beginning of a pair that is not yet complete.
    held: Vec<u8>,
    /// The byte of the body that the pair begins with.
    begins: u64,
    fields: usize,
}

impl Urlencoded {
    /// A reader at the beginning of a form.
    pub fn new(charset: Charset, limits: Limits) -> Self {
        Self { limits, charset, held: Vec::new(), begins: 0, fields: 0 }
    }

    /// Reads a chunk. After a flaw there is nothing more to be read.
    pub fn feed(&mut self, chunk: &[u8], on: &mut impl FnMut(String, String)) -> Result<(), Flaw> {
        let mut rest = chunk;
        while let Some(at) = memchr::memchr(b'&', rest) {
            let (end, behind) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            let pair = match self.held.is_empty() {
                true => Cow::Borrowed(end),
                false => {
                    self.held.extend_from_slice(end);
                    Cow::Owned(std::mem::take(&mut self.held))
                }
            };
            self.pair(&pair, on)?;
            self.begins += pair.len() as u64 + 1;
            rest = behind.get(1..).unwrap_or_default();
        }
        self.held.extend_from_slice(rest);
        self.refuse_large(&self.held)
    }

    /// Reads what comes last.
    pub fn finish(&mut self, on: &mut impl FnMut(String, String)) -> Result<(), Flaw> {
        let pair = std::mem::take(&mut self.held);
        self.pair(&pair, on)
    }

    fn pair(&mut self, pair: &[u8], on: &mut impl FnMut(String, String)) -> Result<(), Flaw> {
        if pair.is_empty() {
            return Ok(());
        }
        self.refuse_large(pair)?;
        self.fields += 1;
        if self.fields > self.limits.fields {
            return Err(Problem::TooManyFields(self.limits.fields).at(self.begins));
        }
        let (name, value) = split(pair);
        let name = self.decode(name).ok_or_else(|| Problem::NameEncoding.at(self.begins))?;
        match self.decode(value) {
            Some(value) => {
                on(name, value);
                Ok(())
            }
            None => Err(Problem::Encoding(name).at(self.begins)),
        }
    }

    fn decode(&self, encoded: &[u8]) -> Option<String> {
        let spaced: Cow<'_, [u8]> = match encoded.contains(&b'+') {
            false => Cow::Borrowed(encoded),
            true => encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
        };
        self.charset.decode(Cow::from(percent_decode(&spaced)).into_owned()).ok()
    }

    /// Name and value are counted as they were sent: what is decoded is never more.
    fn refuse_large(&self, pair: &[u8]) -> Result<(), Flaw> {
        let most = self.limits.field_size;
        if pair.len() <= most || pair.len() == most + 1 && pair.contains(&b'=') {
            return Ok(());
        }
        // However much more of it has come by now, the same is told.
        let name = split(pair.get(..=most).unwrap_or(pair)).0;
        let shown = name.get(..name.len().min(LONGEST_SHOWN)).unwrap_or_default();
        let name = String::from_utf8_lossy(shown).into_owned();
        Err(Problem::FieldTooLarge { name, most }.at(self.begins))
    }
}

/// So much of a name that is too large is told.
const LONGEST_SHOWN: usize = 60;

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
    (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(String, String)>;

    fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>, limits: Limits) -> Result<Pairs, Flaw> {
        let mut form = Urlencoded::new(Charset::Utf8, limits);
        let mut pairs = Vec::new();
        for chunk in chunks {
            form.feed(chunk, &mut |name, value| pairs.push((name, value)))?;
        }
        form.finish(&mut |name, value| pairs.push((name, value)))?;
        Ok(pairs)
    }

    fn whole(text: &str, limits: Limits) -> Result<Pairs, Flaw> {
        read(std::iter::once(text.as_bytes()), limits)
    }

    #[test]
    fn what_is_no_text_is_told_with_its_field() {
        let flaw = whole("a=1&b=%ff", Limits::default()).expect_err("no UTF-8");
        assert_eq!(flaw, Problem::Encoding("b".into()).at(4));
        assert_eq!(flaw.to_string(), "the field \"b\" is not valid UTF-8, at byte 4");
        assert_eq!(whole("a&%fe=1", Limits::default()), Err(Problem::NameEncoding.at(2)));
    }

    #[test]
    fn there_are_limits() {
        let limits = Limits { fields: 2, field_size: 5, ..Limits::default() };
        assert_eq!(whole("a=1&&bc=123&", limits).map(|pairs| pairs.len()), Ok(2));
        assert_eq!(whole("a=1&b=2&c", limits), Err(Problem::TooManyFields(2).at(8)));
        let flaw = Problem::FieldTooLarge { name: "bc".into(), most: 5 }.at(4);
        assert_eq!(whole("a=1&bc=1234&d", limits), Err(flaw.clone()));
        assert_eq!(whole("a=1&bc=1234", limits), Err(flaw));
    }

    proptest! {
        #[test]
        fn it_reads_what_another_library_writes(pairs: Vec<(String, String)>, size in 1_usize..9) {
            let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(read(written.as_bytes().chunks(size), Limits::default()), Ok(pairs));
        }

        #[test]
        fn it_reads_what_another_library_reads(text in "[a-c&=+%0-9 é]{0,40}", size in 1_usize..9) {
            let theirs: Pairs = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            match read(text.as_bytes().chunks(size), Limits::default()) {
                Ok(ours) => prop_assert_eq!(ours, theirs),
                Err(_) => {
                    let lost = |text: &String| text.contains('\u{fffd}');
                    prop_assert!(theirs.iter().any(|(name, value)| lost(name) || lost(value)));
                }
            }
        }

        #[test]
        fn how_it_is_cut_makes_no_difference(bytes in prop::collection::vec(prop::sample::select(b"a=&%f+\xff".to_vec()), 0..60), size in 1_usize..9) {
            let limits = Limits { fields: 5, field_size: 12, ..Limits::default() };
            prop_assert_eq!(read(std::iter::once(bytes.as_slice()), limits), read(bytes.chunks(size), limits));
        }
    }
}
