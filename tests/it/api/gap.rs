//! Who searches while pages are replaced never misses one of them.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use simulator::{Id, IndexingRule, Outcome};

use super::house::House;

const PAGES: usize = 500;
const READERS: usize = 10;

fn text(n: usize, edition: &str) -> String {
    format!("<p>landmark{n} stands in the {edition} edition.</p>")
}

#[tokio::test]
async fn a_reader_never_misses_a_page_while_500_are_replaced() {
    let house = House::open().await;
    let add = |n| house.site.add_page(house.space, &format!("Page {n}"), text(n, "first")).unwrap();
    let pages: Vec<Id> = (0..PAGES).map(add).collect();
    let source = house.synced().await;
    let source = house.get(&format!("/v1/sources/{source}")).await;
    assert_eq!(source.body["documents"]["live"], PAGES);
    let search = format!("/v1/knowledge-bases/{}/search", source.str("knowledge_base_id"));

    for (n, page) in pages.iter().enumerate() {
        house.site.edit(*page, text(n, "second")).unwrap();
    }
    // Files whose names say "page-7…" take a minute to be indexed: those pages are replaced a tick later.
    let slow = IndexingRule::new("page-7", Outcome::Completed).after(std::time::Duration::from_mins(1));
    house.simulator.openai().indexing(slow);
    house.simulator.reset_calls();
    let replaced = AtomicBool::new(false);
    let replace = async {
        // The last of them are for whatever a machine with much else to do was too slow for.
        for minutes in [5, 1, 5, 5, 5, 5] {
            house.tick_after(TimeDelta::minutes(minutes)).await;
        }
        replaced.store(true, Ordering::SeqCst);
    };
    // Each reader asks for one page after another, beginning elsewhere, until all is done.
    let read = async |first: usize| {
        let mut texts = Vec::new();
        for n in (0..PAGES).cycle().skip(first) {
            if replaced.load(Ordering::SeqCst) {
                break;
            }
            let found = house.post(&search, json!({ "query": format!("landmark{n}") })).await.expect(200);
            let page = pages[n].to_string();
            let of_page = found.items().iter().filter(|item| item["page_id"] == page.as_str());
            let passages: Vec<&str> = of_page.filter_map(|item| item["text"].as_str()).collect();
            assert!(!passages.is_empty(), "page {n} cannot be found: {}", found.text);
            texts.push(passages.iter().all(|text| text.contains("first")));
        }
        texts
    };
    let readers = join_all((0..READERS).map(|n| read(n * PAGES / READERS)));
    let ((), answers) = tokio::join!(replace, readers);

    let answers = answers.concat();
    let old = answers.iter().filter(|old| **old).count();
    println!("{} searches, {old} of which found the old text alone", answers.len());
    assert!(
        answers.len() > PAGES && (1..answers.len()).contains(&old),
        "they read before, meanwhile and after"
    );
    let openai = house.simulator.openai();
    let texts: Vec<&str> = openai.projects()[0].files().filter_map(|file| file.text.as_deref()).collect();
    assert_eq!(texts.len(), PAGES, "the old files are gone");
    assert!(texts.iter().all(|text| text.contains("second")));
}
