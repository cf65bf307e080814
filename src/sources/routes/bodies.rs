//! What clients send to make and change sources.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    entity::{Metadata, SourceOptions},
    http::{Check, Problem, present},
    ids::ConnectionId,
    sources::{New, choices, choices::Choice, store},
};

/// The longest interval: a month.
const LONGEST_INTERVAL: u32 = 31 * 24 * 60 * 60;

/// What a new source shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSource {
    /// An active connection of the caller's.
    connection_id: ConnectionId,
    /// A site of the connection.
    #[schema(examples("5c8e0b1a-7d5e-4f3b-9a8c-2d1e0f9b8a7c"))]
    site_id: String,
    /// A name for people; absent: the site's.
    #[schema(examples("Acme wiki"), min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What of the site is wanted, or not.
    #[schema(max_items = 1000)]
    selections: Vec<Choice>,
    /// The seconds between two syncs; absent: the installation's interval.
    #[schema(examples(300), minimum = 1, maximum = 2_678_400)]
    interval_seconds: Option<u32>,
    /// How its pages are treated.
    #[serde(default)]
    options: SourceOptions,
    /// Whether nothing happens until it is resumed.
    #[serde(default)]
    paused: bool,
    /// Your own id for it.
    #[schema(max_length = 255)]
    external_id: Option<String>,
    /// Your own notes.
    #[serde(default)]
    metadata: Metadata,
}

fn interval(app: &App, check: &mut Check, asked: Option<u32>) -> i32 {
    let shortest = app.settings.min_source_interval.as_secs();
    let default = app.settings.sync_interval.as_secs();
    let seconds = asked.map_or(default, u64::from);
    if asked.is_some() && !(shortest..=u64::from(LONGEST_INTERVAL)).contains(&seconds) {
        let message = format!("Must be between {shortest} and {LONGEST_INTERVAL} seconds.");
        check.refuse("/interval_seconds", "out_of_range", message);
    }
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn check_options(check: &mut Check, options: &SourceOptions) {
    let month = options.suspect_age_seconds <= LONGEST_INTERVAL;
    check.that(
        options.guard_max_percent <= 100,
        "/options/guard_max_percent",
        "out_of_range",
        "Must be at most 100.",
    );
    check.that(month, "/options/suspect_age_seconds", "out_of_range", "Must be at most a month.");
}

impl CreateSource {
    /// What is asked for, if it makes sense by itself.
    pub fn check(self, app: &App) -> Result<New, Problem> {
        let mut check = Check::default();
        if let Some(name) = &self.name {
            check.text("/name", name, 1..=200);
        }
        choices::check(&mut check, &self.selections);
        let interval_seconds = interval(app, &mut check, self.interval_seconds);
        check_options(&mut check, &self.options);
        check.labels(self.external_id.as_deref(), &self.metadata);
        check.done()?;
        Ok(New {
            connection_id: self.connection_id,
            site_id: self.site_id,
            name: self.name,
            choices: self.selections,
            interval_seconds,
            options: self.options,
            paused: self.paused,
            external_id: self.external_id,
            metadata: self.metadata,
        })
    }
}

/// What to change about a source; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateSource {
    /// A name for people.
    #[schema(examples("Acme wiki"), min_length = 1, max_length = 200)]
    name: Option<String>,
    /// The seconds between two syncs.
    #[schema(examples(300), minimum = 1, maximum = 2_678_400)]
    interval_seconds: Option<u32>,
    /// How its pages are treated, as a whole: options that are not named take their defaults.
    options: Option<SourceOptions>,
    /// Another connection that has the same site.
    pub connection_id: Option<ConnectionId>,
    /// Your own id for it; `null` removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 255, value_type = Option<String>)]
    #[expect(clippy::option_option, reason = "absent and null mean different things")]
    external_id: Option<Option<String>>,
    /// Your own notes, all of them.
    metadata: Option<Metadata>,
}

impl UpdateSource {
    /// What is to change, if it makes sense by itself.
    pub fn check(self, app: &App) -> Result<store::Patch, Problem> {
        let mut check = Check::default();
        if let Some(name) = &self.name {
            check.text("/name", name, 1..=200);
        }
        let interval_seconds = self.interval_seconds.map(|asked| interval(app, &mut check, Some(asked)));
        if let Some(options) = &self.options {
            check_options(&mut check, options);
        }
        let nothing = Metadata::default();
        let external_id = self.external_id.as_ref().and_then(Option::as_deref);
        check.labels(external_id, self.metadata.as_ref().unwrap_or(&nothing));
        check.done()?;
        Ok(store::Patch {
            name: self.name,
            interval_seconds,
            options: self.options,
            connection_id: self.connection_id,
            external_id: self.external_id,
            metadata: self.metadata,
        })
    }
}
