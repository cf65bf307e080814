//! Lexical search: BM25 over overlapping chunks of the indexed texts, scores between 0 and 1.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::entry::Entry;

/// Words that stand for the vendor's 800 tokens, and for its overlap of 400.
const CHUNK_WORDS: usize = 600;
const STEP_WORDS: usize = 300;
/// The usual constants of BM25.
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// The relevance that is scored one half.
const HALF: f64 = 4.0;

/// A part of a text that is found as one.
#[derive(Debug, Clone)]
pub struct Chunk {
    text: String,
    words: HashMap<String, u32>,
    length: u32,
}

/// Cuts a text into chunks.
#[must_use]
pub fn chunks(text: &str) -> Vec<Chunk> {
    let spans: Vec<(usize, usize)> = word_spans(text).collect();
    let mut chunks = Vec::new();
    let mut first = 0;
    while first < spans.len() {
        let end = (first + CHUNK_WORDS).min(spans.len());
        let from = if first == 0 { 0 } else { spans[first].0 };
        let to = if end == spans.len() { text.len() } else { spans[end - 1].1 };
        let mut words: HashMap<String, u32> = HashMap::new();
        for &(from, to) in &spans[first..end] {
            *words.entry(fold(&text[from..to])).or_default() += 1;
        }
        let length = u32::try_from(end - first).unwrap_or(u32::MAX);
        chunks.push(Chunk { text: text[from..to].to_owned(), words, length });
        if end == spans.len() {
            break;
        }
        first += STEP_WORDS;
    }
    chunks
}

fn word_spans(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let inside = |c: char| c.is_alphanumeric();
    let mut rest = 0;
    std::iter::from_fn(move || {
        let from = rest + text[rest..].find(inside)?;
        let to = text[from..].find(|c| !inside(c)).map_or(text.len(), |end| from + end);
        rest = to;
        Some((from, to))
    })
}

/// Lower case, and plurals as their singular, roughly.
fn fold(word: &str) -> String {
    let word = word.to_lowercase();
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 3 && !stem.ends_with('s') => stem.to_owned(),
        _ => word,
    }
}

/// A chunk that answers a query.
#[derive(Debug)]
pub struct Hit<'a> {
    pub entry: &'a Entry,
    pub text: &'a str,
    pub score: f64,
}

impl Hit<'_> {
    /// The hit as the API shows it.
    #[must_use]
    pub fn shape(&self) -> Value {
        json!({
            "file_id": self.entry.file,
            "filename": self.entry.filename,
            "score": self.score,
            "attributes": self.entry.attributes,
            "content": [{"type": "text", "text": self.text}],
        })
    }
}

/// The best chunks, best first; ties go to the older entry.
#[must_use]
pub fn rank<'a>(
    query: &str,
    entries: impl Iterator<Item = &'a Entry>,
    most: usize,
    threshold: f64,
) -> Vec<Hit<'a>> {
    let wanted: BTreeSet<String> = word_spans(query).map(|(from, to)| fold(&query[from..to])).collect();
    let entries: Vec<&Entry> = entries.collect();
    let chunks = || entries.iter().flat_map(|entry| entry.chunks().iter().map(move |chunk| (*entry, chunk)));
    let (mut count, mut length) = (0.0, 0.0);
    let mut frequency: HashMap<&str, f64> = HashMap::new();
    for (_, chunk) in chunks() {
        count += 1.0;
        length += f64::from(chunk.length);
        for word in wanted.iter().filter(|word| chunk.words.contains_key(*word)) {
            *frequency.entry(word).or_default() += 1.0;
        }
    }
    let average = if count > 0.0 { length / count } else { 1.0 };
    let relevance = |chunk: &Chunk| -> f64 {
        let part = |word: &String| {
            let times = f64::from(*chunk.words.get(word)?);
            let spread = frequency.get(word.as_str()).copied().unwrap_or(0.0);
            let rarity = (1.0 + (count - spread + 0.5) / (spread + 0.5)).ln();
            let weight = times + K1 * (1.0 - B + B * f64::from(chunk.length) / average);
            Some(rarity * times * (K1 + 1.0) / weight)
        };
        wanted.iter().filter_map(part).sum()
    };
    let mut hits: Vec<Hit<'a>> = chunks()
        .map(|(entry, chunk)| (entry, chunk, relevance(chunk)))
        .filter(|(_, _, relevance)| *relevance > 0.0)
        .map(|(entry, chunk, relevance)| Hit {
            entry,
            text: &chunk.text,
            score: relevance / (relevance + HALF),
        })
        .filter(|hit| hit.score >= threshold)
        .collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.entry.order.cmp(&b.entry.order)));
    hits.truncate(most);
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_into_overlapping_chunks() {
        let words: Vec<String> = (0..1_000).map(|n| format!("word{n}")).collect();
        let text = words.join(" ");
        let chunks = chunks(&text);
        assert_eq!(chunks.len(), 3);
        assert!(chunks[0].words.contains_key("word0") && chunks[0].words.contains_key("word599"));
        assert!(chunks[1].words.contains_key("word300") && chunks[1].words.contains_key("word899"));
        assert!(chunks[2].words.contains_key("word999"));
    }

    #[test]
    fn a_short_text_is_one_chunk_and_an_empty_one_none() {
        assert_eq!(chunks("# Title\n\nA few words.")[0].text, "# Title\n\nA few words.");
        assert!(chunks("").is_empty());
        assert_eq!(fold("Policies"), "policie");
        assert_eq!(fold("class"), "class");
    }
}
