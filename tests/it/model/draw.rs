//! Draws histories from seeds.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use simulator::Kind;
use tidegate::entity::{
    selection::{SelectionKind, SelectionMode},
    sync::SyncMode,
};

use super::{
    steps::{Pick, Spot, Step, Words},
    trouble::{Kind as Trick, OF_CONFLUENCE, OF_OPENAI, Trouble},
};

/// What a history plays with.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Sources: the first alone, then one of another knowledge base, then one of another workspace, then one of another
    /// site that feeds the first knowledge base.
    pub sources: u8,
    /// Whether the sources read through one OAuth grant.
    pub oauth: bool,
    /// Whether the vendors have trouble.
    pub trouble: bool,
    /// Whether what was hidden at the end is shown again.
    pub shown_at_last: bool,
    /// Which of the sources include restricted pages.
    pub includes_restricted: [bool; 4],
}

/// A history: who takes part, and what happens.
#[derive(Clone, Debug)]
pub struct History {
    pub cast: Cast,
    pub steps: Vec<Step>,
}

/// Steps after the wiki was made and the first pages were chosen.
const STEPS: usize = 45;

/// The history of a seed.
pub fn history(seed: u64) -> History {
    let mut draw = Draw(StdRng::seed_from_u64(seed));
    let cast = Cast {
        sources: draw.of(&[1, 1, 1, 1, 1, 2, 2, 3, 4]),
        oauth: draw.chance(30),
        trouble: draw.chance(70),
        shown_at_last: draw.chance(70),
        includes_restricted: std::array::from_fn(|_| draw.chance(25)),
    };
    let mut steps = Vec::new();
    for _ in 0..draw.between(12, 20) {
        steps.push(draw.addition());
    }
    for source in 0..cast.sources {
        steps.push(draw.first_choice(source));
        for _ in 0..draw.between(0, 3) {
            steps.push(draw.choice(source));
        }
    }
    steps.push(Step::Tick { after: 0 });
    for _ in 0..STEPS {
        let step = draw.step(cast);
        steps.push(step);
        if matches!(step, Step::Trouble(_) | Step::Indexing { .. } | Step::Unindexed { .. }) {
            // Trouble meets somebody: there is something to do, and the source is due.
            steps.extend([draw.wiki(), draw.wiki(), Step::Tick { after: 300 }]);
        }
    }
    History { cast, steps }
}

struct Draw(StdRng);

