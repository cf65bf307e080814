//! What a plan makes of pages that were seen, and of documents that were looked up.

use super::*;
use crate::entity::document::Work;

const AGE: TimeDelta = TimeDelta::minutes(5);

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// A page as it was shown, and the document that it already is.
fn page(page_id: &str, version: i64) -> (Fact, Known) {
    let fact = Fact {
        page_id: page_id.to_owned(),
        version,
        edited_at: noon(),
        title: "Runbook".to_owned(),
        url: "https://acme.example/1".to_owned(),
        space_id: "S".to_owned(),
        parent_id: Some("P".to_owned()),
        parent_kind: Some("page".to_owned()),
    };
    let known = Known {
        id: DocumentId::new(),
        page_id: fact.page_id.clone(),
        state: DocumentState::Live,
        work: Work::None,
        selection_id: Some(SelectionId::new()),
        wanted_version: version,
        live_version: Some(version),
        title: fact.title.clone(),
        url: fact.url.clone(),
        space_id: fact.space_id.clone(),
        parent_id: fact.parent_id.clone(),
        suspect_since: None,
    };
    (fact, known)
}

/// What a plan respects in most of these tests: nothing in particular.
#[derive(Default)]
struct Given {
    closed_spaces: HashSet<String>,
    uncertain: HashSet<SelectionId>,
    standing: HashSet<SelectionId>,
}

impl Given {
    fn rules(&self) -> Rules<'_> {
        Rules {
            closed_spaces: &self.closed_spaces,
            uncertain: &self.uncertain,
            standing: &self.standing,
            suspect_age: AGE,
            now: noon(),
        }
    }

    fn seen(&self, fact: &Fact, verdict: Verdict, known: Option<&Known>) -> Option<Change> {
        let known = known.map(|known| (known.page_id.clone(), known.clone())).into_iter().collect();
        let mut changes = seen(vec![(fact.clone(), verdict)], &known, &self.rules());
        assert!(changes.len() <= 1);
        changes.pop()
    }
}

fn wanted(known: &Known) -> Verdict {
    Verdict::Wanted(known.selection_id.unwrap())
}

fn evidence(change: Option<Change>) -> EvidenceKind {
    match change {
        Some(Change::Remove { evidence, .. }) => evidence.kind,
        other => panic!("not removed: {other:?}"),
    }
}

#[test]
fn what_is_known_as_it_is_needs_nothing() {
    let (fact, known) = page("1", 3);
    assert_eq!(Given::default().seen(&fact, wanted(&known), Some(&known)), None);
    let older = Fact { version: 2, ..fact };
    assert_eq!(Given::default().seen(&older, wanted(&known), Some(&known)), None);
}

#[test]
fn a_page_that_is_new_or_was_removed_is_created() {
    let (fact, known) = page("1", 3);
    let removed = Known { state: DocumentState::Removed, ..known.clone() };
    for (before, row) in [(None, None), (Some(&removed), Some(removed.id))] {
        let change = Given::default().seen(&fact, wanted(&known), before);
        assert!(matches!(change, Some(Change::Create { document, .. }) if document == row));
    }
    assert_eq!(Given::default().seen(&fact, Verdict::Outside, Some(&removed)), None);
}

#[test]
fn a_newer_version_says_whether_paths_through_it_change() {
    let (fact, known) = page("1", 3);
    let edited = Fact { version: 4, ..fact };
    let renamed = Fact { title: "Handbook".to_owned(), ..edited.clone() };
    for (fact, expected) in [(edited, false), (renamed, true)] {
        let change = Given::default().seen(&fact, wanted(&known), Some(&known));
        assert!(matches!(change, Some(Change::Revise { renames, .. }) if renames == expected));
    }
}

#[test]
fn nothing_new_enters_a_closed_space_but_what_is_there_goes_on() {
    let given = Given { closed_spaces: HashSet::from(["S".to_owned()]), ..Given::default() };
    let (fact, known) = page("1", 3);
    assert_eq!(given.seen(&fact, wanted(&known), None), None);
    let newer = Fact { version: 4, ..fact };
    assert!(matches!(given.seen(&newer, wanted(&known), Some(&known)), Some(Change::Revise { .. })));
}

#[test]
fn a_page_of_a_tree_that_was_not_seen_stays_with_it() {
    let (fact, known) = page("1", 3);
    let given = Given { uncertain: known.selection_id.into_iter().collect(), ..Given::default() };
    for verdict in [Verdict::Wanted(SelectionId::new()), Verdict::Excluded(SelectionId::new())] {
        assert_eq!(given.seen(&fact, verdict, Some(&known)), None);
        assert!(given.seen(&fact, Verdict::Outside, Some(&known)).is_none());
    }
}

