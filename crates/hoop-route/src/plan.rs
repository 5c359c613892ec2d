//! What a handler is given of a request: worked out once from its signature, done for each request.

use std::borrow::Cow;

use crate::bounds::Length;
use crate::complaint::Complaint;
use crate::cookies::cookies;
use crate::scalar::{Scalar, Value};

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path: the first parameter of the pattern is 0.
    Path(usize),
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

impl Place {
    /// How a complaint names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path(_) => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// How many values there may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// One; of several in a query the last counts, of several headers the first.
    One(Scalar),
    /// As many as there are.
    Many(Scalar, Length),
}

/// A parameter of a handler.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Where it stands.
    pub place: Place,
    /// Its name there; that of a header in lower case.
    pub name: Box<str>,
    /// What it is.
    pub shape: Shape,
    /// Whether there has to be one.
    pub required: bool,
}

/// What a handler gets for a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument<'r> {
    /// Nothing: its default counts.
    Absent,
    /// One value.
    One(Value<'r>),
    /// Several.
    Many(Vec<Value<'r>>),
}

/// What a client sent instead.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<'r> {
    /// Nothing.
    Nothing,
    /// A text.
    Text(Cow<'r, str>),
    /// Several.
    Texts(Vec<Cow<'r, str>>),
}

/// A parameter that is not what it has to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach<'r> {
    /// Which one, by its place in the plan.
    pub parameter: usize,
    /// Which of several values.
    pub item: Option<usize>,
    /// What is wrong.
    pub complaint: Complaint,
    /// What there is.
    pub input: Input<'r>,
}

/// What a request brings.
pub trait Request<'r> {
    /// What the path's parameters take, percent-decoded.
    fn captured(&self) -> &[Cow<'r, str>];

    /// The query, as it was sent.
    fn query(&self) -> &'r str;

    /// The values of a header, named in lower case.
    fn headers(&self, name: &str) -> impl Iterator<Item = Cow<'r, str>>;
}

/// The parameters of a handler.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    parameters: Vec<Parameter>,
    needs_query: bool,
    needs_cookies: bool,
}

impl Plan {
    /// Makes a plan for these parameters.
    pub fn new(parameters: Vec<Parameter>) -> Self {
        let needs = |place| parameters.iter().any(|parameter| parameter.place == place);
        Self { needs_query: needs(Place::Query), needs_cookies: needs(Place::Cookie), parameters }
    }

    /// The parameters, in the order of their arguments.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Reads all arguments of a request, and all that is wrong with it. What is wrong is absent.
    pub fn extract<'r>(&self, request: &impl Request<'r>) -> (Vec<Argument<'r>>, Vec<Breach<'r>>) {
        let mut found: Vec<Texts<'r>> = self.parameters.iter().map(|_| Texts::Nothing).collect();
        self.gather(request, &mut found);
        let mut arguments = Vec::with_capacity(found.len());
        let mut breaches = Vec::new();
        for (position, (parameter, texts)) in self.parameters.iter().zip(found).enumerate() {
            match parameter.read(texts) {
                Ok(argument) => arguments.push(argument),
                Err(found) => {
                    arguments.push(Argument::Absent);
                    let breach =
                        |(item, complaint, input)| Breach { parameter: position, item, complaint, input };
                    breaches.extend(found.into_iter().map(breach));
                }
            }
        }
        (arguments, breaches)
    }

    /// Finds the texts of all parameters.
    fn gather<'r>(&self, request: &impl Request<'r>, found: &mut [Texts<'r>]) {
        for (parameter, texts) in self.parameters.iter().zip(found.iter_mut()) {
            match parameter.place {
                Place::Path(index) => {
                    if let Some(text) = request.captured().get(index) {
                        texts.push(parameter, text.clone());
                    }
                }
                Place::Header => {
                    request.headers(&parameter.name).for_each(|text| texts.push(parameter, text));
                }
                Place::Query | Place::Cookie => {}
            }
        }
        if self.needs_query {
            for (name, value) in form_urlencoded::parse(request.query().as_bytes()) {
                self.put(Place::Query, &name, value, found);
            }
        }
        if self.needs_cookies {
            for line in request.headers("cookie") {
                for (name, value) in cookies(&line) {
                    self.put(Place::Cookie, name, Cow::Owned(value.into_owned()), found);
                }
            }
        }
    }

    fn put<'r>(&self, place: Place, name: &str, value: Cow<'r, str>, found: &mut [Texts<'r>]) {
        for (parameter, texts) in self.parameters.iter().zip(found) {
            if parameter.place == place && *parameter.name == *name {
                texts.push(parameter, value.clone());
            }
        }
    }
}

/// What a request has for a parameter: as much of it as counts.
enum Texts<'r> {
    Nothing,
    One(Cow<'r, str>),
    Many(Vec<Cow<'r, str>>),
}

impl<'r> Texts<'r> {
    /// Of several in a query the last counts, of several headers the first.
    fn push(&mut self, parameter: &Parameter, text: Cow<'r, str>) {
        match (&mut *self, &parameter.shape) {
            (Self::Many(texts), _) => texts.push(text),
            (_, Shape::Many(..)) => *self = Self::Many(vec![text]),
            (Self::One(_), Shape::One(_)) if parameter.place == Place::Header => {}
            (_, Shape::One(_)) => *self = Self::One(text),
        }
    }
}

type Found<'r> = (Option<usize>, Complaint, Input<'r>);

