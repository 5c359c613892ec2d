//! How long a server asks to be left alone: Retry-After, RFC 9110 section 10.2.3.

use std::time::Duration;

use crate::parse_date;

/// The time from now on, in seconds since 1970, that a Retry-After asks for: it has seconds or a date. A
/// date that has passed asks for nothing. `None` if the value is malformed.
pub fn retry_after(value: &[u8], now: u64) -> Option<Duration> {
    let value = value.trim_ascii();
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        // More seconds than a number holds are still that many.
        let seconds = std::str::from_utf8(value).ok()?.parse().unwrap_or(u64::from(u32::MAX));
        return Some(Duration::from_secs(seconds.min(u64::from(u32::MAX))));
    }
    parse_date(value).map(|date| Duration::from_secs(date.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 784_111_777;

    #[test]
    fn seconds_and_dates_are_understood_and_nothing_else() {
        let seconds = |value: &[u8]| retry_after(value, NOW).map(|wait| wait.as_secs());
        assert_eq!(seconds(b"120"), Some(120));
        assert_eq!(seconds(b" 0 "), Some(0));
        assert_eq!(seconds(b"Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(seconds(b"Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "it has passed");
        assert_eq!(seconds(b"99999999999999999999999"), Some(u64::from(u32::MAX)));
        for malformed in [&b""[..], b"-1", b"1.5", b"soon", b"+3", b"\xff"] {
            assert_eq!(seconds(malformed), None, "{malformed:?}");
        }
    }
}
