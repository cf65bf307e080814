//! What comes in: a JSON body or a query, with every mistake answered by a problem that says where it is.

use std::{borrow::Cow, future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse, Responder, body::BoxBody, dev::Payload, web::Bytes,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_path_to_error::{Path, Segment};
use url::form_urlencoded;

use super::problem::{FieldError, Kind, Problem};

/// The most bytes of a body.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// A JSON body, in or out. Types of bodies that come in say `#[serde(deny_unknown_fields)]`.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// The query. Its type says `#[serde(deny_unknown_fields)]`, too.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request.content_type());
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                return Err(Problem::new(
                    Kind::UnsupportedMediaType,
                    "Send the body as JSON with the header `Content-Type: application/json`.",
                ));
            }
            let bytes = bytes.await.map_err(|error| unreadable(&error))?;
            parse_json(&bytes).map(Json)
        })
    }
}

impl<T: Serialize> Responder for Json<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = form_urlencoded::parse(request.query_string().as_bytes());
        let deserializer = serde_urlencoded::Deserializer::new(pairs);
        let query = serde_path_to_error::deserialize(deserializer).map(Query).map_err(|error| {
            let name = error.path().to_string();
            let reason = Reason::of(&error.inner().to_string());
            let name = reason.field.unwrap_or(name);
            Problem::invalid_fields(vec![FieldError::parameter(name, reason.code, reason.message)])
        });
        std::future::ready(query)
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5 && essence.to_ascii_lowercase().ends_with("+json"))
}

/// The problem for a body that did not arrive whole.
pub(super) fn unreadable(error: &actix_web::Error) -> Problem {
    match Kind::of_status(error.as_response_error().status_code()) {
        Kind::PayloadTooLarge => {
            Problem::new(Kind::PayloadTooLarge, format!("The body may have at most {BODY_LIMIT} bytes."))
        }
        _ => Problem::new(Kind::BadRequest, "The body could not be read to its end."),
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let at = pointer(error.path());
        refused(at, error.inner())
    })?;
    deserializer.end().map_err(|error| refused(String::new(), &error))?;
    Ok(value)
}

fn refused(mut pointer: String, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        let message = format!("The body is not JSON: {error}.");
        return Problem::new(Kind::MalformedJson, message.clone()).with_errors(vec![FieldError::at(
            "",
            "malformed_json",
            message,
        )]);
    }
    let text = error.to_string();
    // The position is of no use beside a pointer.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let reason = Reason::of(text);
    if let Some(field) = reason.field {
        push(&mut pointer, &field);
    }
    Problem::invalid(pointer, reason.code, reason.message)
}

/// What serde complains about. It tells missing and unknown fields only in its text.
struct Reason {
    code: &'static str,
    message: String,
    field: Option<String>,
}

impl Reason {
    fn of(text: &str) -> Self {
        let quoted = |rest: &str| rest.split_once('`').map(|(field, _)| field.to_owned());
        if let Some(field) = text.strip_prefix("missing field `").and_then(quoted) {
            return Self { code: "required", message: format!("`{field}` is required."), field: Some(field) };
        }
        if let Some(field) = text.strip_prefix("unknown field `").and_then(quoted) {
            let message = format!("`{field}` is not known here.");
            return Self { code: "unknown_field", message, field: Some(field) };
        }
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        Self { code: "invalid", message: format!("{first}{}.", letters.as_str()), field: None }
    }
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn push(pointer: &mut String, field: &str) {
    // An unknown field is the last of the path already.
    let escaped: Cow<'_, str> = if field.contains(['~', '/']) {
        field.replace('~', "~0").replace('/', "~1").into()
    } else {
        field.into()
    };
    if pointer.rsplit('/').next() != Some(&escaped) || pointer.is_empty() {
        pointer.push('/');
        pointer.push_str(&escaped);
    }
}

/// Tells a field that is absent (`None`) from one that is `null` (`Some(None)`), for PATCH bodies:
/// `#[serde(default, deserialize_with = "present")]`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only read")]
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only read")]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[expect(dead_code, reason = "only read")]
        name: u8,
    }

    fn problem(text: &str) -> (Kind, Option<String>, Cow<'static, str>) {
        let problem = parse_json::<Body>(text.as_bytes()).unwrap_err();
        let error = problem.errors().first().unwrap().clone();
        (problem.kind(), error.pointer, error.code)
    }

    fn invalid(pointer: &str, code: &'static str) -> (Kind, Option<String>, Cow<'static, str>) {
        (Kind::ValidationFailed, Some(pointer.to_owned()), code.into())
    }

    #[test]
    fn a_mistake_is_named_by_its_place() {
        assert_eq!(problem(r#"{"name":1}"#), invalid("/name", "invalid"));
        assert_eq!(problem("{}"), invalid("/name", "required"));
        assert_eq!(problem(r#"{"name":"x","nam":1}"#), invalid("/nam", "unknown_field"));
        assert_eq!(
            problem(r#"{"name":"x","items":[{"name":1},{"name":300}]}"#),
            invalid("/items/1/name", "invalid")
        );
        assert_eq!(
            problem(r#"{"name":"x","items":[{"name":1,"a/b":2}]}"#),
            invalid("/items/0/a~1b", "unknown_field")
        );
        assert_eq!(problem(r#"{"name":"x","items":[{}]}"#), invalid("/items/0/name", "required"));
        assert_eq!(problem("[]"), invalid("", "invalid"));
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for text in ["", "{", "nonsense", r#"{"name":"x"} trailing"#, r#"{"name":"x",}"#] {
            assert_eq!(
                problem(text),
                (Kind::MalformedJson, Some(String::new()), "malformed_json".into()),
                "{text}"
            );
        }
    }

    #[test]
    fn json_may_have_a_charset_or_a_suffix() {
        assert!(is_json("application/json") && is_json("Application/JSON; charset=utf-8"));
        assert!(is_json("application/merge-patch+json"));
        assert!(!is_json("text/plain") && !is_json("") && !is_json("+json"));
    }
}
