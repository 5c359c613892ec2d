//! What a number or a length has to keep to.

use std::cmp::Ordering;
use std::fmt;

use crate::complaint::Complaint;

/// A number as its type has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
}

impl Number {
    fn to_float(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "Python compares exactly; bounds are small")]
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => Some(one.cmp(&two)),
            _ => self.to_float().partial_cmp(&other.to_float()),
        }
    }

    fn is_multiple_of(self, step: Self) -> bool {
        match (self, step) {
            (Self::Integer(number), Self::Integer(step)) => {
                number.checked_rem(step).is_none_or(|rest| rest == 0)
            }
            _ => {
                // As pydantic does it: what is left over may be lost in the digits of a float.
                let (number, step) = (self.to_float(), step.to_float());
                let rest = number.rem_euclid(step);
                let tolerance = number.abs() / 1e9;
                rest.abs() <= tolerance || (rest - step).abs() <= tolerance
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(formatter, "{number}"),
            Self::Float(number) => write!(formatter, "{number}"),
        }
    }
}

/// What a number has to keep to; None asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// It is above this.
    pub above: Option<Number>,
    /// It is this or more.
    pub least: Option<Number>,
    /// It is below this.
    pub below: Option<Number>,
    /// It is this or less.
    pub most: Option<Number>,
    /// It is a multiple of this.
    pub multiple_of: Option<Number>,
}

impl Bounds {
    /// Looks at a number; the order is pydantic's, which tells of the first breach alone.
    pub fn check(&self, number: Number) -> Result<(), Complaint> {
        let order = |bound: Option<Number>| bound.map(|bound| (bound, number.compare(bound)));
        if let Some(step) = self.multiple_of.filter(|step| !number.is_multiple_of(*step)) {
            return Err(Complaint::NotAMultiple(step));
        }
        if let Some((bound, found)) = order(self.most)
            && !matches!(found, Some(Ordering::Less | Ordering::Equal))
        {
            return Err(Complaint::Above(bound));
        }
        if let Some((bound, found)) = order(self.below)
            && found != Some(Ordering::Less)
        {
            return Err(Complaint::NotBelow(bound));
        }
        if let Some((bound, found)) = order(self.least)
            && !matches!(found, Some(Ordering::Greater | Ordering::Equal))
        {
            return Err(Complaint::Below(bound));
        }
        match order(self.above) {
            Some((bound, found)) if found != Some(Ordering::Greater) => Err(Complaint::NotAbove(bound)),
            _ => Ok(()),
        }
    }
}

/// How long something may be; None asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Length {
    /// So long at least.
    pub least: Option<usize>,
    /// So long at most.
    pub most: Option<usize>,
}

impl Length {
    /// Counts the characters of a text.
    pub fn check_text(&self, text: &str) -> Result<(), Complaint> {
        if self.least.is_none() && self.most.is_none() {
            return Ok(());
        }
        let characters = text.chars().count();
        match (self.least, self.most) {
            (Some(least), _) if characters < least => Err(Complaint::TooShort(least)),
            (_, Some(most)) if characters > most => Err(Complaint::TooLong(most)),
            _ => Ok(()),
        }
    }

    /// Looks at a number of values.
    pub fn check_count(&self, actual: usize) -> Result<(), Complaint> {
        match (self.least, self.most) {
            (Some(least), _) if actual < least => Err(Complaint::TooFew { least, actual }),
            (_, Some(most)) if actual > most => Err(Complaint::TooMany { most, actual }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_kept() {
        let five = Some(Number::Integer(5));
        let check = |bounds: Bounds, number: i64| bounds.check(Number::Integer(number)).is_ok();
        assert!(check(Bounds { above: five, ..Bounds::default() }, 6));
        assert!(!check(Bounds { above: five, ..Bounds::default() }, 5));
        assert!(check(Bounds { least: five, ..Bounds::default() }, 5));
        assert!(!check(Bounds { least: five, ..Bounds::default() }, 4));
        assert!(!check(Bounds { below: five, ..Bounds::default() }, 5));
        assert!(check(Bounds { most: five, ..Bounds::default() }, 5));
        assert!(!check(Bounds { most: five, ..Bounds::default() }, 6));
        assert!(check(Bounds { multiple_of: five, ..Bounds::default() }, -10));
        assert!(!check(Bounds { multiple_of: five, ..Bounds::default() }, 11));
    }

    #[test]
    fn what_is_no_number_keeps_to_no_bound() {
        let zero = Some(Number::Integer(0));
        let bounds = Bounds { least: zero, ..Bounds::default() };
        assert_eq!(bounds.check(Number::Float(f64::NAN)), Err(Complaint::Below(Number::Integer(0))));
        let bounds = Bounds { most: zero, ..Bounds::default() };
        assert_eq!(bounds.check(Number::Float(f64::NAN)), Err(Complaint::Above(Number::Integer(0))));
    }

    #[test]
    fn fractions_are_multiples_as_far_as_floats_can_tell() {
        let bounds = Bounds { multiple_of: Some(Number::Float(0.1)), ..Bounds::default() };
        assert_eq!(bounds.check(Number::Float(0.3)), Ok(()));
        assert!(bounds.check(Number::Float(0.35)).is_err());
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let length = Length { least: Some(2), most: Some(3) };
        assert_eq!(length.check_text("äöü"), Ok(()));
        assert_eq!(length.check_text("ä"), Err(Complaint::TooShort(2)));
        assert_eq!(length.check_text("abcd"), Err(Complaint::TooLong(3)));
        assert_eq!(length.check_count(4), Err(Complaint::TooMany { most: 3, actual: 4 }));
    }
}
