//! Rules for what clients write, gathered so that all that is wrong is told at once.

use std::ops::RangeInclusive;

use super::problem::{FieldError, Problem};
use crate::entity::Metadata;

const EXTERNAL_ID_LENGTH: usize = 255;
const METADATA_ENTRIES: usize = 50;
const METADATA_KEY_LENGTH: usize = 64;
const METADATA_VALUE_LENGTH: usize = 512;

/// Collects what is wrong with a body: `let mut check = Check::default(); … check.done()?;`.
#[derive(Debug, Default)]
pub struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Notes an error at `pointer`.
    pub fn refuse(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.errors.push(FieldError::at(pointer, code, message));
    }

    /// Notes an error unless `holds`.
    pub fn that(&mut self, holds: bool, pointer: &str, code: &'static str, message: &str) {
        if !holds {
            self.refuse(pointer, code, message);
        }
    }

    /// A text for people: of a length in `characters`, not blank, without control characters.
    pub fn text(&mut self, pointer: &str, text: &str, characters: RangeInclusive<usize>) {
        let count = text.chars().count();
        if count > *characters.end() {
            self.refuse(pointer, "too_long", format!("May have at most {} characters.", characters.end()));
        } else if count < *characters.start() || (*characters.start() > 0 && text.trim().is_empty()) {
            self.refuse(
                pointer,
                "too_short",
                format!("Must have at least {} characters.", characters.start()),
            );
        } else if text.chars().any(char::is_control) {
            self.refuse(pointer, "invalid", "May not hold control characters.");
        }
    }

    /// What every resource that clients create may carry: `external_id` and `metadata`.
    pub fn labels(&mut self, external_id: Option<&str>, metadata: &Metadata) {
        if let Some(external_id) = external_id {
            self.text("/external_id", external_id, 1..=EXTERNAL_ID_LENGTH);
        }
        let Metadata(entries) = metadata;
        if entries.len() > METADATA_ENTRIES {
            self.refuse("/metadata", "too_many", format!("May have at most {METADATA_ENTRIES} entries."));
        }
        for (key, value) in entries {
            let pointer = format!("/metadata/{}", key.replace('~', "~0").replace('/', "~1"));
            self.text(&pointer, key, 1..=METADATA_KEY_LENGTH);
            if value.chars().count() > METADATA_VALUE_LENGTH {
                let message = format!("A value may have at most {METADATA_VALUE_LENGTH} characters.");
                self.refuse(pointer, "too_long", message);
            }
        }
    }

    /// Ends the check: a problem that names everything noted.
    pub fn done(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid_fields(self.errors)) }
    }
}
