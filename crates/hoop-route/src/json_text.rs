//! Texts and numbers as JSON writes them (RFC 8259 sections 6 and 7).

/// Writes a text with its quotes.
pub fn write_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(position) = first_to_escape(rest) {
        let (before, after) = rest.split_at(position);
        bytes.extend_from_slice(before);
        let Some((&byte, after)) = after.split_first() else { break };
        match byte {
            b'"' => bytes.extend_from_slice(br#"\""#),
            b'\\' => bytes.extend_from_slice(br"\\"),
            b'\n' => bytes.extend_from_slice(br"\n"),
            b'\r' => bytes.extend_from_slice(br"\r"),
            b'\t' => bytes.extend_from_slice(br"\t"),
            other => bytes.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest);
    bytes.push(b'"');
}

/// Where the first byte is that JSON does not take as it is. Nearly all texts have none, so eight are
/// looked at in one word: that may see one too early, behind another, but misses none.
fn first_to_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().take_while(|bytes| {
        let word = u64::from_ne_bytes(**bytes);
        let is_control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        is_control | has_zero(word ^ (ONES * u64::from(b'"'))) | has_zero(word ^ (ONES * u64::from(b'\\')))
            == 0
    });
    let from = plain.count() * 8;
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|&byte| NEEDS_ESCAPE[usize::from(byte)]).map(|position| from + position)
}

/// Writes a whole number.
pub fn write_integer(bytes: &mut Vec<u8>, number: i64) {
    bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes the shortest digits that are read back as the same number, and the point of a whole one.
/// JSON has no infinities; like pydantic we write null for what is not finite.
pub fn write_float(bytes: &mut Vec<u8>, number: f64) {
    if write_cents(bytes, number) {
        return;
    }
    if number.is_finite() {
        bytes.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
    } else {
        bytes.extend_from_slice(b"null");
    }
}

/// Writes a number of at most two decimals, if it is one: most are, and need no search for their digits.
///
/// `hundreds / 100` is the number nearest to those decimals. They have at most 15 digits, and no two
/// decimals of at most 15 digits have the same nearest number: so none that is shorter is read back as this.
fn write_cents(bytes: &mut Vec<u8>, number: f64) -> bool {
    const LARGEST: f64 = 1e13;
    if number.is_nan() || number.abs() >= LARGEST || (number == 0.0 && number.is_sign_negative()) {
        return false;
    }
    // Within the bounds of both, as it is below `LARGEST`.
    let scaled = number * 100.0;
    let hundreds = (scaled + 0.5_f64.copysign(scaled)) as i64;
    if hundreds as f64 / 100.0 != number {
        return false;
    }
    if hundreds < 0 {
        bytes.push(b'-');
    }
    let (whole, cents) = (hundreds.unsigned_abs() / 100, (hundreds.unsigned_abs() % 100) as u8);
    bytes.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    let digits = [b'.', b'0' + cents / 10, b'0' + cents % 10];
    bytes.extend_from_slice(if cents % 10 == 0 { &digits[..2] } else { &digits });
    true
}

/// RFC 8259 section 7: quotes, backslashes and control characters.
static NEEDS_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut bytes = Vec::new();
        write_text(&mut bytes, text);
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn what_json_does_not_take_as_it_is_is_escaped() {
        assert_eq!(written("plain é €"), "\"plain é €\"");
        assert_eq!(written("a\"b\\c\n\r\t\u{1}\u{1f}\u{7f}"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\u{7f}\"");
    }

    #[test]
    fn it_does_not_matter_where_in_a_text_it_stands() {
        for length in 0..40 {
            for escaped in ['"', '\\', '\n', '\u{1f}', 'ü', ' ', '!', '#', '[', ']', '\u{7f}', '\u{80}'] {
                for place in 0..=length {
                    let text = format!("{}{escaped}{}", "a".repeat(place), "b".repeat(length - place));
                    let alone = written(&escaped.to_string());
                    let alone = &alone[1..alone.len() - 1];
                    let expected = format!("\"{}{alone}{}\"", "a".repeat(place), "b".repeat(length - place));
                    assert_eq!(written(&text), expected);
                }
            }
        }
    }

    fn float(number: f64) -> String {
        let mut bytes = Vec::new();
        write_float(&mut bytes, number);
        String::from_utf8(bytes).expect("text")
    }

    fn shortest(number: f64) -> String {
        ryu::Buffer::new().format_finite(number).to_owned()
    }

    proptest! {
        #[test]
        fn every_float_has_its_shortest_digits(number in any::<f64>(), hundreds in -2_000_000_000_000_000..2_000_000_000_000_000_i64) {
            let near = |number: f64| [number, number.next_up(), number.next_down()];
            let of_cents = near(hundreds as f64 / 100.0);
            let small = near((hundreds % 1_000_000) as f64 / 100.0);
            for number in of_cents.into_iter().chain(small).chain([number]).filter(|number| number.is_finite()) {
                prop_assert_eq!(float(number), shortest(number));
            }
        }
    }

    #[test]
    fn floats_at_the_edges_of_two_decimals_are_like_all_others() {
        for number in
            [0.0, -0.0, 0.01, -0.01, 0.005, 0.29, 1.1, 99.995, 1e13, 9_999_999_999_999.99, 1e15, 1e16, 1e22]
        {
            assert_eq!(float(number), shortest(number));
            assert_eq!(float(-number), shortest(-number));
        }
        assert_eq!([float(250.25), float(250.0), float(-9.5)], ["250.25", "250.0", "-9.5"]);
    }

    #[test]
    fn numbers_are_short_and_finite() {
        let mut bytes = Vec::new();
        for number in [1.0, -0.1, 1e300, f64::NAN] {
            write_float(&mut bytes, number);
            bytes.push(b' ');
        }
        write_integer(&mut bytes, i64::MIN);
        assert_eq!(bytes, b"1.0 -0.1 1e300 null -9223372036854775808");
    }
}
