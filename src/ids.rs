//! Typed ids: `UUIDv7` inside, `prefix_hex` outside, so that an id tells what it names and sorts by creation.

use std::{borrow::Cow, fmt, str::FromStr};

use sea_orm::{DbErr, DeriveValueType, TryFromU64, prelude::Uuid};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 32 hexadecimal digits")]
pub struct InvalidId {
    /// What the id should have begun with.
    pub prefix: &'static str,
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, InvalidId> {
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    let lower = |digits: &&str| digits.len() == 32 && digits.bytes().all(|b| !b.is_ascii_uppercase());
    digits.filter(lower).and_then(|digits| Uuid::try_parse(digits).ok()).ok_or(InvalidId { prefix })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the id begins with in the API.
            pub const PREFIX: &'static str = $prefix;

            /// A new id; later ones sort after earlier ones.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a new id is never a default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", Self::PREFIX, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(Self::PREFIX, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-f]{32}$")))
                    .max_length(Some($prefix.len() + 33))
                    .examples([concat!($prefix, "_019ab2c4d5e67f8091a2b3c4d5e6f708")])
                    .into()
            }
        }

        /// The path parameter `id`.
        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![
                    ParameterBuilder::new()
                        .name("id")
                        .parameter_in(ParameterIn::Path)
                        .required(Required::True)
                        .schema(Some(Ref::from_schema_name(Self::name())))
                        .build(),
                ]
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )+};
}

ids! {
    /// A tenant.
    WorkspaceId = "ws";
    /// A workspace's secret for machines.
    ApiKeyId = "key";
    /// The OAuth tokens of one (app, Atlassian account); never in the API.
    GrantId = "grt";
    /// One Confluence authorization of a workspace.
    ConnectionId = "con";
    /// One walk through the OAuth flow of a connection.
    AttemptId = "att";
    /// One vector store that Tidegate feeds.
    KnowledgeBaseId = "kb";
    /// One site feeding one knowledge base.
    SourceId = "src";
    /// What of a site is wanted or not.
    SelectionId = "sel";
    /// One page of one source.
    DocumentId = "doc";
    /// One uploaded rendering of a document, named before it is uploaded.
    FileId = "fil";
    /// Files attached to a store by one call.
    BatchId = "bat";
    /// One piece of work on a source.
    SyncId = "syn";
    /// One lease-holder's time on a sync.
    RunId = "run";
    /// One thing a sync did, or would do.
    ChangeId = "chg";
    /// One comparison of a store with what is known of it, or one rebuild of a store.
    ReconcileId = "rec";
    /// One thing that a reconcile found.
    FindingId = "fnd";
    /// One installation of Tidegate; its files carry it.
    InstallationId = "tg";
    /// One running process.
    ReplicaId = "rep";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_shows() {
        let id = SourceId::new();
        assert!(id.to_string().starts_with("src_"));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = SourceId::new().to_string();
        assert!(id.parse::<DocumentId>().is_err());
        assert!(id.to_uppercase().parse::<SourceId>().is_err());
        assert!("src_1".parse::<SourceId>().is_err());
    }
}
