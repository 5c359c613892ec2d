//! How a Content-Type says that text is written: its parameter `charset` (RFC 9110 section 8.3.2).

/// The charset that a Content-Type names, in lower case; `None` if it names none.
pub fn charset(content_type: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content_type).ok()?;
    let (_, mut rest) = text.split_once(';')?;
    loop {
        let (name, after) = rest.split_once('=')?;
        // A parameter without a value is skipped.
        let name = name.rsplit(';').next().unwrap_or_default().trim();
        let (value, next) = parameter_value(after.trim_start());
        if name.eq_ignore_ascii_case("charset") {
            let value = value.trim().to_ascii_lowercase();
            return (!value.is_empty()).then_some(value);
        }
        rest = next;
    }
}

/// A value, which may be a quoted string, and what comes after its semicolon.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let rest = quoted.get(at + 1..).unwrap_or_default();
                return (value, rest.split_once(';').map_or("", |(_, rest)| rest));
            }
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}
