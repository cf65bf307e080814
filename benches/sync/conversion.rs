//! The converter alone: storage format in, Markdown out, beside one pass of an XML tokenizer over the same bodies.

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use quick_xml::{Reader, events::Event};
use tidegate::convert;

use crate::table::Row;

/// How long each of the two is measured.
const ENOUGH: Duration = Duration::from_secs(2);

struct Body {
    title: String,
    storage: String,
}

pub fn measure() -> anyhow::Result<Vec<Row>> {
    let (bodies, whose) = bodies()?;
    let bytes: usize = bodies.iter().map(|body| body.storage.len()).sum();
    let converted = rate(bytes, || {
        for body in &bodies {
            black_box(convert::markdown(&convert::Page {
                title: &body.title,
                site_url: "https://example.atlassian.net/wiki",
                space_key: "EX",
                page_id: "1",
                storage: &body.storage,
            }));
        }
    });
    let tokenized = rate(bytes, || bodies.iter().for_each(|body| tokenize(&body.storage)));
    let share = converted / tokenized * 100.0;
    let size = bytes as f64 / 1e6;
    Ok(vec![
        Row::new(
            format!("conversion of {} bodies, {size:.1} MB, {whose}", bodies.len()),
            format!("{converted:.0} MB/s"),
        )
        .floor(format!("one pass of quick-xml: {tokenized:.0} MB/s ({share:.0} %)")),
    ])
}

/// Megabytes a second of one thread.
fn rate(bytes: usize, mut pass: impl FnMut()) -> f64 {
    pass();
    let began = Instant::now();
    let mut passes = 0_u32;
    while began.elapsed() < ENOUGH {
        pass();
        passes += 1;
    }
    bytes as f64 * f64::from(passes) / began.elapsed().as_secs_f64() / 1e6
}

fn tokenize(storage: &str) {
    let mut reader = Reader::from_str(storage);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    while let Ok(event) = reader.read_event() {
        if matches!(black_box(event), Event::Eof) {
            break;
        }
    }
}

/// Real bodies if they lie beside the repository, else the converter's fixtures.
fn bodies() -> anyhow::Result<(Vec<Body>, &'static str)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Ok(lines) = fs::read_to_string(root.join("../shared/corpus/storage-public.jsonl")) {
        let bodies = lines.lines().map(|line| {
            let body: serde_json::Value = serde_json::from_str(line)?;
            let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            Ok(Body { title: field("title"), storage: field("storage") })
        });
        return Ok((bodies.collect::<anyhow::Result<_>>()?, "real ones"));
    }
    let mut bodies = Vec::new();
    for entry in fs::read_dir(root.join("src/convert/fixtures"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let storage = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            bodies.push(Body { title: "A fixture".to_owned(), storage });
        }
    }
    Ok((bodies, "the converter's fixtures"))
}
