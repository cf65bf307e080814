//! Made-up wikis for benchmarks: bodies of 1 to 16 kB that a seed determines.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::clock::Millis;
use crate::confluence::{Body, Confluence, Id, Kind, NewNode, Place, Refused};

const WORDS: &[&str] = &[
    "access",
    "account",
    "agreement",
    "alert",
    "approval",
    "audit",
    "backup",
    "branch",
    "budget",
    "build",
    "calendar",
    "capacity",
    "change",
    "checklist",
    "cluster",
    "contract",
    "customer",
    "dashboard",
    "database",
    "deadline",
    "delivery",
    "deployment",
    "desk",
    "document",
    "employee",
    "endpoint",
    "escalation",
    "estimate",
    "failover",
    "feature",
    "feedback",
    "forecast",
    "gateway",
    "handover",
    "holiday",
    "incident",
    "inventory",
    "invoice",
    "key",
    "laptop",
    "latency",
    "ledger",
    "manager",
    "meeting",
    "metric",
    "migration",
    "network",
    "notice",
    "office",
    "onboarding",
    "owner",
    "partner",
    "password",
    "payment",
    "pipeline",
    "policy",
    "priority",
    "process",
    "procurement",
    "project",
    "quarter",
    "queue",
    "quota",
    "rack",
    "rate",
    "record",
    "recovery",
    "region",
    "release",
    "report",
    "request",
    "response",
    "review",
    "risk",
    "role",
    "rollback",
    "rota",
    "runbook",
    "salary",
    "schedule",
    "secret",
    "server",
    "service",
    "shift",
    "signature",
    "storage",
    "supplier",
    "support",
    "switch",
    "team",
    "template",
    "test",
    "ticket",
    "token",
    "training",
    "travel",
    "vendor",
    "version",
    "warehouse",
    "workflow",
];

/// How a made-up wiki is laid out.
#[derive(Debug, Clone)]
pub struct Plan {
    pub pages: usize,
    pub spaces: usize,
    /// Children a page gets before its next sibling does.
    pub fan_out: usize,
    pub seed: u64,
}

impl Plan {
    /// One space.
    #[must_use]
    pub fn pages(pages: usize) -> Self {
        Self { pages, spaces: 1, fan_out: 8, seed: 1 }
    }
}

/// Fills a site; answers the ids of its spaces. Keys are `SYN1`, `SYN2`, …
pub fn load(cloud: &mut Confluence, site: &str, plan: &Plan, now: Millis) -> Result<Vec<Id>, Refused> {
    cloud.add_site(site);
    let site = cloud.site_mut(site)?;
    let count = plan.spaces.max(1);
    let mut spaces = Vec::with_capacity(count);
    for number in 1..=count {
        spaces.push(site.add_space(&format!("SYN{number}"), &format!("Synthetic {number}"), now)?);
    }
    let mut made: Vec<Vec<Id>> = vec![Vec::new(); count];
    for page in 0..plan.pages {
        let (space, own) = (spaces[page % count], &mut made[page % count]);
        let parent = own.len().checked_sub(1).and_then(|last| own.get(last / plan.fan_out.max(1)));
        let place = parent.map_or(Place::Top { space }, |parent| Place::Under(*parent));
        let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(page as u64);
        let title = format!("{} {}", title(seed), page + 1);
        let new = NewNode { kind: Kind::Page, place, title, body: Body::Synthetic { seed } };
        own.push(site.add(new, now)?);
    }
    Ok(spaces)
}

fn title(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let (first, second) = (word(&mut random), word(&mut random));
    let mut letters = first.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    format!("{capital} {second}")
}

fn word(random: &mut StdRng) -> &'static str {
    WORDS[random.random_range(0..WORDS.len())]
}

fn sentence(random: &mut StdRng, text: &mut String) {
    let count = random.random_range(6..16);
    for at in 0..count {
        let word = word(random);
        if at == 0 {
            text.extend(word.chars().take(1).flat_map(char::to_uppercase));
            text.push_str(&word[1..]);
        } else {
            text.push(' ');
            text.push_str(word);
        }
    }
    text.push('.');
}

fn paragraph(random: &mut StdRng, text: &mut String) {
    text.push_str("<p>");
    for at in 0..random.random_range(2..6) {
        if at > 0 {
            text.push(' ');
        }
        sentence(random, text);
    }
    text.push_str("</p>");
}

/// Storage format of about 1 to 16 kB, mostly small, the same for the same seed.
#[must_use]
pub fn body(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
    let most = random.random_range(1_000..16_000);
    let wanted = random.random_range(1_000..=most);
    let mut text = String::with_capacity(wanted + 512);
    while text.len() < wanted {
        block(&mut random, &mut text);
    }
    text
}

fn block(random: &mut StdRng, text: &mut String) {
    match random.random_range(0..10) {
        0 => {
            text.push_str("<h2>");
            text.push_str(word(random));
            text.push_str("</h2>");
        }
        1 => {
            text.push_str("<ul>");
            for _ in 0..random.random_range(2..6) {
                text.push_str("<li>");
                sentence(random, text);
                text.push_str("</li>");
            }
            text.push_str("</ul>");
        }
        2 => {
            text.push_str("<table><tbody>");
            for _ in 0..random.random_range(2..5) {
                let (name, value) = (word(random), word(random));
                text.extend(["<tr><th>", name, "</th><td>", value, "</td></tr>"]);
            }
            text.push_str("</tbody></table>");
        }
        3 => {
            let (name, value) = (word(random), word(random));
            let code = "<ac:structured-macro ac:name=\"code\"><ac:plain-text-body><![CDATA[";
            let end = "\"]]></ac:plain-text-body></ac:structured-macro>";
            text.extend([code, name, " = \"", value, end]);
        }
        4 => {
            text.push_str("<ac:structured-macro ac:name=\"info\"><ac:rich-text-body>");
            paragraph(random, text);
            text.push_str("</ac:rich-text-body></ac:structured-macro>");
        }
        _ => paragraph(random, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_body_of_a_fair_size() {
        assert_eq!(body(7), body(7));
        assert_ne!(body(7), body(8));
        let sizes: Vec<usize> = (0..200).map(|seed| body(seed).len()).collect();
        assert!(sizes.iter().all(|size| (1_000..18_000).contains(size)), "{sizes:?}");
        assert!(sizes.iter().any(|size| *size > 8_000));
    }
}
