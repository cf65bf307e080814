//! Reads the attributes of a tag, asked for by name.

use std::borrow::Cow;

use memchr::memchr;

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
        let separator = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'=' | b'"' | b'\'');
        let text = &self.0[self.0.bytes().position(|byte| !separator(&byte))?..];
        let ends = |byte: u8| byte.is_ascii_whitespace() || byte == b'=';
        let name_end = text.bytes().position(ends).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
            self.0 = rest;
            return Some((name, ""));
        };
        let value = value.trim_ascii_start();
        let (value, rest) = match value.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => {
                let inside = &value[1..];
                memchr(*quote, inside.as_bytes())
                    .map_or((inside, ""), |end| (&inside[..end], &inside[end + 1..]))
            }
            _ => value.split_at(value.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        self.0 = rest;
        Some((name, value))
    }
}
