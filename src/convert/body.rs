//! Writes macros and ADF nodes: their boxes and titles around a body, or the value they stand for.

use super::frame::{Role, Sink};
use super::macros::{Kind, Macro};
use super::mark::Kind as Mark;
use super::reader::Reader;
use super::target::Target;

impl<'a> Reader<'a> {
    /// Begins the rich body of a macro.
    pub fn rich_body(&mut self) -> Role<'a> {
        let Some(open) = self.current_macro() else {
            self.writer.block();
            return Role::Body { inline: false };
        };
        let first = !std::mem::replace(&mut open.written, true);
        let (kind, hidden, inline) = (open.kind, open.is_hidden(), open.is_inline());
        let title = if first { open.title().to_owned() } else { String::new() };
        if hidden {
            self.sink = Sink::Nowhere;
            return Role::Body { inline: true };
        }
        match kind {
            Kind::Callout(word) => self.boxed(word, &title),
            Kind::Panel => self.boxed("", &title),
            Kind::Titled => {
                self.title(&title);
                self.writer.block();
                Role::Body { inline: false }
            }
            _ if inline => Role::Body { inline: true },
            _ => {
                self.writer.block();
                Role::Body { inline: false }
            }
        }
    }

    fn boxed(&mut self, word: &str, title: &str) -> Role<'a> {
        self.writer.open_quote();
        match (word, title) {
            (word, "") => self.title(word),
            ("", title) => self.title(title),
            (word, title) => self.title(&format!("{word}: {title}")),
        }
        Role::Container
    }

    /// A strong line of its own.
    fn title(&mut self, title: &str) {
        if title.trim().is_empty() {
            return;
        }
        self.writer.leave_heading();
        self.writer.block();
        self.writer.open_mark(Mark::Strong);
        self.writer.text(title);
        self.writer.close_mark();
        self.writer.block();
    }

    /// Ends a macro: what it shows beside its rich body.
    pub fn finish_macro(&mut self, open: &Macro<'_>) {
        if self.sink != Sink::Page || open.is_hidden() {
            return;
        }
        match open.kind {
            Kind::Code => {
                self.source(open, open.value(&["language", "lang", ""]));
            }
            Kind::Source(language) => {
                if !self.source(open, language) {
                    self.diagram(open);
                }
            }
            Kind::Markdown => self.writer.markdown(open.plain.as_deref().unwrap_or_default()),
            Kind::InlineMath => self.writer.formula(&open.formula(), false),
            Kind::BlockMath => self.writer.formula(&open.formula(), true),
            Kind::Status => {
                let title = open.value(&["title", ""]);
                if !title.is_empty() {
                    self.writer.bracketed(title);
                }
            }
            Kind::Jira => self.jira(open),
            Kind::Include | Kind::File => self.reference(open),
            Kind::Diagram => self.diagram(open),
            Kind::Address => self.address(open),
            Kind::User => {
                self.report.unresolved_links += 1;
                self.writer.text(Target::User.label());
            }
            Kind::Navigation => {}
            Kind::Callout(_) | Kind::Panel | Kind::Titled if !open.written => {
                self.title(open.title());
                self.source(open, "");
            }
            _ => {
                self.source(open, "");
            }
        }
    }

    /// A plain body as a code block. Says whether there was one.
    fn source(&mut self, open: &Macro<'_>, language: &str) -> bool {
        let Some(code) = open.plain.as_deref().filter(|code| !code.trim().is_empty()) else { return false };
        let language = if matches!(language, "none" | "text" | "plain") { "" } else { language };
        if matches!(open.kind, Kind::Code | Kind::Source(_)) {
            self.title(open.title());
        }
        self.writer.fence(language, code);
        true
    }

    fn jira(&mut self, open: &Macro<'_>) {
        let key = open.value(&["key", "issueKey", ""]);
        let query = open.value(&["jqlQuery", "jql"]);
        if !key.is_empty() {
            self.named_link(Some(self.site.issue(key)), key);
        } else if !query.is_empty() {
            self.named_link(Some(self.site.issues(query)), "Jira issues");
        }
    }

    /// A page or a file shown inside this one: named, and linked.
    fn reference(&mut self, open: &Macro<'_>) {
        let named = open.value(&["", "page", "name", "file"]);
        let target = open.target.clone().or_else(|| Self::target_named(open.kind, named));
        if let Some(target) = target {
            let url = self.site.url(Some(&target), "");
            self.named_link(url, target.label());
        }
    }

    /// Older macros name pages as `KEY:Title`, and files by name.
    fn target_named(kind: Kind, name: &str) -> Option<Target> {
        if name.is_empty() {
            return None;
        }
        if kind == Kind::File {
            return Some(Target::Attachment { file: name.to_owned(), holder: None });
        }
        let is_key =
            |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '~');
        let (space, title) = name.split_once(':').filter(|(key, _)| is_key(key)).unwrap_or(("", name));
        Some(Target::Page { space: space.to_owned(), title: title.to_owned() })
    }

    fn diagram(&mut self, open: &Macro<'_>) {
        let file = match &open.target {
            Some(Target::Attachment { file, .. }) => file,
            _ => open.value(&["diagramDisplayName", "diagramName", "filename", "name", "title"]),
        };
        if !file.is_empty() {
            self.writer.block();
            self.writer.text(&format!("Diagram: {file}"));
            self.writer.block();
        }
    }

    fn address(&mut self, open: &Macro<'_>) {
        let url = match &open.target {
            Some(Target::Url(url)) => url,
            _ => open.value(&["url", "src", ""]),
        };
        if let Some(url) = self.site.absolute(url) {
            self.named_link(Some(url.clone()), &url);
        }
    }

    pub fn named_link(&mut self, url: Option<String>, label: &str) {
        self.report.unresolved_links += u32::from(url.is_none());
        self.writer.open_link(url);
        self.writer.close_link(label);
    }

    /// The content of the ADF node being read: a panel is a box, a decision an item.
    pub fn adf_content(&mut self) -> Role<'a> {
        let node = self.frames.iter().rev().find_map(|frame| match &frame.role {
            Role::AdfNode(node) => Some((node.kind.as_str(), node.value("panel-type"), node.value("state"))),
            _ => None,
        });
        match node {
            Some(("panel", kind, _)) => {
                let word = panel_word(kind);
                self.boxed(word, "")
            }
            Some(("decision-item" | "decisionItem", _, state)) => {
                let decided = !state.eq_ignore_ascii_case("undecided");
                self.decision(decided)
            }
            Some(("inline-extension" | "inlineExtension", _, _)) => Role::Body { inline: true },
            _ => {
                self.writer.block();
                Role::Body { inline: false }
            }
        }
    }

    fn decision(&mut self, decided: bool) -> Role<'a> {
        let lists = self.frames.iter_mut().rev().filter_map(|frame| match &mut frame.role {
            Role::AdfNode(node) if node.kind.starts_with("decision") && node.kind.ends_with("ist") => {
                Some(node)
            }
            _ => None,
        });
        let first = lists.into_iter().next().is_some_and(|list| {
            list.items += 1;
            list.items == 1
        });
        self.writer.open_item("- ", first);
        self.writer.open_mark(Mark::Strong);
        self.writer.text(if decided { "Decision:" } else { "Undecided:" });
        self.writer.close_mark();
        self.writer.space();
        Role::Container
    }
}

/// What a panel of the new editor is called.
fn panel_word(kind: &str) -> &'static str {
    match kind {
        "info" => "Info",
        "note" => "Note",
        "tip" => "Tip",
        "success" => "Success",
        "warning" => "Warning",
        "error" => "Error",
        _ => "",
    }
}
