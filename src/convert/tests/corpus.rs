//! Real bodies: every one converts, loses no words, and shows nothing that readers don't see.
//!
//! They are read where they are, beside the repository; without them the fixtures of this module stand in.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::{markdown, page, render};
use crate::convert::Page;
use crate::convert::reference::resolve;
use crate::convert::token::{Token, Tokens};

pub(super) struct Body {
    pub id: String,
    title: String,
    pub storage: String,
}

/// Real bodies, a JSON object a line, where somebody keeps them beside the repository.
fn corpus() -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/storage-public.jsonl"))
        .ok()
}

pub(super) fn bodies() -> Vec<Body> {
    let Some(lines) = corpus() else {
        println!("no corpus beside the repository: the fixtures stand in for it");
        return fixtures();
    };
    let parse = |line: &str| {
        let body: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Body { id: field("id"), title: field("title"), storage: field("storage") }
    };
    lines.lines().map(parse).collect()
}

pub(super) fn fixtures() -> Vec<Body> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/convert/fixtures");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let xml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
    let read = |path: std::path::PathBuf| {
        let id = path.file_stem().unwrap().to_string_lossy().into_owned();
        Body { title: id.clone(), storage: fs::read_to_string(&path).unwrap(), id }
    };
    xml.map(read).collect()
}

pub(super) fn convert(body: &Body) -> String {
    markdown(&Page { title: &body.title, ..page(&body.storage) }).markdown
}

/// Elements whose text readers of a page don't see.
pub(super) const NOT_SHOWN: [&str; 10] = [
    "ac:parameter",
    "ac:default-parameter",
    "ac:task-id",
    "ac:task-uuid",
    "ac:task-status",
    "ac:placeholder",
    "ac:adf-attribute",
    "ac:adf-fallback",
    "script",
    "style",
];

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// The words of the text nodes: cut at every tag but the ones within a paragraph's line.
fn shown_words(storage: &str) -> Vec<String> {
    let mut text = String::new();
    let mut hidden: Vec<&str> = Vec::new();
    let mut hidden_excerpt = false;
    for token in Tokens::new(storage) {
        match token {
            Token::Open(tag) if tag.empty => text.push(' '),
            Token::Open(tag) => {
                // Formulas are written from their source.
                let drawn = tag.name == "math" || tag.attributes.contains("katex-html");
                let is_hidden = NOT_SHOWN.contains(&tag.name) || drawn;
                if is_hidden || !hidden.is_empty() || (hidden_excerpt && tag.name == "ac:rich-text-body") {
                    hidden.push(tag.name);
                }
                text.push_str(if is_line(tag.name) { "" } else { " " });
            }
            Token::Close(name) => {
                if hidden.last() == Some(&name) {
                    hidden.pop();
                }
                if name.ends_with("macro") {
                    hidden_excerpt = false;
                }
                text.push_str(if is_line(name) { "" } else { " " });
            }
            Token::Text(raw) if hidden.is_empty() => text.push_str(&resolve(raw)),
            Token::Literal(raw) if hidden.is_empty() => text.push_str(raw),
            Token::Text("true") => hidden_excerpt = true,
            Token::Text(_) | Token::Literal(_) => {}
        }
    }
    let visible = text.replace(['\u{200b}', '\u{ad}', '\u{feff}'], "");
    words(&visible).map(str::to_owned).collect()
}

fn is_line(name: &str) -> bool {
    matches!(
        name,
        "b" | "strong" | "i" | "em" | "u" | "s" | "span" | "sub" | "sup" | "ac:inline-comment-marker"
    )
}

#[test]
fn no_body_loses_its_words() {
    let (mut all, mut lost) = (0, 0);
    let mut worst = Vec::new();
    for body in bodies() {
        let written = convert(&body).replace('\\', "");
        let mut written_words: HashMap<&str, usize> = HashMap::new();
        words(&written).for_each(|word| *written_words.entry(word).or_default() += 1);
        let joined: String = written.chars().filter(|c| is_word(*c)).collect();
        let mut missing = Vec::new();
        for word in shown_words(&body.storage) {
            all += 1;
            match written_words.get_mut(word.as_str()) {
                Some(left) if *left > 0 => *left -= 1,
                _ if joined.contains(&word) => {}
                _ => missing.push(word),
            }
        }
        lost += missing.len();
        if !missing.is_empty() {
            worst.push(format!("{}: {missing:?}", body.id));
        }
    }
    println!("{lost} of {all} words lost");
    // Fixtures are made of what is hidden or joined on purpose, of which this test cannot tell all.
    let most_of_a_thousand = if corpus().is_some() { 1 } else { 15 };
    assert!(lost * 1_000 <= all * most_of_a_thousand, "{lost} of {all} words lost:\n{}", worst.join("\n"));
}

