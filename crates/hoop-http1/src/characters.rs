//! Which bytes may stand where (RFC 9110 section 5.6.2, RFC 9112 section 3.2).

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const VALUE: u8 = 4;

/// What each byte may be part of.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        let token = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
            || matches!(byte, b'^' | b'_' | b'`' | b'|' | b'~');
        // Bytes above ASCII break RFC 3986, but clients send them unescaped and nobody reads them in
        // two ways. A fragment is never sent, and one reader might cut it off.
        let target = byte > b' ' && byte != 0x7f && byte != b'#';
        let value = byte >= b' ' && byte != 0x7f || byte == b'\t';
        table[byte as usize] =
            if token { TOKEN } else { 0 } | if target { TARGET } else { 0 } | if value { VALUE } else { 0 };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

fn all_are(bytes: &[u8], class: u8) -> bool {
    bytes.iter().all(|byte| CLASSES[usize::from(*byte)] & class != 0)
}

fn split(bytes: &[u8], class: u8) -> (&[u8], &[u8]) {
    let length = bytes.iter().take_while(|byte| CLASSES[usize::from(**byte)] & class != 0).count();
    bytes.split_at_checked(length).unwrap_or_default()
}

/// A method or a header's name at the beginning, and what comes after it.
pub fn split_token(bytes: &[u8]) -> (&[u8], &[u8]) {
    split(bytes, TOKEN)
}

/// What a request target is made of, whatever its form, and what comes after it.
pub fn split_target(bytes: &[u8]) -> (&[u8], &[u8]) {
    split(bytes, TARGET)
}

/// A header's value. Most are plain, which shows eight bytes at a time.
pub fn is_value(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| is_plain(*word) || all_are(word, VALUE)) && all_are(rest, VALUE)
}

/// Whether no byte of a word is below the space or DEL. It may say no to a word that is plain.
fn is_plain(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_ne_bytes(word);
    // A byte's high bit appears where a subtraction went below zero and the byte had none itself.
    let below_space = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    let delete = word ^ (ONES * 0x7f);
    let is_delete = delete.wrapping_sub(ONES) & !delete & HIGH;
    below_space | is_delete == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_alike_alone_and_in_a_long_value() {
        for byte in 0..=u8::MAX {
            let allowed = byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
            assert_eq!(is_value(&[byte]), allowed, "{byte:#x}");
            for at in 0..19 {
                let mut value = [b'a'; 19];
                value[at] = byte;
                assert_eq!(is_value(&value), allowed, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn tokens_are_those_of_the_standard() {
        assert_eq!(split_token(b"Content-Length"), (&b"Content-Length"[..], &b""[..]));
        assert_eq!(split_token(b"!#$%&'*+-.^_`|~09azAZ:"), (&b"!#$%&'*+-.^_`|~09azAZ"[..], &b":"[..]));
        for end in *b" :\0\t\x7f\xc3(),/;<=>?@[\\]{}\"\r\n" {
            assert_eq!(split_token(&[b'a', end, b'a']).0, b"a", "{end:#x}");
        }
    }

    #[test]
    fn targets_have_no_spaces_controls_or_fragments() {
        for target in [&b"/a?b=%20&c=\"[]{}|^`"[..], b"/caf\xc3\xa9"] {
            assert_eq!(split_target(target), (target, &b""[..]));
        }
        for end in *b" \t\0\r\x7f#" {
            assert_eq!(split_target(&[b'/', end, b'a']).0, b"/", "{end:#x}");
        }
    }
}
