//! What is wrong with a request, as the JSON of FastAPI's 422 answers.

use crate::bounds::Number;
use crate::complaint::Detail;
use crate::json_text::{write_float, write_integer, write_text};
use crate::plan::{Breach, Input, Parameter};

/// The body of the answer: an object whose `detail` lists what is wrong.
pub fn report(parameters: &[Parameter], breaches: &[Breach<'_>]) -> Vec<u8> {
    let mut bytes = br#"{"detail":["#.to_vec();
    let mut is_first = true;
    for breach in breaches {
        let Some(parameter) = parameters.get(breach.parameter) else { continue };
        if !std::mem::take(&mut is_first) {
            bytes.push(b',');
        }
        write_breach(&mut bytes, parameter, breach);
    }
    bytes.extend_from_slice(b"]}");
    bytes
}

fn write_breach(bytes: &mut Vec<u8>, parameter: &Parameter, breach: &Breach<'_>) {
    bytes.extend_from_slice(br#"{"type":"#);
    write_text(bytes, breach.complaint.kind());
    bytes.extend_from_slice(br#","loc":["#);
    write_text(bytes, parameter.place.name());
    bytes.push(b',');
    write_text(bytes, &parameter.name);
    if let Some(item) = breach.item {
        bytes.extend_from_slice(format!(",{item}").as_bytes());
    }
    bytes.extend_from_slice(br#"],"msg":"#);
    write_text(bytes, &breach.complaint.to_string());
    bytes.extend_from_slice(br#","input":"#);
    match &breach.input {
        Input::Nothing => bytes.extend_from_slice(b"null"),
        Input::Text(text) => write_text(bytes, text),
        Input::Texts(texts) => {
            write_between(bytes, (b'[', b']'), texts.iter(), |bytes, text| write_text(bytes, text));
        }
    }
    let details = breach.complaint.details();
    if !details.is_empty() {
        bytes.extend_from_slice(br#","ctx":"#);
        write_between(bytes, (b'{', b'}'), details.iter(), |bytes, (name, detail)| {
            write_text(bytes, name);
            bytes.push(b':');
            match detail {
                Detail::Number(Number::Integer(number)) => write_integer(bytes, *number),
                Detail::Number(Number::Float(number)) => write_float(bytes, *number),
                Detail::Count(count) => bytes.extend_from_slice(count.to_string().as_bytes()),
                Detail::Text(text) => write_text(bytes, text),
            }
        });
    }
    bytes.push(b'}');
}

fn write_between<T>(
    bytes: &mut Vec<u8>,
    (opens, closes): (u8, u8),
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut Vec<u8>, T),
) {
    bytes.push(opens);
    for (position, item) in items.enumerate() {
        if position > 0 {
            bytes.push(b',');
        }
        write(bytes, item);
    }
    bytes.push(closes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{Bounds, Length};
    use crate::complaint::Complaint;
    use crate::plan::{Place, Shape};
    use crate::scalar::Scalar;

    #[test]
    fn each_breach_says_what_is_wrong_where_and_with_what() {
        let parameter =
            |place, name: &str, shape| Parameter { place, name: name.into(), shape, required: true };
        let integer = Scalar::Integer(Bounds::default());
        let parameters = [
            parameter(Place::Path(0), "id", Shape::One(integer.clone())),
            parameter(Place::Query, "q", Shape::Many(integer, Length::default())),
        ];
        let breaches = [
            Breach {
                parameter: 0,
                item: None,
                complaint: Complaint::Below(Number::Float(0.5)),
                input: Input::Text("\"0\"".into()),
            },
            Breach {
                parameter: 1,
                item: Some(2),
                complaint: Complaint::NotAnInteger,
                input: Input::Text("x".into()),
            },
            Breach { parameter: 1, item: None, complaint: Complaint::Missing, input: Input::Nothing },
            Breach {
                parameter: 1,
                item: None,
                complaint: Complaint::TooMany { most: 1, actual: 2 },
                input: Input::Texts(vec!["1".into(), "2".into()]),
            },
        ];
        let expected = concat!(
            r#"{"detail":["#,
            r#"{"type":"greater_than_equal","loc":["path","id"],"#,
            r#""msg":"Input should be greater than or equal to 0.5","input":"\"0\"","ctx":{"ge":0.5}},"#,
            r#"{"type":"int_parsing","loc":["query","q",2],"#,
            r#""msg":"Input should be a valid integer, unable to parse string as an integer","input":"x"},"#,
            r#"{"type":"missing","loc":["query","q"],"msg":"Field required","input":null},"#,
            r#"{"type":"too_long","loc":["query","q"],"#,
            r#""msg":"List should have at most 1 item after validation, not 2","input":["1","2"],"#,
            r#""ctx":{"field_type":"List","max_length":1,"actual_length":2}}]}"#,
        );
        assert_eq!(String::from_utf8(report(&parameters, &breaches)).expect("UTF-8"), expected);
    }
}
