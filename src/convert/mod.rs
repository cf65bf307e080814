//! Turns the storage format of a Confluence page into Markdown for retrieval.
//!
//! * Pure: the text is a function of [`Page`] alone. Same visible content, same bytes.
//! * Never fails: whatever the body is, it becomes a document; what had to be repaired is counted.
//! * Reads the body once, without recursion, in time linear in its length.
//! * Never grows out of proportion: the text is at most 4 times as long as the body and 4 KiB. A body that would become
//!   more is read again, and its text written without marks, tables and addresses.
//! * Loses no text that a reader of the page sees, and shows none that a reader doesn't see.
//!
//! What becomes of each construct is listed in `docs/conversion.md`; each has a pair of fixtures beside this file.

mod attribute;
mod block;
mod body;
mod element;
mod emoji;
mod enter;
mod frame;
mod grid;
mod leave;
mod macros;
mod mark;
mod reader;
mod reference;
mod report;
mod table;
mod target;
mod text;
mod token;
mod writer;

#[cfg(test)]
mod tests;

pub use report::Report;

/// Grows with every change that gives some page another text, so that pages can be rendered anew gradually.
pub const VERSION: u32 = 3;

/// What the converter must know of a page beyond its body.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub title: &'a str,
    /// The base of the site's links: `https://example.atlassian.net/wiki`.
    pub site_url: &'a str,
    pub space_key: &'a str,
    pub page_id: &'a str,
    /// The body, in storage format.
    pub storage: &'a str,
}

/// A page as Markdown.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// Ends with one newline; opens with the title.
    pub markdown: String,
    /// Nothing but the title.
    pub is_empty: bool,
    pub report: Report,
}

/// Converts a page. Every body gives a rendering, at most 4 times as long as the body and 4 KiB (where the title has no
/// more than the 255 characters that Confluence allows).
#[must_use]
pub fn markdown(page: &Page<'_>) -> Rendering {
    let mut reader = reader::Reader::new(page);
    if !reader.read(page.storage) {
        reader = reader::Reader::plain(page);
        reader.read(page.storage);
    }
    reader.finish()
}
