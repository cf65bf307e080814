//! Reads the attributes of a tag, asked for by name.

use std::borrow::Cow;

use super::reference::resolve;
use super::token::Tag;

impl<'a> Tag<'a> {
    /// The value of the attribute `name`, references resolved.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        Attributes(self.attributes).find(|(found, _)| *found == name).map(|(_, value)| resolve(value))
    }

    /// The value of the attribute `name`, or the empty string.
    pub fn attribute_or_empty(&self, name: &str) -> Cow<'a, str> {
        self.attribute(name).unwrap_or_default()
    }

    /// A whole number in the attribute `name`.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.attribute(name)?.trim().parse().ok()
    }
}

/// Names and raw values, in order.
struct Attributes<'a>(&'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let separator = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '=' | '"' | '\'');
        let text = self.0.trim_start_matches(separator);
        if text.is_empty() {
            return None;
        }
        let name_end = text.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
            self.0 = rest;
            return Some((name, ""));
        };
        let value = value.trim_ascii_start();
        let (value, rest) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inside = &value[1..];
                inside.split_once(quote).unwrap_or((inside, ""))
            }
            _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        self.0 = rest;
        Some((name, value))
    }
}
