//! Which route a method and a path take: the first that was declared, however many there are.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::pattern::{Pattern, Segment};

/// Routes, to be looked up. Each is known by a number: that of its declaration.
#[derive(Debug, Default)]
pub struct Router {
    nodes: Vec<Node>,
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    /// None takes every method.
    methods: Option<Vec<Box<str>>>,
}

#[derive(Debug, Default)]
struct Node {
    /// What the next segment may be, where it has to be a certain text.
    literals: HashMap<Box<str>, usize>,
    /// What else it may be.
    choices: Vec<(Segment, usize)>,
    /// Routes that take all that is left of the path.
    rests: Vec<(Segment, usize)>,
    /// Routes that end here.
    ends: Vec<usize>,
    /// The first route that can be reached from here.
    first: usize,
}

/// What a method and a path lead to.
#[derive(Debug, PartialEq, Eq)]
pub enum Destination<'r, 't> {
    /// To a route, with what its parameters take, in their order.
    Route {
        /// The number of its declaration.
        route: usize,
        /// What its parameters take, percent-decoded.
        captured: Vec<Cow<'t, str>>,
    },
    /// To routes for other methods only.
    OtherMethods(Vec<&'r str>),
    /// To nothing.
    Nothing,
}

impl Router {
    /// Adds a route for these methods, in capitals, or for all of them; returns its number.
    pub fn add(&mut self, pattern: &Pattern, methods: Option<&[&str]>) -> usize {
        let route = self.routes.len();
        self.routes.push(Route { methods: methods.map(|all| all.iter().map(|&each| each.into()).collect()) });
        if self.nodes.is_empty() {
            self.nodes.push(Node::starting(route));
        }
        let mut at = 0;
        for segment in pattern.segments() {
            if segment.takes_the_rest() {
                self.nodes[at].rests.push((segment.clone(), route));
                return route;
            }
            at = self.child(at, segment, route);
        }
        self.nodes[at].ends.push(route);
        route
    }

    /// The node behind a segment, made where there is none yet.
    fn child(&mut self, at: usize, segment: &Segment, route: usize) -> usize {
        let new = self.nodes.len();
        let node = &mut self.nodes[at];
        let child = match segment.literal() {
            Some(literal) => *node.literals.entry(literal.into()).or_insert(new),
            None => match node.choices.iter().find(|(known, _)| known == segment) {
                Some((_, known)) => *known,
                None => {
                    node.choices.push((segment.clone(), new));
                    new
                }
            },
        };
        if child == new {
            self.nodes.push(Node::starting(route));
        }
        child
    }

    /// Looks a request up. `path` is as the request line has it, percent-encoded, without the query:
    /// an encoded slash is no border between segments.
    pub fn find<'t>(&self, method: &str, path: &'t str) -> Destination<'_, 't> {
        let Some(inside) = path.strip_prefix('/').filter(|_| !self.nodes.is_empty()) else {
            return Destination::Nothing;
        };
        let segments: Vec<Cow<'t, str>> = inside.split('/').map(decoded).collect();
        let mut search = Search {
            router: self,
            method,
            segments: &segments,
            captured: Vec::new(),
            best: None,
            others: Vec::new(),
        };
        search.from(0, 0);
        match search.best {
            Some((route, captured)) => Destination::Route { route, captured },
            None if search.others.is_empty() => Destination::Nothing,
            None => {
                search.others.sort_unstable();
                search.others.dedup();
                Destination::OtherMethods(search.others)
            }
        }
    }

    /// Whether a path leads anywhere, whatever the method.
    pub fn knows(&self, path: &str) -> bool {
        // No method has no name.
        !matches!(self.find("", path), Destination::Nothing)
    }
}

impl Node {
    fn starting(first: usize) -> Self {
        Self { first, ..Self::default() }
    }
}

fn decoded(segment: &str) -> Cow<'_, str> {
    percent_decode_str(segment).decode_utf8_lossy()
}

/// A walk over the nodes that a path fits.
struct Search<'r, 's, 't> {
    router: &'r Router,
    method: &'s str,
    segments: &'s [Cow<'t, str>],
    /// What parameters take on the way to the node that is looked at.
    captured: Vec<Cow<'t, str>>,
    best: Option<(usize, Vec<Cow<'t, str>>)>,
    /// Methods of routes that the path fits and the method does not.
    others: Vec<&'r str>,
}

