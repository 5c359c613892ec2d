//! Python objects that were made of what clients sent, or where they came to, kept for who does the same again.
//!
//! A program asks for the same few targets, and every browser of a kind sends the same headers. What is
//! kept is what was wanted twice with nothing else in between that wants its place, so that what comes once
//! neither costs an entry nor takes one away.

use pyo3::prelude::*;

use crate::gil_cell::GilCell;

/// A power of two.
const PLACES: usize = 128;
/// Longer text is not looked for.
const LONGEST: usize = 192;

struct Place<T> {
    /// What was asked for last and not found.
    missed: u64,
    kind: usize,
    text: Box<[u8]>,
    made: Option<Py<T>>,
}

/// What is known of a text.
pub enum Look<'py, T> {
    Known(Bound<'py, T>),
    /// It has come before, so that what is made of it is worth being kept.
    Again,
    New,
}

/// Objects by the text that they were made of, and by a kind, which is any number.
pub struct Recurring<T>(GilCell<Vec<Place<T>>>);

impl<T> std::fmt::Debug for Recurring<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recurring")
    }
}

impl<T> Recurring<T> {
    pub fn new() -> Self {
        let empty = || Place { missed: 0, kind: 0, text: Box::default(), made: None };
        Self(GilCell::new(std::iter::repeat_with(empty).take(PLACES).collect()))
    }

    /// Looks for what was made of this text before.
    #[inline]
    pub fn look<'py>(&self, py: Python<'py>, kind: usize, text: &[u8]) -> Look<'py, T> {
        if text.len() > LONGEST {
            return Look::New;
        }
        let mark = mark(kind, text);
        let mut places = self.0.borrow_mut(py);
        let Some(place) = places.get_mut(place_of(mark)) else { return Look::New };
        if let Some(made) = &place.made
            && place.kind == kind
            && *place.text == *text
        {
            return Look::Known(made.bind(py).clone());
        }
        if std::mem::replace(&mut place.missed, mark) == mark { Look::Again } else { Look::New }
    }

    /// Keeps what was made of a text that came again.
    pub fn keep(&self, py: Python<'_>, kind: usize, text: &[u8], made: &Bound<'_, T>) {
        let new = Place { missed: 0, kind, text: text.into(), made: Some(made.clone().unbind()) };
        let index = place_of(mark(kind, text));
        let before = self.0.borrow_mut(py).get_mut(index).map(|place| std::mem::replace(place, new));
        // Outside the borrow: dropping an object may run Python code.
        drop(before);
    }
}

/// Differs for nearly all different texts. Whoever finds some for which it does not gains nothing: they
/// share a place.
fn mark(kind: usize, text: &[u8]) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut mark = (kind as u64 ^ text.len() as u64).wrapping_mul(MIX);
    let mut words = text.chunks_exact(8);
    for word in &mut words {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        mark = (mark.rotate_left(29) ^ word).wrapping_mul(MIX);
    }
    let rest = words.remainder().iter().fold(0, |rest, byte| rest << 8 | u64::from(*byte));
    // Never 0, which is nobody's.
    (mark.rotate_left(29) ^ rest).wrapping_mul(MIX) | 1
}

fn place_of(mark: u64) -> usize {
    usize::try_from(mark >> 40).unwrap_or_default() % PLACES
}