#[test]
fn no_body_shows_ids_or_parameters() {
    const KNOWN: [&str; 15] = [
        "title",
        "",
        "body",
        "key",
        "language",
        "lang",
        "label",
        "name",
        "filename",
        "diagramName",
        "diagramDisplayName",
        "url",
        "page",
        "src",
        "jqlQuery",
    ];
    for body in bodies() {
        let written = convert(&body);
        assert!(!holds_uuid(&written) || holds_uuid(&body.storage_text()), "{} shows a UUID", body.id);
        let mut parameter = None;
        for token in Tokens::new(&body.storage) {
            match token {
                Token::Open(tag) if tag.name == "ac:parameter" && !tag.empty => {
                    parameter = tag.attribute("ac:name").filter(|name| !KNOWN.contains(&name.as_ref()));
                }
                Token::Close(_) | Token::Open(_) => parameter = None,
                Token::Text(raw) => {
                    let value = resolve(raw.trim()).into_owned();
                    let only_here = value.len() > 7 && body.storage.matches(raw.trim()).count() == 1;
                    if let Some(name) = parameter.as_ref().filter(|_| only_here) {
                        assert!(!written.contains(&value), "{} shows its parameter {name}: {value}", body.id);
                    }
                }
                Token::Literal(_) => {}
            }
        }
    }
}

impl Body {
    /// The text nodes as they are.
    fn storage_text(&self) -> String {
        let text = Tokens::new(&self.storage).filter_map(|token| match token {
            Token::Text(text) | Token::Literal(text) => Some(text),
            _ => None,
        });
        text.collect()
    }
}

fn holds_uuid(text: &str) -> bool {
    let groups = [8, 4, 4, 4, 12];
    let is_group =
        |(part, length): (&str, usize)| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    let is_id = |word: &str| word.split('-').count() == 5 && word.split('-').zip(groups).all(is_group);
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '-').any(is_id)
}

#[test]
fn documents_are_tidy() {
    for body in bodies() {
        let written = convert(&body);
        assert!(written.ends_with('\n') && !written.ends_with("\n\n"), "{}", body.id);
        assert!(!written.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{}", body.id);
        assert_eq!(written, convert(&body), "{}", body.id);
    }
}

/// Elements in which white space counts.
const AS_WRITTEN: [&str; 4] = ["pre", "math", "ac:plain-text-body", "ac:parameter"];

/// The same body, its white space as another editor would have written it, and without comments.
fn respaced(storage: &str) -> String {
    let (mut written, mut as_written) = (String::new(), 0);
    for token in Tokens::new(storage) {
        match token {
            Token::Open(tag) => {
                as_written += usize::from(AS_WRITTEN.contains(&tag.name) && !tag.empty);
                let end = if tag.empty { "/>" } else { ">" };
                written.extend(["<", tag.name, tag.attributes, end]);
            }
            Token::Close(name) => {
                as_written -= usize::from(AS_WRITTEN.contains(&name) && as_written > 0);
                written.extend(["</", name, "\n>"]);
            }
            Token::Text(text) if as_written > 0 => written.push_str(text),
            Token::Text(text) => {
                let parts: Vec<&str> = text.split([' ', '\t', '\n', '\r']).collect();
                written.push_str(&parts.join("\n\t "));
            }
            Token::Literal(text) => written.extend(["<![CDATA[", text, "]]>"]),
        }
    }
    written
}

#[test]
fn white_space_in_the_source_changes_nothing() {
    for body in bodies().into_iter().chain(fixtures()) {
        let storage = respaced(&body.storage);
        let broken = render(&body.storage).report.recovered_errors > 0;
        let other = Body { id: body.id.clone(), title: body.title.clone(), storage };
        assert!(broken || convert(&other) == convert(&body), "{}:\n{}", body.id, convert(&other));
    }
}

#[test]
fn every_beginning_of_a_body_converts() {
    const SAMPLES: usize = 12;
    for body in bodies() {
        let step = (body.storage.len() / SAMPLES).max(1);
        for end in (0..body.storage.len()).step_by(step) {
            let end =
                (end..body.storage.len()).find(|at| body.storage.is_char_boundary(*at)).unwrap_or_default();
            let written = markdown(&page(&body.storage[..end])).markdown;
            assert!(written.ends_with('\n') && !written.contains('\0'), "{} up to {end}", body.id);
        }
    }
}

#[test]
fn every_beginning_and_every_hole_of_a_short_body_converts() {
    let short = bodies().into_iter().filter(|body| body.storage.len() < 1500).take(60);
    for body in short {
        for (at, _) in body.storage.char_indices().step_by(3) {
            let (head, tail) = body.storage.split_at(at);
            for storage in [head, tail] {
                let written = markdown(&page(storage)).markdown;
                assert!(written.ends_with('\n') && !written.contains('\0'), "{} at {at}", body.id);
            }
        }
    }
}