impl Parameter {
    fn read<'r>(&self, texts: Texts<'r>) -> Result<Argument<'r>, Vec<Found<'r>>> {
        match (texts, &self.shape) {
            (Texts::Nothing, _) if self.required => Err(vec![(None, Complaint::Missing, Input::Nothing)]),
            (Texts::Nothing, _) => Ok(Argument::Absent),
            (Texts::One(text), Shape::One(scalar) | Shape::Many(scalar, _)) => scalar
                .read(text.clone())
                .map(Argument::One)
                .map_err(|complaint| vec![(None, complaint, Input::Text(text))]),
            (Texts::Many(texts), Shape::Many(scalar, length)) => read_many(scalar, *length, texts),
            (Texts::Many(texts), Shape::One(scalar)) => read_many(scalar, Length::default(), texts),
        }
    }
}

fn read_many<'r>(
    scalar: &Scalar,
    length: Length,
    texts: Vec<Cow<'r, str>>,
) -> Result<Argument<'r>, Vec<Found<'r>>> {
    // As pydantic: too many are refused before any is read, too few only once all are well.
    let too_many = Length { least: None, ..length }.check_count(texts.len());
    if let Err(complaint) = too_many {
        return Err(vec![(None, complaint, Input::Texts(texts))]);
    }
    let mut values = Vec::with_capacity(texts.len());
    let mut breaches = Vec::new();
    for (item, text) in texts.iter().enumerate() {
        match scalar.read(text.clone()) {
            Ok(value) => values.push(value),
            Err(complaint) => breaches.push((Some(item), complaint, Input::Text(text.clone()))),
        }
    }
    if !breaches.is_empty() {
        return Err(breaches);
    }
    match length.check_count(texts.len()) {
        Ok(()) => Ok(Argument::Many(values)),
        Err(complaint) => Err(vec![(None, complaint, Input::Texts(texts))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Bounds;

    #[derive(Default)]
    struct Sent {
        captured: Vec<Cow<'static, str>>,
        query: &'static str,
        headers: Vec<(&'static str, &'static str)>,
    }

    impl Request<'static> for Sent {
        fn captured(&self) -> &[Cow<'static, str>] {
            &self.captured
        }

        fn query(&self) -> &'static str {
            self.query
        }

        fn headers(&self, name: &str) -> impl Iterator<Item = Cow<'static, str>> {
            let found = self.headers.iter().filter(move |(known, _)| *known == name);
            found.map(|(_, value)| Cow::Borrowed(*value)).collect::<Vec<_>>().into_iter()
        }
    }

    fn one(place: Place, name: &str, scalar: Scalar, required: bool) -> Parameter {
        Parameter { place, name: name.into(), shape: Shape::One(scalar), required }
    }

    fn integer() -> Scalar {
        Scalar::Integer(Bounds::default())
    }

    fn text() -> Scalar {
        Scalar::Text(Length::default())
    }

    fn value(text: &'static str) -> Argument<'static> {
        Argument::One(Value::Text(Cow::Borrowed(text)))
    }

    #[test]
    fn arguments_come_from_where_they_stand() {
        let plan = Plan::new(vec![
            one(Place::Path(0), "id", integer(), true),
            one(Place::Query, "q", text(), false),
            one(Place::Header, "x-token", text(), true),
            one(Place::Cookie, "session", text(), true),
            one(Place::Query, "none", text(), false),
        ]);
        let sent = Sent {
            captured: vec!["7".into()],
            query: "a=1&q=first&q=b%20c+d",
            headers: vec![("x-token", "one"), ("x-token", "two"), ("cookie", "a=1; session=s")],
        };
        let expected =
            [Argument::One(Value::Integer(7)), value("b c d"), value("one"), value("s"), Argument::Absent];
        assert_eq!(plan.extract(&sent), (expected.to_vec(), vec![]));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let plan = Plan::new(vec![
            one(Place::Path(0), "id", integer(), true),
            one(Place::Query, "q", text(), true),
            one(Place::Query, "n", integer(), false),
        ]);
        let sent = Sent { captured: vec!["x".into()], query: "n=", ..Sent::default() };
        let (_, breaches) = plan.extract(&sent);
        let seen: Vec<_> = breaches.iter().map(|each| (each.parameter, each.complaint.kind())).collect();
        assert_eq!(seen, [(0, "int_parsing"), (1, "missing"), (2, "int_parsing")]);
        assert_eq!(breaches[0].input, Input::Text("x".into()));
    }

    #[test]
    fn several_values_and_which_of_them_is_wrong() {
        let length = Length { least: Some(2), most: Some(3) };
        let shape = Shape::Many(integer(), length);
        let plan =
            Plan::new(vec![Parameter { place: Place::Query, name: "q".into(), shape, required: true }]);
        let extract = |query| plan.extract(&Sent { query, ..Sent::default() });
        let numbers = vec![Value::Integer(1), Value::Integer(2)];
        assert_eq!(extract("q=1&q=2"), (vec![Argument::Many(numbers)], vec![]));
        let told = |query| {
            let (_, breaches) = extract(query);
            breaches.iter().map(|each| (each.item, each.complaint.kind())).collect::<Vec<_>>()
        };
        assert_eq!(told("q=x&q=2&q=y"), [(Some(0), "int_parsing"), (Some(2), "int_parsing")]);
        assert_eq!(told("q=1"), [(None, "too_short")]);
        assert_eq!(told("q=1&q=2&q=3&q=x"), [(None, "too_long")]);
    }
}
