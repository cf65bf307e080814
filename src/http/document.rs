//! The OpenAPI document around the operations: information, tags, security, and the answers they all share.
//!
//! An operation declares what is its own. The rest is added here by rule, so that every operation documents all its
//! answers and none has to repeat them.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use utoipa::{
    ToSchema,
    openapi::{
        Content, HeaderBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, PathItem, Ref, RefOr,
        Response, ResponseBuilder, ServerBuilder,
        path::{Operation, Parameter, ParameterIn},
        schema::{Components, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::{Tag, TagBuilder},
    },
};

use super::{
    examples,
    problem::{self, Kind, ProblemDetails},
};

/// The groups of operations, in the order in which a newcomer meets them.
const TAGS: &[(&str, &str)] = &[
    ("me", "Who is calling, what the key may do, and what this installation can do."),
    ("connections", "Authorizations to read Confluence: by OAuth, or by e-mail and API token."),
    ("browse", "What a connection can see: sites, spaces and pages, as a page picker needs it."),
    ("knowledge bases", "OpenAI vector stores that Tidegate feeds, and search in them."),
    ("sources", "One Confluence site feeding one knowledge base, and which of its pages are wanted."),
    ("syncs", "Pieces of work on a source: their plan, their progress and what they did."),
    ("documents", "Pages and what became of them: state, reason, and the exact text that was sent."),
    ("tokens", "Short-lived tokens for browsers, made with an API key for one person."),
    ("api keys", "Secrets for machines, with scopes and an expiry."),
    ("workspaces", "Tenants, for the operator of the installation."),
    ("service", "Health."),
];

const DESCRIPTION: &str = "\
Tidegate keeps chosen Confluence Cloud pages in an OpenAI vector store, true within minutes.

**First steps.** Press *Authorize* and paste an API key. `POST /v1/connections` connects Confluence, \
`GET /v1/connections/{id}/sites` and its neighbours show what can be picked, `POST /v1/knowledge-bases` makes or adopts \
a vector store, and `POST /v1/knowledge-bases/{id}/sources` says which pages belong in it. From then on they stay in \
step; `GET /v1/syncs` shows the work, `POST /v1/knowledge-bases/{id}/search` asks a question.

**Conventions.** Bodies are JSON; unknown fields are refused. Ids are opaque, prefixed and sort by creation. Times are \
RFC 3339 in UTC. Lists answer `items` and `next_cursor`; give the latter as `cursor` for the next page. Errors are \
`application/problem+json` (RFC 9457): match on `code`, read `detail`, and find each wrong field in `errors`. A POST that \
creates something takes an `Idempotency-Key`: the same key and body within 24 hours get the same answer. Enumerations \
may grow: treat unknown values as you would an unknown state.";

/// Completes the document of the bare operations.
#[must_use]
pub fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Tidegate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
        ))
        .build();
    document.servers =
        Some(vec![ServerBuilder::new().url("/").description(Some("This installation")).build()]);
    document.tags = Some(tags(&document));
    let components = document.components.get_or_insert_with(Components::new);
    components.security_schemes.insert("bearer".to_owned(), security_scheme().into());
    let mut schemas =
        vec![(ProblemDetails::name().into_owned(), <ProblemDetails as utoipa::PartialSchema>::schema())];
    ProblemDetails::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components
        .responses
        .extend(SHARED.iter().map(|shared| (shared.name.to_owned(), shared.response().into())));
    components
        .headers
        .insert("RequestId".to_owned(), text_header("The request, as in the service's log.").into());
    for (path, item) in &mut document.paths.paths {
        let with_id = path.contains('{');
        operations(item).for_each(|operation| complete_operation(operation, with_id));
    }
    examples::complete(&mut document);
    document
}

/// Only the tags that are in use: the document lists what works.
fn tags(document: &OpenApi) -> Vec<Tag> {
    let mut items: Vec<PathItem> = document.paths.paths.values().cloned().collect();
    let used: Vec<String> = items
        .iter_mut()
        .flat_map(operations)
        .flat_map(|operation| operation.tags.clone().unwrap_or_default())
        .collect();
    let listed = TAGS.iter().filter(|(name, _)| used.iter().any(|tag| tag == name));
    listed
        .map(|(name, description)| TagBuilder::new().name(*name).description(Some(*description)).build())
        .collect()
}

pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    methods.into_iter().flatten()
}

fn complete_operation(operation: &mut Operation, with_id: bool) {
    let (needs_key, needs_scope) = needs(operation.security.as_deref().unwrap_or_default());
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let takes = |wanted: &str| parameters.iter().any(|parameter| is_header(parameter, wanted));
    let has_query =
        parameters.iter().any(|p| matches!(p, RefOr::T(p) if p.parameter_in == ParameterIn::Query));
    let has_body = operation.request_body.is_some();
    let apt = |status: u16| match status {
        400 | 413 | 415 => has_body,
        401 | 503 => needs_key,
        403 => needs_scope,
        404 => with_id,
        409 => takes("Idempotency-Key"),
        412 => takes("If-Match"),
        422 => has_body || has_query,
        500 => true,
        _ => false,
    };
    let responses: &mut BTreeMap<_, _> = &mut operation.responses.responses;
    for shared in SHARED.iter().filter(|shared| apt(shared.status())) {
        responses
            .entry(shared.status().to_string())
            .or_insert_with(|| RefOr::Ref(Ref::new(format!("#/components/responses/{}", shared.name))));
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            complete_response(status, response);
        }
    }
}

