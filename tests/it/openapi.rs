//! The document: committed as it is served, complete, and true about who may call what.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use tidegate::{
    auth::Scope,
    http::{self, docs},
};

use crate::harness::TestApp;

/// What needs no key. Anything else that answers without one fails the suite.
const PUBLIC: &[&str] = &["GET /health/live", "GET /health/ready", "GET /v1/oauth/callback"];

struct Operation {
    method: String,
    path: String,
    value: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The scope that its requirement names; `None` is any key.
    fn scope(&self) -> Option<&str> {
        self.value["security"][0]["bearer"][0].as_str()
    }

    /// Its path with an id of nothing there is in each place.
    fn example_path(&self, document: &Value) -> String {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        let in_path = parameters.filter(|parameter| parameter["in"] == "path");
        in_path.fold(self.path.clone(), |path, parameter| {
            let name = parameter["name"].as_str().unwrap();
            let reference = parameter["schema"]["$ref"].as_str();
            let schema = reference.and_then(|reference| document.pointer(&reference[1..]));
            let example = schema.and_then(|schema| schema["examples"][0].as_str()).unwrap_or("1");
            path.replace(&format!("{{{name}}}"), example)
        })
    }
}

fn document() -> Value {
    serde_json::to_value(http::openapi()).unwrap()
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, value)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            value,
        })
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn the_committed_document_is_the_served_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let served = docs::render(&http::openapi()).unwrap();
    assert!(
        committed == served,
        "openapi/openapi.json is not what the routes say; regenerate it with\n\n    cargo run -- openapi > openapi/openapi.json\n"
    );
}

#[test]
fn every_operation_is_described() {
    let document = document();
    let listed = |tag: &Value| document["tags"].as_array().unwrap().iter().any(|known| known["name"] == *tag);
    let mut ids = BTreeSet::new();
    for operation in operations(&document) {
        let (name, value) = (operation.name(), &operation.value);
        for field in ["summary", "description", "operationId"] {
            assert!(value[field].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {field}");
        }
        assert!(ids.insert(value["operationId"].to_string()), "{name} shares its operation id");
        assert!(
            value["tags"].as_array().is_some_and(|tags| tags.iter().all(listed)),
            "{name} has unlisted tags"
        );
        assert!(value["security"].is_array(), "{name} says nothing about security");
        let parameters: Vec<_> = value["parameters"].as_array().into_iter().flatten().collect();
        for part in operation.path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let wanted = part.trim_end_matches('}');
            let is_wanted = |parameter: &&&Value| parameter["in"] == "path" && parameter["name"] == wanted;
            assert!(
                parameters.iter().any(|parameter| is_wanted(&parameter)),
                "{name} does not describe {part}"
            );
        }
    }
}

#[test]
fn every_answer_is_described_and_every_failure_is_a_problem() {
    let document = document();
    for operation in operations(&document) {
        let responses = operation.value["responses"].as_object().unwrap();
        assert!(responses.contains_key("500"), "{}", operation.name());
        for (status, response) in responses {
            let reference = response["$ref"].as_str();
            let response = reference.map_or(response, |reference| document.pointer(&reference[1..]).unwrap());
            let name = format!("{} {status}", operation.name());
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            if status.as_str() >= "400" {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(*schema, "#/components/schemas/ProblemDetails", "{name}");
            }
        }
    }
}

#[test]
fn every_body_and_answer_shows_a_valid_example() {
    let document = document();
    let validate = |name: &str, schema: &Value, example: &Value| {
        let schema = json!({ "allOf": [schema], "components": document["components"] });
        let validator =
            jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    };
    let mut contents = 0;
    for operation in operations(&document) {
        let answers = operation.value["responses"].as_object().unwrap().iter();
        let parts = answers.chain(operation.value.get("requestBody").map(|body| (&operation.method, body)));
        for (part, value) in parts {
            let reference = value["$ref"].as_str();
            let value = reference.map_or(value, |reference| document.pointer(&reference[1..]).unwrap());
            for (kind, content) in value["content"].as_object().into_iter().flatten() {
                let name = format!("{} {part} {kind}", operation.name());
                let example = content.get("example").unwrap_or_else(|| panic!("{name} shows no example"));
                validate(&name, &content["schema"], example);
                contents += 1;
            }
        }
    }
    assert!(contents > 100, "{contents}");
}

#[tokio::test]
async fn nothing_answers_without_the_key_and_scope_that_it_declares() {
    let tidegate = TestApp::start().await;
    let document = document();
    for operation in operations(&document) {
        let (name, method) = (operation.name(), operation.method.as_str());
        let path = operation.example_path(&document);
        let body = operation.value.get("requestBody").map(|_| json!({}));
        if PUBLIC.contains(&name.as_str()) {
            assert_eq!(operation.value["security"], json!([{}]), "{name}");
            continue;
        }
        let nobody = tidegate.api.without_key().send(method, &path, body.clone(), &[]).await;
        assert_eq!(nobody.status, 401, "{name} without a key");
        let unknown = tidegate.api.with_key("tg_unknown").send(method, &path, body.clone(), &[]).await;
        assert_eq!(unknown.status, 401, "{name} with an unknown key");
        let Some(scope) = operation.scope() else { continue };
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| other.name() != scope).collect();
        let answer = tidegate.caller(&others).await.send(method, &path, body, &[]).await;
        assert_eq!(answer.status, 403, "{name} without {scope}: {}", answer.text);
        assert_eq!(answer.body["required_scope"], scope, "{name}");
    }
}