impl Draw {
    fn between(&mut self, least: usize, most: usize) -> usize {
        self.0.random_range(least..=most)
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.0.random_range(0..100) < percent
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.random_range(0..choices.len())]
    }

    fn number(&mut self) -> u8 {
        self.0.random_range(0..60)
    }

    fn pick(&mut self) -> Pick {
        self.0.random_range(0..1000)
    }

    fn words(&mut self) -> Words {
        let number = self.number();
        match self.between(0, 9) {
            0 => Words::Empty,
            1 => Words::Link(number),
            2 => Words::Styled(number % 4),
            3 => Words::Text(number % 4),
            _ => Words::Text(number),
        }
    }

    fn spot(&mut self) -> Spot {
        // Every third space, and so one of each site, holds more than the others.
        let space = self.number();
        let space = if self.chance(40) { space / 3 * 3 } else { space };
        if self.chance(35) { Spot::Top { space } } else { Spot::Under(self.pick()) }
    }

    fn addition(&mut self) -> Step {
        let kinds = [Kind::Page, Kind::Page, Kind::Page, Kind::Page, Kind::Page, Kind::Folder, Kind::Folder];
        let kind = if self.chance(4) { Kind::Whiteboard } else { self.of(&kinds) };
        Step::Add { kind, at: self.spot(), title: self.number(), words: self.words() }
    }

    fn first_choice(&mut self, source: u8) -> Step {
        let kinds = [
            SelectionKind::Space,
            SelectionKind::Space,
            SelectionKind::Space,
            SelectionKind::PageTree,
            SelectionKind::Folder,
        ];
        let which = if self.chance(60) { 0 } else { self.pick() };
        Step::Choose { source, kind: self.of(&kinds), mode: SelectionMode::Include, which }
    }

    fn choice(&mut self, source: u8) -> Step {
        let kinds = [
            SelectionKind::Space,
            SelectionKind::PageTree,
            SelectionKind::PageTree,
            SelectionKind::Folder,
            SelectionKind::Page,
        ];
        let modes = [SelectionMode::Include, SelectionMode::Include, SelectionMode::Exclude];
        Step::Choose { source, kind: self.of(&kinds), mode: self.of(&modes), which: self.pick() }
    }

    fn tick(&mut self) -> Step {
        Step::Tick { after: self.of(&[1, 20, 70, 300, 300, 300, 300, 300, 900, 4_000]) }
    }

    fn step(&mut self, cast: Cast) -> Step {
        if cast.trouble && self.chance(25) {
            return self.trouble();
        }
        let source = self.number() % cast.sources;
        match self.between(0, 99) {
            0..35 => self.tick(),
            35..69 => self.wiki(),
            69..78 => self.choice(source),
            78..81 => Step::Unchoose { source, which: self.number() },
            81..82 => Step::Pause(source),
            82..87 => Step::Resume(source),
            87..91 => {
                let mode = self.of(&[SyncMode::Delta, SyncMode::Full, SyncMode::Full, SyncMode::Plan]);
                Step::Request { source, mode }
            }
            91..92 => Step::Cancel(source),
            92..94 => Step::Approve(source),
            94..95 => Step::Reject(source),
            95..96 => self.of(&[Step::Reconcile(source), Step::DeleteSource(source)]),
            96..98 => Step::Tamper { which: self.pick(), deletes: self.chance(50) },
            _ => Step::Stranger { store: self.number(), attached: self.chance(70) },
        }
    }

    fn trouble(&mut self) -> Step {
        match self.between(0, 99) {
            0..56 => Step::Trouble(self.fault()),
            56..68 => Step::Calm,
            68..76 => Step::Indexing { takes: self.of(&[0, 0, 30, 200, 500, 1_000]) },
            76..84 => Step::Unindexed { files: self.of(&[1, 1, 2, 5]), stuck: self.chance(40) },
            84..87 => Step::ExpireTokens,
            87..89 => Step::Revoke,
            89..92 => Step::Jump(self.of(&[-7_200, -600, -45, 45, 600, 7_200])),
            _ => Step::Crash { after: self.of(&[70, 300, 300]), calls: self.0.random_range(0..40) },
        }
    }

    fn fault(&mut self) -> Trouble {
        let common = [
            Trick::Status(500),
            Trick::Status(503),
            Trick::Limited(None),
            Trick::Limited(Some(1)),
            Trick::Limited(Some(40)),
            Trick::Limited(Some(900)),
            Trick::DropBefore,
            Trick::DropBefore,
            Trick::DropAfter,
            Trick::DropAfter,
            Trick::StatusAfter(500),
            Trick::Truncate(20),
            Trick::Truncate(200),
            Trick::Malformed,
            Trick::CloseAfter,
        ];
        let (at, more): (&[(&'static str, &'static str)], &[Trick]) = if self.chance(45) {
            (
                &OF_CONFLUENCE,
                &[
                    Trick::NextLoop,
                    Trick::NextWithoutCursor,
                    Trick::ForeignNext,
                    Trick::Status(404),
                    Trick::Status(401),
                ],
            )
        } else {
            (&OF_OPENAI, &[Trick::Quota, Trick::Status(401)])
        };
        let (method, path) = self.of(at);
        let kind = if self.chance(12) { self.of(more) } else { self.of(&common) };
        // A refresh whose answer is lost for longer than the vendor forgives ends the grant: that is for a person.
        let kind = if path == "/oauth/*" { self.of(&[Trick::Status(503), Trick::DropBefore]) } else { kind };
        // Only the whole site may be said not to be there.
        let (method, path) =
            if matches!(kind, Trick::Status(404)) { ("GET", "/wiki/*") } else { (method, path) };
        let times = if matches!(kind, Trick::Status(404)) { 0 } else { self.of(&[1, 1, 2, 3, 5, 8, 0]) };
        Trouble { method, path, kind, skip: self.of(&[0, 0, 0, 1, 2, 5]), times }
    }

    fn wiki(&mut self) -> Step {
        let node = self.pick();
        match self.between(0, 99) {
            0..14 => self.addition(),
            14..30 => Step::Edit { node, words: self.words() },
            30..34 => Step::Save { node },
            34..42 => Step::Rename { node, title: self.number() },
            42..60 => Step::Move { node, to: self.spot() },
            60..64 => Step::Archive(node),
            64..67 => Step::Unarchive(node),
            67..74 => Step::Trash(node),
            74..80 => Step::Restore(node),
            80..82 => Step::Purge(node),
            82..85 => Step::Erase(node),
            85..88 => Step::Hide(node),
            88..91 => Step::Restrict(node),
            91..95 => Step::Show(node),
            95..97 => Step::HideSpace(self.number()),
            97..98 => Step::DeleteSpace(self.number()),
            _ => Step::ShowSpace(self.number()),
        }
    }
}
