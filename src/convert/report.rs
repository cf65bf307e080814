//! What a conversion met and what it did not carry over.

use std::collections::BTreeMap;

/// Counts of one conversion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Macros the converter does not know, by name; their bodies are kept.
    pub unknown_macros: BTreeMap<String, u32>,
    /// Links written as text because they lead nowhere a reader could open: mentions, shortcuts, scripts.
    pub unresolved_links: u32,
    /// Places where the body was not well-formed and was read as something sensible.
    pub recovered_errors: u32,
    /// Characters in the text nodes of the body, parameters of macros included.
    pub text_chars_in: usize,
    /// Those of them that belong to what a reader sees and were written.
    pub text_chars_out: usize,
}
