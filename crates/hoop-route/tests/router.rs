//! The router finds what trying all routes one after the other would find.

use std::borrow::Cow;

use hoop_route::{Destination, Pattern, Router, Segment};
use proptest::prelude::*;

const SEGMENTS: [&str; 8] = ["", "a", "b", "1", "{}", "{:int}", "a{}", "{}.{:int}"];
const METHODS: [&str; 3] = ["GET", "PUT", "POST"];

/// Gives each parameter of a pattern a name of its own.
fn named(pattern: &str) -> String {
    let mut parts = pattern.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (number, part) in parts.enumerate() {
        text.push_str(&format!("{{p{number}{part}"));
    }
    text
}

fn patterns() -> impl Strategy<Value = String> {
    let segments = proptest::collection::vec(proptest::sample::select(&SEGMENTS[..]), 1..4);
    (segments, any::<bool>()).prop_map(|(segments, rest)| {
        named(&format!("/{}{}", segments.join("/"), if rest { "/{:path}" } else { "" }))
    })
}

fn paths() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab1.]{0,3}|%61|%2F|a%2F1", 1..5)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

/// Tries one pattern, segment by segment.
fn captured<'t>(pattern: &Pattern, segments: &[Cow<'t, str>]) -> Option<Vec<Cow<'t, str>>> {
    let mut found = Vec::new();
    for (index, segment) in pattern.segments().iter().enumerate() {
        if segment.takes_the_rest() {
            let rest = Cow::Owned(segments.get(index..).filter(|rest| !rest.is_empty())?.join("/"));
            return segment.capture(&rest, &mut found).then_some(found);
        }
        let text = segments.get(index)?;
        if !fits(segment, text, &mut found) {
            return None;
        }
    }
    (pattern.segments().len() == segments.len()).then_some(found)
}

#[expect(clippy::ptr_arg, reason = "what is borrowed stays borrowed for as long as the path")]
fn fits<'t>(segment: &Segment, text: &Cow<'t, str>, found: &mut Vec<Cow<'t, str>>) -> bool {
    match segment.literal() {
        Some(literal) => literal == text,
        None => segment.capture(text, found),
    }
}

proptest! {
    #[test]
    fn finds_the_first_route_that_fits(
        declared in proptest::collection::vec((patterns(), proptest::sample::subsequence(&METHODS[..], 0..3)), 0..12),
        method in proptest::sample::select(&METHODS[..]),
        path in paths(),
    ) {
        let mut router = Router::default();
        let routes: Vec<_> = declared
            .iter()
            .map(|(text, methods)| (Pattern::parse(text).expect("a pattern"), methods.clone()))
            .collect();
        for (pattern, methods) in &routes {
            // No methods at all means every method here.
            router.add(pattern, (!methods.is_empty()).then_some(methods));
        }
        let segments: Vec<Cow<'_, str>> = path[1..]
            .split('/')
            .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy())
            .collect();
        let fitting: Vec<_> = routes
            .iter()
            .enumerate()
            .filter_map(|(number, (pattern, methods))| Some((number, methods, captured(pattern, &segments)?)))
            .collect();
        let expected = fitting.iter().find(|(_, methods, _)| methods.is_empty() || methods.contains(&method));
        match (router.find(method, &path), expected) {
            (Destination::Route { route, captured }, Some((number, _, found))) => {
                prop_assert_eq!(route, *number);
                prop_assert_eq!(&captured, found);
            }
            (Destination::OtherMethods(others), None) => {
                prop_assert!(!fitting.is_empty());
                let mut all: Vec<_> = fitting.iter().flat_map(|(_, methods, _)| (*methods).clone()).collect();
                all.sort_unstable();
                all.dedup();
                prop_assert_eq!(others, all);
            }
            (Destination::Nothing, None) => prop_assert!(fitting.is_empty()),
            (found, expected) => prop_assert!(false, "{found:?}, and not {expected:?}"),
        }
    }

    #[test]
    fn no_pattern_and_no_path_is_too_odd(pattern in "[/{}:a-z0-9._-]{0,40}", path in ".{0,60}", method in ".{0,5}") {
        let mut router = Router::default();
        if let Ok(pattern) = Pattern::parse(&pattern) {
            router.add(&pattern, None);
            prop_assert_eq!(pattern.to_string(), pattern.text());
        }
        let _ = router.find(&method, &path);
    }
}
