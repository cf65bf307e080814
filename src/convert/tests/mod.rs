//! The converter against its fixtures, against real bodies, and against bodies nobody should write.

mod commonmark;
mod corpus;
mod fixtures;
mod limits;
mod mutations;
mod properties;
mod tokens;

use super::{Page, Rendering, markdown};

/// A page of the example site with this body.
fn page(storage: &str) -> Page<'_> {
    Page {
        title: "Page title",
        site_url: "https://example.atlassian.net/wiki",
        space_key: "DOCS",
        page_id: "123",
        storage,
    }
}

fn render(storage: &str) -> Rendering {
    markdown(&page(storage))
}

/// The Markdown of a body without its title.
fn body(storage: &str) -> String {
    let rendering = render(storage);
    rendering.markdown.strip_prefix("# Page title\n").unwrap_or(&rendering.markdown).trim().to_owned()
}