#[test]
fn an_exclusion_is_a_persons_act_only_while_it_is_new() {
    let exclusion = SelectionId::new();
    let (fact, known) = page("1", 3);
    let excluded = Verdict::Excluded(exclusion);
    let standing = Given { standing: HashSet::from([exclusion]), ..Given::default() };
    assert_eq!(evidence(Given::default().seen(&fact, excluded, Some(&known))), EvidenceKind::Deselected);
    assert_eq!(evidence(standing.seen(&fact, excluded, Some(&known))), EvidenceKind::MovedOut);
}

#[test]
fn a_page_shown_twice_counts_once_with_its_newest_version() {
    let (fact, known) = page("9", 3);
    let (other, _) = page("10", 1);
    let newer = Fact { version: 4, ..fact.clone() };
    let verdict = wanted(&known);
    let facts = vec![(other, verdict), (fact, verdict), (newer, verdict)];
    let changes = seen(facts, &HashMap::new(), &Given::default().rules());
    let versions: Vec<(String, i64)> = changes
        .into_iter()
        .map(|change| match change {
            Change::Create { fact, .. } => (fact.page_id, fact.version),
            other => panic!("not created: {other:?}"),
        })
        .collect();
    assert_eq!(versions, [("9".to_owned(), 4), ("10".to_owned(), 1)]);
}

#[test]
fn what_was_looked_up_and_is_outside_leaves_for_the_reason_that_it_has() {
    let (fact, known) = page("1", 3);
    let given = Given::default();
    let outside = |proven| Found::Current { fact: fact.clone(), verdict: Verdict::Outside, proven };
    for (origin, kind) in [
        (Origin::Stands, EvidenceKind::MovedOut),
        (Origin::RootGone, EvidenceKind::RootGone),
        (Origin::Deselected, EvidenceKind::Deselected),
    ] {
        assert_eq!(evidence(looked_up(&known, outside(true), origin, &given.rules())), kind);
        assert_eq!(looked_up(&known, outside(false), origin, &given.rules()), None);
        assert_eq!(looked_up(&known, Found::Unknown, origin, &given.rules()), None);
        assert_eq!(
            evidence(looked_up(&known, Found::Trashed, origin, &given.rules())),
            EvidenceKind::Trashed
        );
    }
}

#[test]
fn a_page_that_is_hidden_with_its_space_leaves_only_if_a_person_took_it_back() {
    let (_, known) = page("1", 3);
    let given = Given::default();
    let look = |origin| looked_up(&known, Found::Hidden, origin, &given.rules());
    assert_eq!((look(Origin::Stands), look(Origin::RootGone)), (None, None));
    assert_eq!(evidence(look(Origin::Deselected)), EvidenceKind::Deselected);
    let after_a_day = |origin| evidence(looked_up(&known, Found::Unreachable, origin, &given.rules()));
    assert_eq!(after_a_day(Origin::Stands), EvidenceKind::Unreachable, "which the guard always holds");
    assert_eq!(after_a_day(Origin::Deselected), EvidenceKind::Deselected);
}

#[test]
fn the_ladder_of_absence_has_two_steps_and_an_age_between_them() {
    let (_, known) = page("1", 3);
    let given = Given::default();
    let after = |absent: Option<TimeDelta>| {
        let known = Known { suspect_since: absent.map(|absent| noon() - absent), ..known.clone() };
        looked_up(&known, Found::Absent, Origin::Stands, &given.rules())
    };
    assert!(matches!(after(None), Some(Change::Suspect { .. })));
    assert_eq!(after(Some(TimeDelta::zero())), None);
    assert_eq!(after(Some(AGE - TimeDelta::milliseconds(1))), None);
    assert_eq!(evidence(after(Some(AGE))), EvidenceKind::Absent);
}

#[test]
fn a_suspect_that_is_seen_again_is_released() {
    let (fact, known) = page("1", 3);
    let suspect = Known { state: DocumentState::Suspect, suspect_since: Some(noon()), ..known.clone() };
    let shown = Given::default().seen(&fact, wanted(&known), Some(&suspect));
    assert!(matches!(shown, Some(Change::Release { .. })));
    let found = Found::Current { fact, verdict: wanted(&known), proven: true };
    let looked = looked_up(&suspect, found, Origin::Stands, &Given::default().rules());
    assert!(matches!(looked, Some(Change::Release { .. })));
}
