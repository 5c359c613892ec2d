//! The dates of HTTP's fields, as seconds since 1970 (RFC 9110 section 5.6.7).

/// How many bytes a date has.
pub const DATE_LENGTH: usize = 29;

const DAY: u64 = 86_400;
/// What four digits can say: the end of the year 9999.
const END: u64 = 253_402_300_800;
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// 1970 began with a Thursday.
const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
/// Of years of two digits these and later ones are of the last century.
const LAST_CENTURY_FROM: u64 = 70;

/// A time in the form that is to be sent: `Sun, 06 Nov 1994 08:49:37 GMT`; `None` past the year 9999.
pub fn format_date(seconds: u64) -> Option<[u8; DATE_LENGTH]> {
    if seconds >= END {
        return None;
    }
    let (days, time) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = date_of(days);
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = WEEKDAYS.get((days % 7) as usize)?;
    let name = MONTHS.get(month as usize - 1)?;
    date.get_mut(..3)?.copy_from_slice(*weekday);
    date.get_mut(8..11)?.copy_from_slice(*name);
    let numbers = [
        (5, day),
        (12, year / 100),
        (14, year % 100),
        (17, time / 3600),
        (20, time / 60 % 60),
        (23, time % 60),
    ];
    for (place, number) in numbers {
        let digits = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        date.get_mut(place..place + 2)?.copy_from_slice(&digits);
    }
    Some(date)
}

/// A time in any of the three forms that are to be understood; `None` for anything else, and for times
/// before 1970.
pub fn parse_date(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let (day, month, year, time) = imf_date(value).or_else(|| old_date(value)).or_else(|| c_date(value))?;
    let (hour, minute, second) = time_of_day(time)?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let days = days_before(year, month, day)?;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// Day, month, year, time.
type Fields<'a> = (u64, &'a [u8], u64, &'a [u8]);

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_date(value: &[u8]) -> Option<Fields<'_>> {
    let at = |from: usize, to: usize| value.get(from..to);
    let spaced = value.len() == DATE_LENGTH
        && at(3, 5)? == b", "
        && [7, 11, 16, 25].iter().all(|place| value.get(*place) == Some(&b' '))
        && at(26, 29)? == b"GMT"
        && WEEKDAYS.iter().any(|name| value.starts_with(*name));
    if !spaced {
        return None;
    }
    Some((number(at(5, 7)?)?, at(8, 11)?, number(at(12, 16)?)?, at(17, 25)?))
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn old_date(value: &[u8]) -> Option<Fields<'_>> {
    const NAMES: [&[u8]; 7] =
        [b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday", b"Sunday"];
    let name = value.split(|byte| *byte == b',').next()?;
    let rest = value.get(name.len()..)?.strip_prefix(b", ")?;
    let at = |from: usize, to: usize| rest.get(from..to);
    let formed = NAMES.contains(&name)
        && rest.len() == 22
        && at(2, 3)? == b"-"
        && at(6, 7)? == b"-"
        && at(9, 10)? == b" "
        && at(18, 22)? == b" GMT";
    if !formed {
        return None;
    }
    let year = number(at(7, 9)?)?;
    let century = if year >= LAST_CENTURY_FROM { 1900 } else { 2000 };
    Some((number(at(0, 2)?)?, at(3, 6)?, century + year, at(10, 18)?))
}

/// `Sun Nov  6 08:49:37 1994`
fn c_date(value: &[u8]) -> Option<Fields<'_>> {
    let at = |from: usize, to: usize| value.get(from..to);
    let formed = value.len() == 24
        && [3, 7, 10, 19].iter().all(|place| value.get(*place) == Some(&b' '))
        && WEEKDAYS.iter().any(|name| value.starts_with(*name));
    if !formed {
        return None;
    }
    let day = at(8, 10)?;
    let day = day.strip_prefix(b" ").unwrap_or(day);
    Some((number(day)?, at(4, 7)?, number(at(20, 24)?)?, at(11, 19)?))
}

fn time_of_day(time: &[u8]) -> Option<(u64, u64, u64)> {
    if time.len() != 8 || time.get(2) != Some(&b':') || time.get(5) != Some(&b':') {
        return None;
    }
    let (hour, minute, second) = (number(time.get(..2)?)?, number(time.get(3..5)?)?, number(time.get(6..)?)?);
    // 60 is a leap second, and as good as the last one.
    (hour < 24 && minute < 60 && second <= 60).then(|| (hour, minute, second.min(59)))
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the year 0 to the beginning of a year of our calendar, carried back.
fn days_to_year(year: u64) -> u64 {
    let before = year.saturating_sub(1);
    // The year 0 is a leap year.
    year * 365 + if year == 0 { 0 } else { 1 + before / 4 - before / 100 + before / 400 }
}

/// Days from 1970 to a date; `None` if there is none, or if it is before.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if day == 0 || day > days_in(year, month) {
        return None;
    }
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    (days_to_year(year) + months + day - 1).checked_sub(days_to_year(1970))
}

/// The date that is so many days after 1970 began.
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + days_to_year(1970);
    // Too late by a year at the most: no year has fewer days.
    let mut year = days / 365;
    while days_to_year(year) > days {
        year -= 1;
    }
    let mut left = days - days_to_year(year);
    let mut month = 1;
    while left >= days_in(year, month) {
        left -= days_in(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_forms_are_one_date() {
        // RFC 9110 section 5.6.7.
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse_date(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(format_date(784_111_777).as_ref(), Some(b"Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(
            parse_date(b"Sat, 31 Dec 2016 23:59:60 GMT"),
            parse_date(b"Sat, 31 Dec 2016 23:59:59 GMT")
        );
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 29 Feb 1900 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sun, 06 Nov 1994 +8:49:37 GMT",
        ] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text}");
        }
        assert_eq!(format_date(END), None);
        assert_eq!(format_date(END - 1).as_ref(), Some(b"Fri, 31 Dec 9999 23:59:59 GMT"));
    }

    proptest! {
        #[test]
        fn it_writes_what_another_library_writes(seconds in 0..END) {
            let ours = format_date(seconds).expect("within reach");
            let theirs = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
            prop_assert_eq!(std::str::from_utf8(&ours).expect("ASCII"), theirs);
            prop_assert_eq!(parse_date(&ours), Some(seconds));
        }

        #[test]
        fn any_bytes_can_be_read(value: Vec<u8>) {
            let _ = parse_date(&value);
        }

        #[test]
        fn what_looks_like_a_date_can_be_read(value in "(Sun|Monday)?,? ?[0-9 ]{1,2}[- ](Nov|Feb)[- ][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT") {
            let _ = parse_date(value.as_bytes());
        }
    }
}