impl<'r, 't> Search<'r, '_, 't> {
    /// Looks at a node to which the first `depth` segments lead.
    fn from(&mut self, at: usize, depth: usize) {
        let Some(node) = self.router.nodes.get(at) else { return };
        // Routes are declared in an order, and the first that fits counts.
        if self.best.as_ref().is_some_and(|(best, _)| *best < node.first) {
            return;
        }
        let Some(segment) = self.segments.get(depth) else {
            for &route in &node.ends {
                self.reached(route);
            }
            return;
        };
        if let Some(&child) = node.literals.get(&**segment) {
            self.from(child, depth + 1);
        }
        for (choice, child) in &node.choices {
            let before = self.captured.len();
            if choice.capture(segment, &mut self.captured) {
                self.from(*child, depth + 1);
            }
            self.captured.truncate(before);
        }
        if !node.rests.is_empty() {
            let rest = joined(self.segments.get(depth..).unwrap_or_default());
            for (pattern, route) in &node.rests {
                let before = self.captured.len();
                if pattern.capture(&rest, &mut self.captured) {
                    self.reached(*route);
                }
                self.captured.truncate(before);
            }
        }
    }

    fn reached(&mut self, route: usize) {
        let Some(methods) = self.router.routes.get(route).map(|route| &route.methods) else { return };
        match methods {
            Some(methods) if !methods.iter().any(|each| **each == *self.method) => {
                self.others.extend(methods.iter().map(|each| &**each));
            }
            _ if self.best.as_ref().is_none_or(|(best, _)| route < *best) => {
                self.best = Some((route, self.captured.clone()));
            }
            _ => {}
        }
    }
}

fn joined<'t>(segments: &[Cow<'t, str>]) -> Cow<'t, str> {
    match segments {
        [only] => only.clone(),
        several => Cow::Owned(several.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(patterns: &[(&str, &[&str])]) -> Router {
        let mut router = Router::default();
        for (pattern, methods) in patterns {
            let methods = (!methods.is_empty()).then_some(*methods);
            router.add(&Pattern::parse(pattern).expect("a pattern"), methods);
        }
        router
    }

    fn route(router: &Router, method: &str, path: &str) -> Option<(usize, Vec<String>)> {
        match router.find(method, path) {
            Destination::Route { route, captured } => {
                Some((route, captured.into_iter().map(Cow::into_owned).collect()))
            }
            _ => None,
        }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn the_first_that_was_declared_counts() {
        let router = router(&[("/users/me", &["GET"]), ("/users/{id}", &["GET"]), ("/users/you", &["GET"])]);
        assert_eq!(route(&router, "GET", "/users/me"), Some((0, vec![])));
        assert_eq!(route(&router, "GET", "/users/you"), Some((1, strings(&["you"]))));
    }

    #[test]
    fn a_segment_that_fits_does_not_hide_others_behind_it() {
        let router = router(&[("/a/b/c", &[]), ("/{x}/b/d", &[]), ("/a/{y}/e", &[])]);
        assert_eq!(route(&router, "GET", "/a/b/d"), Some((1, strings(&["a"]))));
        assert_eq!(route(&router, "GET", "/a/b/e"), Some((2, strings(&["b"]))));
        assert_eq!(router.find("GET", "/a/b/f"), Destination::Nothing);
    }

    #[test]
    fn methods_are_told_where_none_fits() {
        let router = router(&[("/x", &["GET", "HEAD"]), ("/{y}", &["PUT"]), ("/x", &["POST"])]);
        assert_eq!(
            router.find("DELETE", "/x"),
            Destination::OtherMethods(vec!["GET", "HEAD", "POST", "PUT"])
        );
        assert_eq!(route(&router, "PUT", "/x"), Some((1, strings(&["x"]))));
        assert_eq!(route(&router, "POST", "/x"), Some((2, vec![])));
        assert!(router.knows("/x") && !router.knows("/x/"));
    }

    #[test]
    fn slashes_count() {
        let router = router(&[("/", &[]), ("/a", &[]), ("/a/", &[])]);
        assert_eq!(route(&router, "GET", "/"), Some((0, vec![])));
        assert_eq!(route(&router, "GET", "/a"), Some((1, vec![])));
        assert_eq!(route(&router, "GET", "/a/"), Some((2, vec![])));
        for path in ["", "a", "//", "/a//", "*"] {
            assert_eq!(route(&router, "GET", path), None, "{path}");
        }
    }

    #[test]
    fn an_encoded_slash_is_no_border() {
        let router = router(&[("/files/{name}", &[]), ("/files/{rest:path}", &[])]);
        assert_eq!(route(&router, "GET", "/files/a%2Fb"), Some((0, strings(&["a/b"]))));
        assert_eq!(route(&router, "GET", "/files/a/b%20c"), Some((1, strings(&["a/b c"]))));
        assert_eq!(route(&router, "GET", "/files/"), Some((1, strings(&[""]))));
        assert_eq!(route(&router, "GET", "/f%69les/x"), Some((0, strings(&["x"]))));
    }

    #[test]
    fn a_thousand_choices_are_not_walked_twice() {
        // Each of these fits at each depth: the walk is bounded by the nodes there are.
        let mut router = Router::default();
        for number in 0..1000 {
            let pattern = format!("/{{a}}/{{b}}/{{c}}/{number}");
            router.add(&Pattern::parse(&pattern).expect("a pattern"), None);
        }
        assert_eq!(route(&router, "GET", "/x/y/z/999"), Some((999, strings(&["x", "y", "z"]))));
        assert!(router.nodes.len() < 1010);
    }
}
