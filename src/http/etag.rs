//! `ETag` and `If-Match`: a client that changes what it has read learns if somebody else was faster.

use std::{convert::Infallible, future::Ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderName},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::Type,
    },
};

use super::{Kind, Problem};

/// The state of what clients can write on a resource, as an entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of these values: give exactly the fields that clients can write.
    pub fn of(writable: &impl Serialize) -> Result<Self, Problem> {
        let json = serde_json::to_vec(writable).map_err(Problem::internal)?;
        let hash = Sha256::digest(&json);
        Ok(Self(format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash[..15]))))
    }

    /// The header that carries it: `response.insert_header(etag.header())`.
    #[must_use]
    pub fn header(&self) -> (HeaderName, &str) {
        (header::ETAG, &self.0)
    }
}

/// The header `If-Match`. It also documents itself: `params(IfMatch)`.
#[derive(Clone, Debug)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// 412 unless the client sent no condition, `*`, or the tag that the resource has now.
    pub fn check(&self, now: &ETag) -> Result<(), Problem> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        if wanted.split(',').map(str::trim).any(|tag| tag == "*" || tag == now.0) {
            return Ok(());
        }
        Err(Problem::new(
            Kind::PreconditionFailed,
            "The resource has changed since you read it; read it again.",
        ))
    }
}

impl FromRequest for IfMatch {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A value that is no text matches nothing.
        let text = |value: &header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        std::future::ready(Ok(Self(request.headers().get(header::IF_MATCH).map(text))))
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "The `ETag` of what you have read: if the resource has changed since, the answer is 412.";
        let schema = ObjectBuilder::new().schema_type(Type::String);
        vec![
            ParameterBuilder::new()
                .name("If-Match")
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_current_tag_matches() {
        let (old, new) = (ETag::of(&"old").unwrap(), ETag::of(&"new").unwrap());
        let matches = |header: Option<&str>| IfMatch(header.map(str::to_owned)).check(&new).is_ok();
        assert!(matches(None) && matches(Some("*")) && matches(Some(&new.0)));
        assert!(matches(Some(&format!("{}, {}", old.0, new.0))));
        assert!(!matches(Some(&old.0)) && !matches(Some("")));
    }
}
