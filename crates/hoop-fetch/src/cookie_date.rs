//! The dates of cookies, which are read more gently than others: RFC 6265 section 5.1.1.

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Seconds since 1970; times before that are 0. `None` if it is no date.
pub fn cookie_date(value: &[u8]) -> Option<u64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in value.split(|byte| is_delimiter(*byte)).filter(|token| !token.is_empty()) {
        if time.is_none()
            && let Some(found) = time_of(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = leading_number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = leading_number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let (time, day, month, mut year) = (time?, day?, month?, year?);
    match year {
        70..=99 => year += 1900,
        0..=69 => year += 2000,
        _ => {}
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year < 1601 || !(1..=length).contains(&day) {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    let days = days_before_year(year) + days_before_month(month, is_leap) + day - 1;
    Some(days * 86_400 + time)
}

/// RFC 6265's delimiters: all but letters, digits, the colon, and bytes above ASCII.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// `h:m:s` with one or two digits each, and anything that is no digit after it; as seconds.
fn time_of(token: &[u8]) -> Option<u64> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let whole =
        |part: &[u8]| if part.iter().all(u8::is_ascii_digit) { leading_number(part, 1, 2) } else { None };
    let (hour, minute) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let second = leading_number(parts.next()?, 1, 2)?;
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

fn month_of(token: &[u8]) -> Option<u64> {
    let name = token.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| *month == name.as_slice())?;
    u64::try_from(at + 1).ok()
}

/// A number of so many digits, which no further digit follows.
fn leading_number(token: &[u8], least: usize, most: usize) -> Option<u64> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(least..=most).contains(&digits) {
        return None;
    }
    std::str::from_utf8(token.get(..digits)?).ok()?.parse().ok()
}

/// Days from 1970 to the first of a year that is not before it.
fn days_before_year(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn days_before_month(month: u64, is_leap: bool) -> u64 {
    let lengths = [31, 28 + u64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    lengths.iter().take(usize::try_from(month - 1).unwrap_or(0)).sum()
}
