//! What must hold for every page, shown on small ones.

use super::{body, markdown, page, render};
use crate::convert::Page;

#[test]
fn the_title_opens_the_document_and_one_newline_ends_it() {
    assert_eq!(render("<p>text</p>").markdown, "# Page title\n\ntext\n");
    assert_eq!(render("").markdown, "# Page title\n");
    let odd = Page { title: " 1. *Odd*\n title # ", ..page("<p>x</p>") };
    assert_eq!(markdown(&odd).markdown, "# 1. \\*Odd\\* title \\#\n\nx\n");
    assert_eq!(markdown(&Page { title: "", ..page("<p>x</p>") }).markdown, "x\n");
}

#[test]
fn a_page_without_visible_content_is_empty() {
    for storage in [
        "",
        " \n ",
        "<p />",
        "<p>&nbsp;</p><ul><li></li></ul><table><tr><td> </td></tr></table>",
        "<ac:structured-macro ac:name=\"children\"/>",
        "<ac:placeholder>hint</ac:placeholder>",
        "<h1><strong></strong></h1><blockquote><p></p></blockquote>",
    ] {
        assert!(render(storage).is_empty, "{storage}");
    }
    for storage in ["x", "<hr/>", "<p><ac:emoticon ac:name=\"tick\"/></p>", "<td>x</td>"] {
        assert!(!render(storage).is_empty, "{storage}");
    }
}

#[test]
fn volatile_attributes_do_not_change_the_text() {
    let write = |id: &str| {
        format!(
            "<p local-id=\"{id}\">a</p><table data-table-width=\"{}\" ac:local-id=\"{id}\"><tr><td>b</td></tr></table>\
             <ac:structured-macro ac:name=\"info\" ac:macro-id=\"{id}\" ac:local-id=\"{id}\"><ac:rich-text-body>\
             <ac:link><ri:page ri:content-title=\"T\" ri:version-at-save=\"{}\"/></ac:link></ac:rich-text-body>\
             </ac:structured-macro>",
            id.len(),
            id.len()
        )
    };
    assert_eq!(body(&write("5c9a")), body(&write("0d1f22")));
}

#[test]
fn the_same_visible_content_gives_the_same_bytes() {
    let same = [
        "<p>one <strong>two three</strong></p><p>four</p>",
        "\n<p>one&#32;<b>two</b> <b>three</b></p>\n\n<p> four </p><p></p>",
        "<p><span>one</span> <strong><span>two</span>\nthree</strong><br/></p><!-- x --><div>four</div>",
        "<p>one<strong> two three</strong></p><p>&nbsp;</p><p>four</p>",
    ];
    for other in same {
        assert_eq!(body(other), body(same[0]), "{other}");
    }
}

#[test]
fn the_report_counts_what_was_met() {
    let report = render(
        "<p>a</p><ac:structured-macro ac:name=\"odd\"/><ac:structured-macro ac:name=\"odd\"/>\
         <ac:structured-macro ac:name=\"toc\"><ac:parameter ac:name=\"x\">12345</ac:parameter></ac:structured-macro>\
         <ac:link><ri:user ri:account-id=\"1\"/></ac:link><p>open",
    )
    .report;
    assert_eq!(report.unknown_macros.get("odd"), Some(&2));
    assert_eq!(report.unknown_macros.len(), 1);
    assert_eq!(report.unresolved_links, 1);
    assert_eq!(report.recovered_errors, 1);
    assert_eq!((report.text_chars_in, report.text_chars_out), (10, 5));
    assert_eq!(report.macros.get("toc"), Some(&1));
    assert_eq!(report.constructs.get("links"), Some(&1));
    assert_eq!((report.bytes, report.estimated_tokens), ("# Page title\n\na\n\n@user\n\nopen\n".len(), 8));
}

#[test]
fn control_characters_are_dropped_wherever_text_is_taken_as_it_is() {
    let plain = |name: &str| {
        format!(
            "<ac:structured-macro ac:name=\"{name}\"><ac:plain-text-body><![CDATA[a\0b\u{7}c]]></ac:plain-text-body>\
             </ac:structured-macro>"
        )
    };
    for (name, written) in [
        ("markdown", "abc"),
        ("mathinline", "$abc$"),
        ("mathblock", "$$\nabc\n$$"),
        ("code", "```\nabc\n```"),
    ] {
        assert_eq!(body(&plain(name)), written, "{name}");
    }
    assert_eq!(body("<p>a\0b<code>c\0d</code></p><pre>e\0f</pre>"), "ab`cd`\n\n```\nef\n```");
}

#[test]
fn links_follow_the_site_they_are_given() {
    let link = "<ac:link><ri:page ri:content-title=\"A b\"/></ac:link>";
    let site = Page { site_url: "https://wiki.example.com/", space_key: "~ann", ..page(link) };
    assert_eq!(
        markdown(&site).markdown,
        "# Page title\n\n[A b](https://wiki.example.com/display/~ann/A+b)\n"
    );
}

#[test]
fn a_table_in_a_table_in_a_table_keeps_its_words() {
    let mut storage = "core".to_owned();
    for depth in 0..20 {
        storage = format!("<table><tr><td>d{depth}</td><td>{storage}</td></tr></table>");
    }
    let text = body(&storage);
    assert!(text.contains("core"));
    for depth in 0..20 {
        assert!(text.contains(&format!("d{depth}")), "d{depth} is gone");
    }
}
