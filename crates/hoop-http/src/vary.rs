//! Vary, with one more field (RFC 9110 section 12.5.5).

/// What Vary is to say once `name` is in it too; `None` if it says so already. `present` are the values
/// of all its lines.
pub fn merged_vary<'a>(present: impl Iterator<Item = &'a [u8]>, name: &str) -> Option<Vec<u8>> {
    let mut merged = Vec::new();
    for value in present {
        for member in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if member == b"*" || member.eq_ignore_ascii_case(name.as_bytes()) {
                return None;
            }
            if !member.is_empty() {
                merged.extend_from_slice(member);
                merged.extend_from_slice(b", ");
            }
        }
    }
    merged.extend_from_slice(name.as_bytes());
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(present: &[&str]) -> Option<String> {
        merged_vary(present.iter().map(|value| value.as_bytes()), "Accept-Encoding")
            .map(|value| String::from_utf8(value).expect("text"))
    }

    #[test]
    fn a_field_is_named_once() {
        assert_eq!(merged(&[]).as_deref(), Some("Accept-Encoding"));
        assert_eq!(
            merged(&["Cookie, Origin", "", "X"]).as_deref(),
            Some("Cookie, Origin, X, Accept-Encoding")
        );
        assert_eq!(merged(&["Cookie", "accept-encoding"]), None);
        assert_eq!(merged(&["*"]), None);
    }
}
