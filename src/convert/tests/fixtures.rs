//! Pairs of a body (`name.xml`) and its Markdown (`name.md`), named for what they show.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::render;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/convert/fixtures")
}

fn bodies() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut bodies: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "xml")).collect();
    bodies.sort();
    bodies
}

#[test]
fn every_fixture_becomes_its_markdown() {
    let mut wrong = Vec::new();
    for path in bodies() {
        let written = render(&fs::read_to_string(&path).unwrap()).markdown;
        let expected = fs::read_to_string(path.with_extension("md")).unwrap_or_default();
        if written != expected {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            wrong.push(format!("{name}\n--- expected\n{expected}\n--- written\n{written}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} fixtures differ; if all of them are right, run \
         `cargo test --lib convert::tests::fixtures::accept -- --ignored`\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn there_are_fixtures_in_pairs() {
    let bodies = bodies();
    assert!(bodies.len() >= 120, "only {} fixtures found", bodies.len());
    for path in bodies {
        assert!(path.with_extension("md").exists(), "{} has no Markdown", path.display());
    }
}

/// The names in the last column of each row of the tables in `docs/conversion.md`.
fn documented() -> Vec<(String, Vec<String>)> {
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conversion.md")).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.filter(|row| !row.ends_with("shown by"));
    let names = |row: &str| {
        let column = row.rsplit(" | ").next().unwrap_or_default();
        column.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
    };
    rows.map(|row| (row.to_owned(), names(row))).collect()
}

#[test]
fn the_document_shows_each_construct_by_fixtures_and_names_all_of_them() {
    let known: BTreeSet<String> =
        bodies().iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let mut named = BTreeSet::new();
    for (row, names) in documented() {
        for name in names {
            assert!(known.contains(&name), "no fixture is called {name:?}: {row}");
            named.insert(name);
        }
    }
    let forgotten: Vec<_> = known.difference(&named).collect();
    assert!(forgotten.is_empty(), "docs/conversion.md does not name {forgotten:?}");
}

#[test]
#[ignore = "writes the fixtures' Markdown anew; look at the difference before keeping it"]
fn accept() {
    for path in bodies() {
        let written = render(&fs::read_to_string(&path).unwrap()).markdown;
        fs::write(path.with_extension("md"), written).unwrap();
    }
}
