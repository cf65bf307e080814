//! Bodies nobody should write: deep, huge, and made to be slow.

use super::{body, render};

/// A page of about `size` bytes with a bit of everything.
fn long_page(size: usize) -> String {
    let section = "<h2>Section &amp; more</h2><p>Some <strong>bold</strong> text with a <a href=\"https://example.com/x\">\
        link</a>, snake_case and <code>code</code>.</p><ul><li><p>one</p></li><li>two<ul><li>three</li></ul></li></ul>\
        <table><tbody><tr><th>A</th><th>B</th></tr><tr><td colspan=\"2\">both</td></tr></tbody></table>\
        <ac:structured-macro ac:name=\"info\"><ac:parameter ac:name=\"title\">T</ac:parameter><ac:rich-text-body>\
        <p>note</p></ac:rich-text-body></ac:structured-macro><ac:structured-macro ac:name=\"code\">\
        <ac:plain-text-body><![CDATA[let x = 1;\nlet y = 2;]]></ac:plain-text-body></ac:structured-macro>";
    section.repeat(size / section.len() + 1)
}

#[test]
fn a_hundred_thousand_nested_tags_keep_their_text() {
    const DEPTH: usize = 100_000;
    for tag in [
        "div",
        "b",
        "ul",
        "blockquote",
        "table",
        "a",
        "code",
        "ac:structured-macro",
        "ac:rich-text-body",
        "li",
    ] {
        let storage =
            format!("{}deep{}", format!("<{tag}>").repeat(DEPTH), format!("</{tag}>").repeat(DEPTH));
        assert!(body(&storage).contains("deep"), "{tag}");
        let unclosed = format!("{}deep", format!("<{tag}>").repeat(DEPTH));
        assert!(body(&unclosed).contains("deep"), "{tag}, unclosed");
    }
}

#[test]
fn after_too_deep_a_nest_the_page_goes_on_as_usual() {
    let storage = format!("{}deep{}<h2>Next</h2><p>text</p>", "<div>".repeat(5000), "</div>".repeat(5000));
    assert_eq!(body(&storage), "deep\n\n### Next\n\ntext");
}

#[test]
fn a_page_of_five_megabytes_is_kept_whole() {
    let storage = long_page(5_000_000);
    let markdown = render(&storage).markdown;
    for (tag, text) in [("<h2>", "### Section & more"), ("<![CDATA[", "let y = 2;"), ("<li>two", "- two")] {
        assert_eq!(markdown.matches(text).count(), storage.matches(tag).count(), "{tag}");
    }
}

#[test]
fn no_repetition_makes_the_converter_slow_or_its_text_huge() {
    // What took time that grows with the square of this would stall the suite.
    const SIZE: usize = 100_000;
    for unit in [
        "<",
        "<a ",
        "<a b=\"",
        "<a b=\"< ",
        "</",
        "</b>",
        "<!--",
        "<?",
        "<![CDATA[",
        "<![CDATA[</ac:plain-text-body>",
        "<ac:plain-text-body><![CDATA[x</ac:plain-text-body>",
        "&",
        "&#",
        "&amp",
        "*",
        "_",
        "~",
        "`",
        "[",
        "](",
        "\\",
        "|",
        "#",
        "<b>x ",
        "<b><i>x</b>",
        "<p>x",
        "<h1>x",
        "<ul><li>x",
        "<blockquote>",
        "<code>`",
        "<a href=\"x\">y",
        "<table><tr><td>x",
        "<tr><td rowspan=\"60000\">abc</td>",
        "<ac:structured-macro ac:name=\"x\"><ac:rich-text-body>y",
        "<ac:parameter>",
        "<ac:image>",
        "<b><p>",
        "<br/>",
        "<pre>",
        "<ri:page/>",
        "<ac:link>",
        "<th colspan=\"999\">",
    ] {
        let storage = unit.repeat(SIZE / unit.len());
        let written = render(&storage).markdown.len();
        assert!(written <= 4 * storage.len() + 4096, "{unit} became {written} bytes");
    }
}

#[test]
fn a_text_that_would_outgrow_its_body_is_written_plain() {
    const SIZE: usize = 100_000;
    let deep = "<blockquote><ul><li>".repeat(8);
    let marks = "<b><i><s><sup><sub>".to_owned();
    for (start, unit, kept) in [
        (deep.clone(), "<p>w0rd", "w0rd"),
        (deep + "<pre>", "\nw0rd", "w0rd"),
        (marks, "<p>w0rd", "w0rd"),
        (String::new(), "<a href=\"#\">j</a>", "j"),
        ("<table><tr><td><pre>".to_owned(), "`\n", "`\n"),
    ] {
        let times = SIZE / unit.len();
        let storage = start + &unit.repeat(times);
        let rendering = render(&storage);
        let written = rendering.markdown.len();
        assert!(written <= 4 * storage.len() + 4096, "{unit} became {written} bytes");
        assert!(rendering.report.simplified, "{unit}: {:.300}", rendering.markdown);
        assert!(rendering.markdown.matches(kept).count() >= times, "{unit}: {:.300}", rendering.markdown);
    }
}

#[test]
fn merged_cells_cannot_multiply_a_page() {
    let wide = "<td rowspan=\"60000\" colspan=\"1000\">some words</td>".repeat(2000);
    let storage = format!("<table><tr>{wide}</tr>{}</table>", "<tr><td>x</td></tr>".repeat(4000));
    let written = render(&storage).markdown.len();
    assert!(written <= 4 * storage.len() + 4096, "{} became {written}", storage.len());
}
