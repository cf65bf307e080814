//! Examples of bodies and answers, put together from the examples of their fields.
//!
//! A field shows what it looks like, in its `#[schema(examples)]`; a body shows all its fields together, and can't contradict
//! them. What may be null and has no example is null in answers, and is not sent.

use serde_json::{Map, Value};
use utoipa::openapi::{Content, OpenApi, RefOr, path::Operation};

use super::{document::operations, problem::Kind};

/// What stands for a time that has no example of its own.
const TIME: &str = "2026-03-04T09:15:00Z";

/// What may be null and usually is not.
const SHOWN: &[&str] = &[
    "account",
    "connection_id",
    "detected_to_searchable",
    "document_id",
    "edited_to_searchable",
    "file_search_tool",
    "last_sync_id",
];

/// Gives every body and every answer of a document an example that has none yet.
pub fn complete(document: &mut OpenApi) {
    let examples = Examples { document: serde_json::to_value(&*document).unwrap_or_default() };
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        examples.complete(operation);
    }
}

/// The example of a problem of this kind, as one operation describes it.
pub fn of_problem(kind: Kind, detail: &str) -> Value {
    let (status, code, title) = kind.parts();
    let mut example = serde_json::json!({
        "type": format!("urn:tidegate:problem:{code}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "request_id": "019ab2c4d5e67f8091a2b3c4d5e6f708",
    });
    if kind == Kind::ValidationFailed {
        let error =
            serde_json::json!({ "pointer": "/name", "code": "required", "message": "`name` is required." });
        example["errors"] = Value::Array(vec![error]);
    }
    example
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

struct Examples {
    document: Value,
}

impl Examples {
    fn complete(&self, operation: &mut Operation) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.content.values_mut().for_each(|content| self.fill(content, Way::In));
        }
        for response in operation.responses.responses.values_mut() {
            let RefOr::T(response) = response else { continue };
            for content in response.content.values_mut() {
                self.fill(content, Way::Out);
            }
        }
    }

    fn fill(&self, content: &mut RefOr<Content>, way: Way) {
        let RefOr::T(content) = content else { return };
        let has_one = content.example.is_some() || !content.examples.is_empty();
        if let Some(schema) = content.schema.as_ref().filter(|_| !has_one) {
            content.example = self.of(&serde_json::to_value(schema).unwrap_or_default(), way);
        }
    }

    /// What something of this schema looks like; none if that cannot be known.
    fn of(&self, schema: &Value, way: Way) -> Option<Value> {
        let own = [&schema["examples"][0], &schema["example"], &schema["const"], &schema["default"]];
        if let Some(own) = own.into_iter().chain([&schema["enum"][0]]).find(|own| !own.is_null()) {
            return Some(own.clone());
        }
        if let Some(reference) = schema["$ref"].as_str() {
            return self.of(self.document.pointer(reference.strip_prefix('#')?)?, way);
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            return if variants.iter().any(is_nullable) {
                Some(Value::Null)
            } else {
                self.of(&variants[0], way)
            };
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in parts {
                if let Some(Value::Object(part)) = self.of(part, way) {
                    whole.extend(part);
                }
            }
            return Some(Value::Object(whole));
        }
        if is_nullable(schema) {
            return Some(Value::Null);
        }
        match schema["type"].as_str()? {
            "object" => Some(self.of_object(schema, way)),
            "array" => Some(self.of(&schema["items"], way).into_iter().collect()),
            "boolean" => Some(false.into()),
            "integer" => Some(schema.get("minimum").cloned().unwrap_or_else(|| 0.into())),
            "string" if schema["format"] == "date-time" => Some(TIME.into()),
            _ => None,
        }
    }

    fn of_object(&self, schema: &Value, way: Way) -> Value {
        let fields = schema["properties"].as_object().into_iter().flatten();
        let mut object = Map::new();
        for (name, field) in fields {
            let filled = field["oneOf"].as_array().filter(|_| SHOWN.contains(&name.as_str()));
            let field = filled
                .map_or(field, |variants| variants.iter().find(|one| !is_nullable(one)).unwrap_or(field));
            let example = self.of(field, way).filter(|example| way == Way::Out || !example.is_null());
            if let Some(example) = example {
                object.insert(name.clone(), example);
            }
        }
        Value::Object(object)
    }
}

fn is_nullable(schema: &Value) -> bool {
    schema["type"] == "null"
        || schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null"))
}
