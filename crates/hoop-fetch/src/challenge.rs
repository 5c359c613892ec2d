//! What WWW-Authenticate and Proxy-Authenticate ask for: RFC 9110 section 11.6.1. And `Basic`, RFC 7617.

use data_encoding::BASE64;

/// One way to authenticate that a server offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    /// Its scheme, in lower case.
    pub scheme: String,
    /// What it says as one token, as Negotiate does.
    pub token: Option<String>,
    /// Its parameters, with names in lower case.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The challenges of a field, in their order; what is malformed ends the list.
pub fn challenges(value: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let (word, after) = token(rest);
        if word.is_empty() {
            return found;
        }
        let after = after.trim_start_matches([' ', '\t']);
        match after.strip_prefix('=') {
            // `name=value` belongs to the scheme before it.
            Some(value) if !value.starts_with('=') => {
                let Some((value, after)) = parameter_value(value.trim_start_matches([' ', '\t'])) else {
                    return found;
                };
                let Some(challenge) = found.last_mut() else { return found };
                challenge.parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            Some(_) => return found,
            None => {
                let (token68, after) = token68(after);
                let token = token68.map(str::to_owned);
                found.push(Challenge { scheme: word.to_ascii_lowercase(), token, parameters: Vec::new() });
                rest = after;
            }
        }
    }
}

/// The Authorization of a name and a password. A name with a colon cannot be told from the password, so
/// there is none for it (RFC 7617 section 2).
pub fn basic(name: &str, password: &str) -> Option<String> {
    let has_control = |text: &str| text.chars().any(|character| character.is_ascii_control());
    if name.contains(':') || has_control(name) || has_control(password) {
        return None;
    }
    Some(format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes())))
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

fn token(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character| !is_token(character)).unwrap_or(text.len()))
}

/// A token of the kind that stands alone after a scheme; it may end in `=`, and a comma or nothing follows.
fn token68(text: &str) -> (Option<&str>, &str) {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-._~+/".contains(character);
    let body = text.find(|character| !is_part(character)).unwrap_or(text.len());
    let (_, after) = text.split_at(body);
    let padding = after.len() - after.trim_start_matches('=').len();
    let (whole, rest) = text.split_at(body + padding);
    let ends = rest.trim_start_matches([' ', '\t']);
    if body > 0 && (ends.is_empty() || ends.starts_with(',')) { (Some(whole), rest) } else { (None, text) }
}

fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        return (!value.is_empty()).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}
