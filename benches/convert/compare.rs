//! The converter's speed: over real bodies and over huge ones, beside a least converter and beside converters of HTML.

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use convert_bench::convert;
use quick_xml::{Reader, events::Event};

/// How often what is compared takes turns; the fastest turn of each counts.
const TURNS: usize = 10;

struct Body {
    title: String,
    storage: String,
}

/// What is compared: its name, and how it makes a text of a body.
type Converter = (&'static str, fn(&Body) -> String);

const OURS: Converter = ("tidegate", ours);
const LEAST: Converter = ("least converter", least);
const ALL: [Converter; 5] = [
    OURS,
    LEAST,
    ("htmd", |body| htmd::convert(&body.storage).unwrap_or_default()),
    ("html2md", |body| html2md::parse_html(&body.storage)),
    ("fast_html2md", |body| fast::rewrite_html(&body.storage, false)),
];

fn main() {
    let (bodies, whose) = bodies();
    let bytes: usize = bodies.iter().map(|body| body.storage.len()).sum();
    println!("{} bodies, {:.1} MB, {whose}", bodies.len(), megabytes(bytes));
    compare(&bodies, &ALL, TURNS);
    let huge = vec![huge(&bodies, 20_000_000)];
    println!("one page of 20 MB");
    compare(&huge, &[OURS, LEAST], 5);
    let mut before = None;
    for size in [1, 2, 4, 8, 16] {
        let page = vec![self::huge(&bodies, size * 1_000_000)];
        let taken = (0..5).map(|_| turn(&page, ours)).min().unwrap_or_default();
        let ratio = before.map(|before: Duration| taken.as_secs_f64() / before.as_secs_f64());
        let ratio = ratio.map_or(String::new(), |ratio| format!(", {ratio:.2} times the page half as long"));
        println!("  a page of {size} MB: {:.1} ms{ratio}", taken.as_secs_f64() * 1e3);
        before = Some(taken);
    }
}

/// Lets converters take turns, so that what else the machine does falls on all of them.
fn compare(bodies: &[Body], converters: &[Converter], turns: usize) {
    let bytes: usize = bodies.iter().map(|body| body.storage.len()).sum();
    let mut fastest = vec![Duration::MAX; converters.len()];
    for _ in 0..turns {
        for ((_, convert), fastest) in converters.iter().zip(&mut fastest) {
            *fastest = turn(bodies, *convert).min(*fastest);
        }
    }
    let speed = |taken: &Duration| megabytes(bytes) / taken.as_secs_f64();
    let best = fastest.iter().map(speed).fold(0.0, f64::max);
    for ((name, convert), taken) in converters.iter().zip(&fastest) {
        let (kept, codes) = codes_kept(bodies, *convert);
        let speed = speed(taken);
        println!(
            "  {name}: {speed:.0} MB/s, {:.0} %; {kept} of {codes} code blocks kept",
            speed / best * 100.0
        );
    }
}

fn turn(bodies: &[Body], convert: fn(&Body) -> String) -> Duration {
    let began = Instant::now();
    for body in bodies {
        black_box(convert(body));
    }
    began.elapsed()
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn ours(body: &Body) -> String {
    let page = convert::Page {
        title: &body.title,
        site_url: "https://example.atlassian.net/wiki",
        space_key: "EX",
        page_id: "1",
        storage: &body.storage,
    };
    convert::markdown(&page).markdown
}

/// The events of a tokenizer, names looked at, text copied: less than this no converter can do.
fn least(body: &Body) -> String {
    let mut text = String::with_capacity(body.storage.len());
    let mut names = 0;
    let mut reader = Reader::from_str(&body.storage);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => names += tag.name().as_ref().len(),
            Ok(Event::End(tag)) => names += tag.name().as_ref().len(),
            Ok(Event::Text(piece)) => text.push_str(&piece),
            Ok(Event::CData(piece)) => text.push_str(&piece),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    black_box(names);
    text
}

/// How many code blocks of how many are found again: those whose longest line stands in the text.
fn codes_kept(bodies: &[Body], convert: fn(&Body) -> String) -> (usize, usize) {
    let (mut kept, mut all) = (0, 0);
    for body in bodies {
        let text = convert(body);
        for part in body.storage.split("<ac:plain-text-body><![CDATA[").skip(1) {
            let code = part.split("]]>").next().unwrap_or_default();
            let line = code.lines().map(str::trim).max_by_key(|line| line.len()).unwrap_or_default();
            all += usize::from(!line.is_empty());
            kept += usize::from(!line.is_empty() && text.contains(line));
        }
    }
    (kept, all)
}

/// One page of many bodies, about this long.
fn huge(bodies: &[Body], size: usize) -> Body {
    let whole =
        |body: &&Body| body.storage.matches("<![CDATA[").count() == body.storage.matches("]]>").count();
    let mut storage = String::with_capacity(size + 300_000);
    for body in bodies.iter().filter(whole).cycle() {
        if storage.len() >= size {
            break;
        }
        storage.push_str(&body.storage);
    }
    Body { title: "A huge page".to_owned(), storage }
}

/// Real bodies if they lie beside the repository, else the converter's fixtures.
fn bodies() -> (Vec<Body>, &'static str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if let Ok(lines) = fs::read_to_string(root.join("../shared/corpus/storage-public.jsonl")) {
        let bodies = lines.lines().map(|line| {
            let body: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            Body { title: field("title"), storage: field("storage") }
        });
        return (bodies.collect(), "real ones");
    }
    let folder = fs::read_dir(root.join("src/convert/fixtures")).expect("the fixtures");
    let paths = folder.filter_map(|entry| Some(entry.ok()?.path()));
    let xml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
    let bodies = xml.map(|path| Body {
        title: "A fixture".to_owned(),
        storage: fs::read_to_string(path).expect("a fixture"),
    });
    (bodies.collect(), "the converter's fixtures")
}