/// Whether these requirements ask for a key, and for a scope.
fn needs(security: &[SecurityRequirement]) -> (bool, bool) {
    let asks_for = |requirement: &&SecurityRequirement| **requirement != SecurityRequirement::default();
    // The scopes of a requirement can only be seen from outside.
    let names_scope = |requirement: &SecurityRequirement| {
        serde_json::to_value(requirement).is_ok_and(|value| value["bearer"].get(0).is_some())
    };
    (security.iter().any(|one| asks_for(&one)), security.iter().any(names_scope))
}

fn complete_response(status: &str, response: &mut Response) {
    let reference = RefOr::Ref(Ref::new("#/components/headers/RequestId"));
    response.headers.entry("X-Request-Id".to_owned()).or_insert(reference);
    if matches!(status, "201" | "202") {
        let location = text_header("Where to find what was made or begun.");
        response.headers.entry("Location".to_owned()).or_insert_with(|| location.into());
    }
    if status >= "400" && response.content.is_empty() {
        let content = problem_content(status, &response.description);
        response.content.insert(problem::CONTENT_TYPE.to_owned(), content.into());
    }
}

fn is_header(parameter: &RefOr<Parameter>, name: &str) -> bool {
    matches!(parameter, RefOr::T(p) if p.parameter_in == ParameterIn::Header && p.name == name)
}

fn text_header(description: &str) -> utoipa::openapi::Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some(description)).build()
}

/// A problem as one operation answers it: of the first kind that its description names, or else what the status says.
fn problem_content(status: &str, description: &str) -> Content {
    let status = StatusCode::from_bytes(status.as_bytes()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let of_status = |kind: &Kind| kind.parts().0 == status;
    let named = description.split('`').skip(1).step_by(2).find_map(Kind::of_code).filter(of_status);
    let kind = named.unwrap_or_else(|| Kind::of_status(status));
    content_of(examples::of_problem(kind, &format!("{}.", kind.parts().2)))
}

fn content_of(problem: serde_json::Value) -> Content {
    let mut content = Content::new(Some(Ref::from_schema_name(ProblemDetails::name())));
    content.example = Some(problem);
    content
}

fn security_scheme() -> SecurityScheme {
    let description = "An API key or a token: `Authorization: Bearer …`. The roles of an operation's requirement are the \
         scopes that it must have.";
    SecurityScheme::Http(
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build(),
    )
}

/// An answer that many operations share.
struct Shared {
    name: &'static str,
    kind: Kind,
    description: &'static str,
    detail: &'static str,
}

const SHARED: &[Shared] = &[
    Shared {
        name: "MalformedJson",
        kind: Kind::MalformedJson,
        description: "The body is not JSON.",
        detail: "The body is not JSON: expected value at line 1 column 9.",
    },
    Shared {
        name: "Unauthorized",
        kind: Kind::Unauthorized,
        description: "No API key, or one that is unknown, revoked or expired.",
        detail: "Send an API key: `Authorization: Bearer tg_…`.",
    },
    Shared {
        name: "Forbidden",
        kind: Kind::Forbidden,
        description: "The API key lacks the scope that this operation needs.",
        detail: "This needs an API key with the scope `manage`.",
    },
    Shared {
        name: "NotFound",
        kind: Kind::NotFound,
        description: "It does not exist, or belongs to another workspace.",
        detail: "There is no such source.",
    },
    Shared {
        name: "IdempotencyConflict",
        kind: Kind::IdempotencyKeyReused,
        description: "The `Idempotency-Key` came with another request, or that request is still being answered.",
        detail: "This Idempotency-Key was used with another body.",
    },
    Shared {
        name: "PreconditionFailed",
        kind: Kind::PreconditionFailed,
        description: "The resource has changed since the `ETag` given as `If-Match`.",
        detail: "The resource has changed meanwhile; read it again.",
    },
    Shared {
        name: "PayloadTooLarge",
        kind: Kind::PayloadTooLarge,
        description: "The body is too large.",
        detail: "The body may have at most 1048576 bytes.",
    },
    Shared {
        name: "UnsupportedMediaType",
        kind: Kind::UnsupportedMediaType,
        description: "The body is not declared as JSON.",
        detail: "Send the body as JSON with the header `Content-Type: application/json`.",
    },
    Shared {
        name: "ValidationFailed",
        kind: Kind::ValidationFailed,
        description: "Some of the input is not valid; `errors` names each field.",
        detail: "`name` is required.",
    },
    Shared {
        name: "Internal",
        kind: Kind::Internal,
        description: "The service failed; its log tells why under the `request_id`.",
        detail: "The service failed to answer. The failure is in its log under this request_id.",
    },
    Shared {
        name: "Unavailable",
        kind: Kind::Unavailable,
        description: "Something that is needed does not answer just now; `Retry-After` says when to try again.",
        detail: "The database does not answer just now; try again soon.",
    },
];

impl Shared {
    fn status(&self) -> u16 {
        self.kind.parts().0.as_u16()
    }

    fn response(&self) -> Response {
        let mut response = ResponseBuilder::new()
            .description(self.description)
            .content(problem::CONTENT_TYPE, content_of(examples::of_problem(self.kind, self.detail)))
            .build();
        complete_response(&self.status().to_string(), &mut response);
        if self.kind == Kind::Unavailable {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
            let header =
                HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait.")).build();
            response.headers.insert("Retry-After".to_owned(), header.into());
        }
        if self.kind == Kind::Unauthorized {
            let header = text_header("`Bearer`, and what is wrong with the key that was sent.");
            response.headers.insert("WWW-Authenticate".to_owned(), header.into());
        }
        response
    }
}
