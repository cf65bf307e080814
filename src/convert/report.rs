//! What a conversion met and what it did not carry over.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts of one conversion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Headings, lists, tables, links, images and the like, by what they are.
    pub constructs: BTreeMap<&'static str, u32>,
    /// All macros, by name.
    pub macros: BTreeMap<String, u32>,
    /// Macros the converter does not know, by name; their bodies are kept.
    pub unknown_macros: BTreeMap<String, u32>,
    /// Links written as text because they lead nowhere a reader could open: mentions, shortcuts, scripts.
    pub unresolved_links: u32,
    /// Places where the body was not well-formed and was read as something sensible.
    pub recovered_errors: u32,
    /// Tags nested too deep to be heeded; their text is kept.
    pub tags_too_deep: u32,
    /// The text would have become many times the body, and was written without marks, tables and addresses.
    pub simplified: bool,
    /// Characters in the text nodes of the body, parameters of macros included.
    pub text_chars_in: usize,
    /// Those of them that belong to what a reader sees and were written.
    pub text_chars_out: usize,
    /// The size of the Markdown.
    pub bytes: usize,
    /// What a model will count, roughly: a token for four characters of ASCII, and for each other character.
    pub estimated_tokens: usize,
}

impl Report {
    pub(super) fn count_macro(&mut self, name: &str, known: bool) {
        let unknown = (!known).then_some(&mut self.unknown_macros);
        for counts in [Some(&mut self.macros), unknown].into_iter().flatten() {
            match counts.get_mut(name) {
                Some(times) => *times += 1,
                None => drop(counts.insert(name.to_owned(), 1)),
            }
        }
    }

    /// Measures the finished text.
    pub(super) fn measure(&mut self, markdown: &str) {
        let ascii = count(markdown, |byte| byte.is_ascii());
        self.bytes = markdown.len();
        self.estimated_tokens = ascii.div_ceil(4) + characters(markdown) - ascii;
    }
}

/// The characters of a text.
pub(super) fn characters(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    count(text, |byte| !(0x80..0xc0).contains(&byte))
}

/// Counts bytes in small sums, many of which fit into one register.
fn count(text: &str, test: impl Fn(u8) -> bool) -> usize {
    let sum = |part: &[u8]| usize::from(part.iter().map(|byte| u8::from(test(*byte))).sum::<u8>());
    text.as_bytes().chunks(usize::from(u8::MAX)).map(sum).sum()
}
