//! The logins of a `.netrc`, a file that curl, git and ftp share: words, in the order that they come.

use std::collections::HashMap;

/// A login for a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// Who; empty where the file does not say.
    pub name: String,
    /// The password; empty where the file does not say.
    pub password: String,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Netrc {
    machines: HashMap<String, Login>,
    default: Option<Login>,
}

/// What cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the netrc: {what}")]
pub struct NetrcFault {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl Netrc {
    /// Reads a file. Of several entries for a host the first counts.
    pub fn parse(text: &str) -> Result<Self, NetrcFault> {
        let mut words = Words { rest: text, line: 1 };
        let mut read = Self::default();
        // Whose login is being read; None at the beginning.
        let mut entry: Option<(Option<String>, Login)> = None;
        while let Some(word) = words.next() {
            match word.as_str() {
                "machine" => {
                    read.keep(entry.take());
                    entry = Some((Some(words.value("machine")?.to_ascii_lowercase()), Login::default()));
                }
                "default" => {
                    read.keep(entry.take());
                    entry = Some((None, Login::default()));
                }
                "macdef" => words.skip_macro(),
                "login" | "user" | "password" | "account" => {
                    let value = words.value(&word)?;
                    let Some((_, login)) = &mut entry else {
                        return Err(words.fault(format!("'{word}' belongs to no machine")));
                    };
                    match word.as_str() {
                        "password" => login.password = value,
                        "account" => {}
                        _ => login.name = value,
                    }
                }
                comment if comment.starts_with('#') => words.skip_line(),
                // It may be half of a password, and is not shown.
                _ => return Err(words.fault("a word there is none of a netrc".to_owned())),
            }
        }
        read.keep(entry);
        Ok(read)
    }

    /// The login for a host, or the one for all others.
    pub fn login(&self, host: &str) -> Option<&Login> {
        self.machines.get(&host.to_ascii_lowercase()).or(self.default.as_ref())
    }

    fn keep(&mut self, entry: Option<(Option<String>, Login)>) {
        match entry {
            Some((Some(machine), login)) => {
                self.machines.entry(machine).or_insert(login);
            }
            Some((None, login)) => {
                self.default.get_or_insert(login);
            }
            None => {}
        }
    }
}

struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl Words<'_> {
    /// The next word; one in quotes may hold spaces and escapes.
    fn next(&mut self) -> Option<String> {
        let trimmed = self.rest.trim_start();
        self.line += self
            .rest
            .len()
            .checked_sub(trimmed.len())
            .map_or(0, |skipped| self.rest.get(..skipped).unwrap_or_default().matches('\n').count());
        self.rest = trimmed;
        if self.rest.is_empty() {
            return None;
        }
        let mut word = String::new();
        let is_quoted = self.rest.starts_with('"');
        let mut characters = self.rest.char_indices().skip(usize::from(is_quoted));
        let mut end = self.rest.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' if is_quoted => {
                    end = at + 1;
                    break;
                }
                '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
                space if !is_quoted && space.is_whitespace() => {
                    end = at;
                    break;
                }
                other => word.push(other),
            }
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        Some(word)
    }

    fn value(&mut self, of: &str) -> Result<String, NetrcFault> {
        self.next().ok_or_else(|| self.fault(format!("'{of}' has no value")))
    }

    /// A macro goes to the next empty line.
    fn skip_macro(&mut self) {
        let end = self.rest.find("\n\n").map_or(self.rest.len(), |at| at + 1);
        self.skip(end);
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.skip(end);
    }

    fn skip(&mut self, end: usize) {
        self.line += self.rest.get(..end).unwrap_or_default().matches('\n').count();
        self.rest = self.rest.get(end..).unwrap_or_default();
    }

    fn fault(&self, what: String) -> NetrcFault {
        NetrcFault { line: self.line, what }
    }
}
