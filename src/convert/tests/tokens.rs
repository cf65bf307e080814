//! The tokenizer: what is XML is read as XML, and everything else as something.

use crate::convert::reference::resolve;
use crate::convert::token::{Tag, Token, Tokens};

fn tokens(input: &str) -> Vec<Token<'_>> {
    Tokens::new(input).collect()
}

fn recovered(input: &str) -> u32 {
    let mut tokens = Tokens::new(input);
    tokens.by_ref().for_each(drop);
    tokens.recovered
}

fn open<'a>(name: &'a str, attributes: &'a str, empty: bool) -> Token<'a> {
    Token::Open(Tag { name, attributes, empty })
}

#[test]
fn tags_text_and_literals_come_in_order() {
    let input = "<p class=\"x\">a<br/>&amp;<![CDATA[<&>]]></p >";
    let expected = vec![
        open("p", " class=\"x\"", false),
        Token::Text("a"),
        open("br", "", true),
        Token::Text("&amp;"),
        Token::Literal("<&>"),
        Token::Close("p"),
    ];
    assert_eq!(tokens(input), expected);
    assert_eq!(recovered(input), 0);
}

#[test]
fn attributes_are_read_by_name_in_any_spelling() {
    let Token::Open(tag) =
        tokens("<ac:image ac:alt='a \"b\"' x = \"1 > 0\" bare y=2 ac:title=\"&eacute;\" />")[0]
    else {
        panic!("not a tag");
    };
    assert!(tag.empty);
    assert_eq!(tag.attribute("ac:alt").as_deref(), Some("a \"b\""));
    assert_eq!(tag.attribute("x").as_deref(), Some("1 > 0"));
    assert_eq!(tag.attribute("bare").as_deref(), Some(""));
    assert_eq!(tag.number("y"), Some(2));
    assert_eq!(tag.attribute("ac:title").as_deref(), Some("é"));
    assert_eq!(tag.attribute("title"), None);
}

#[test]
fn comments_and_declarations_say_nothing() {
    assert_eq!(
        tokens("<?xml version=\"1.0\"?><!DOCTYPE x>a<!-- <b> -- -->b"),
        [Token::Text("a"), Token::Text("b")]
    );
    assert_eq!(
        tokens("a<!-- never closed <b>b"),
        [Token::Text("a"), Token::Text(" never closed "), open("b", "", false), Token::Text("b")]
    );
}

#[test]
fn less_than_is_text_where_no_tag_begins() {
    assert_eq!(
        tokens("1 < 2 <3 </ > <>"),
        [Token::Text("1 "), Token::Text("< 2 "), Token::Text("<3 "), Token::Text("</ > "), Token::Text("<>")]
    );
    assert_eq!(
        tokens("a <b then <i>c"),
        [Token::Text("a "), Token::Text("<b then "), open("i", "", false), Token::Text("c")]
    );
}

#[test]
fn an_unclosed_tag_ends_where_the_next_begins() {
    assert_eq!(
        tokens("<a href=\"x\"<p>y"),
        [open("a", " href=\"x\"", false), open("p", "", false), Token::Text("y")]
    );
    assert_eq!(
        tokens("<a href=\"x<p>y"),
        [open("a", " href=\"x", false), open("p", "", false), Token::Text("y")]
    );
    assert_eq!(tokens("</p<b>"), [Token::Close("p"), open("b", "", false)]);
    assert_eq!(
        tokens("text<ac:parameter ac:na"),
        [Token::Text("text"), open("ac:parameter", " ac:na", false)]
    );
}

#[test]
fn adjacent_literals_are_two_halves_of_one() {
    assert_eq!(tokens("<![CDATA[a]]]]><![CDATA[>b]]>"), [Token::Literal("a]]"), Token::Literal(">b")]);
}

#[test]
fn a_literal_without_end_ends_with_its_element() {
    assert_eq!(
        tokens("<![CDATA[code</ac:plain-text-body><p>x"),
        [Token::Literal("code"), Token::Close("ac:plain-text-body"), open("p", "", false), Token::Text("x")]
    );
    assert_eq!(tokens("<![CDATA[rest"), [Token::Literal("rest")]);
    let samples = "<![CDATA[<ac:plain-text-body>x</ac:plain-text-body>]]>";
    assert_eq!(tokens(samples), [Token::Literal("<ac:plain-text-body>x</ac:plain-text-body>")]);
}

#[test]
fn references_are_resolved_and_the_rest_is_left() {
    assert_eq!(resolve("&lt;&quot;&apos;&nbsp;&Eacute;&#65;&#x42;"), "<\"'\u{a0}ÉAB");
    assert_eq!(resolve("&unknown; & &; &#; &#x; &#xZZ; &lt"), "&unknown; & &; &#; &#x; &#xZZ; &lt");
    assert_eq!(resolve("&#55357;&#56898;"), "🙂");
    assert_eq!(resolve("&#55357;x&#56898;&#1114112;&#99999999999;"), "x");
    assert_eq!(resolve("&#146;&#150;"), "’–");
    assert_eq!(resolve("&NotEqualTilde;&CounterClockwiseContourIntegral;"), "≂̸∳");
}

#[test]
fn every_reference_of_html_is_resolved_in_text_and_in_attributes() {
    assert!(html_escape::NAMED_ENTITIES.len() >= 2100, "{}", html_escape::NAMED_ENTITIES.len());
    for (name, value) in html_escape::NAMED_ENTITIES {
        let name = std::str::from_utf8(name).unwrap();
        let written = format!("a&{name};b");
        assert_eq!(resolve(&written), format!("a{value}b"), "{name}");
        let attributes = format!("title=\"{written}\"");
        let tag = Tag { name: "a", attributes: &attributes, empty: false };
        assert_eq!(tag.attribute_or_empty("title"), format!("a{value}b"), "{name}");
    }
}
