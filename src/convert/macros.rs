//! What each macro of Confluence is to a reader.

use std::borrow::Cow;

use super::target::Target;

/// How a macro is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A box with a word that says how to take it.
    Callout(&'static str),
    /// A box with its own title, if any.
    Panel,
    /// A title and what stands below it: expands, tabs, steps.
    Titled,
    /// Only its body counts.
    Body,
    /// A body that may be hidden from readers.
    Excerpt,
    /// Page properties: keys and values, possibly hidden.
    Properties,
    Code,
    /// A plain body in a language named by the macro.
    Source(&'static str),
    /// A plain body that is Markdown already.
    Markdown,
    InlineMath,
    BlockMath,
    Status,
    Jira,
    /// The text of another page.
    Include,
    File,
    Diagram,
    /// Something from elsewhere, known by its address.
    Address,
    User,
    /// Menus and lists made of other pages.
    Navigation,
    Unknown,
}

impl Kind {
    pub fn named(name: &str) -> Self {
        match name {
            "info" => Self::Callout("Info"),
            "note" => Self::Callout("Note"),
            "tip" => Self::Callout("Tip"),
            "warning" => Self::Callout("Warning"),
            "success" => Self::Callout("Success"),
            "error" => Self::Callout("Error"),
            "panel" | "alert" | "auimessage" | "roundrect" | "ui-text-box" => Self::Panel,
            "expand" | "ui-expand" | "localtab" | "ui-tab" | "tab-pane" | "card" | "ui-step" | "step" => {
                Self::Titled
            }
            "code" => Self::Code,
            "noformat" => Self::Source(""),
            "excerpt" | "multiexcerpt" | "multiexcerpt-macro" => Self::Excerpt,
            "details" => Self::Properties,
            "markdown" => Self::Markdown,
            "status" => Self::Status,
            "jira" | "jiraissues" => Self::Jira,
            "include" | "excerpt-include" => Self::Include,
            "profile" => Self::User,
            "anchor" | "toc" | "children" => Self::Navigation,
            _ => Self::less_common(name),
        }
    }

    fn less_common(name: &str) -> Self {
        match name {
            "html" | "html-bobswift" => Self::Source("html"),
            "swagger-open-api" | "open-api" | "swagger" => Self::Source(""),
            "plantuml" | "plantumlrender" | "plantumlcloud" => Self::Source("plantuml"),
            "mermaid" | "mermaid-macro" => Self::Source("mermaid"),
            "graphviz" | "digraph" => Self::Source("dot"),
            "mathinline" | "eazy-math-inline" | "easy-math-inline" | "latex-inline" | "unit" => {
                Self::InlineMath
            }
            "mathblock" | "eazy-math-block" | "easy-math-block" | "latex" | "latex-block" => Self::BlockMath,
            "view-file" | "viewpdf" | "viewdoc" | "viewxls" | "viewppt" | "multimedia" => Self::File,
            "drawio" | "inc-drawio" | "drawio-sketch" | "gliffy" | "lucidchart" | "mermaid-cloud" => {
                Self::Diagram
            }
            "widget" | "iframe" | "lref-gdrive-file" | "video" | "figma" | "miro" => Self::Address,
            _ if NAVIGATION.contains(&name) => Self::Navigation,
            _ if BODIES.contains(&name) => Self::Body,
            _ if name.starts_with("scroll-") || name.starts_with("multiexcerpt") => Self::Body,
            _ => LANGUAGES
                .iter()
                .find(|known| **known == name)
                .map_or(Self::Unknown, |known| Self::Source(known)),
        }
    }
}

/// Macros that are named for the language of the code in them.
const LANGUAGES: [&str; 20] = [
    "bash",
    "c",
    "cpp",
    "csharp",
    "css",
    "go",
    "groovy",
    "java",
    "javascript",
    "json",
    "kotlin",
    "perl",
    "php",
    "powershell",
    "python",
    "ruby",
    "rust",
    "sql",
    "xml",
    "yaml",
];

/// Macros that arrange, filter or mark their body.
const BODIES: [&str; 22] = [
    "section",
    "column",
    "localtabgroup",
    "ui-tabs",
    "tabs-group",
    "deck",
    "ui-steps",
    "align",
    "center",
    "table-filter",
    "table-joiner",
    "table-chart",
    "pivot-table",
    "tableenhancer",
    "chart",
    "show-if",
    "hide-if",
    "sv-translation",
    "toc-zone",
    "div",
    "span",
    "clickable",
];

/// Macros that list other content, or say nothing themselves.
const NAVIGATION: [&str; 34] = [
    "pagetree",
    "rw-pagetree",
    "pagetreesearch",
    "livesearch",
    "contentbylabel",
    "recently-updated",
    "recently-updated-dashboard",
    "blog-posts",
    "popular-labels",
    "related-labels",
    "listlabels",
    "navmap",
    "space-details",
    "spaces",
    "space-attachments",
    "attachments",
    "gallery",
    "tasks-report-macro",
    "create-from-template",
    "contributors",
    "contributors-summary",
    "change-history",
    "roadmap",
    "details-summary",
    "detailssummary",
    "content-report-table",
    "userlister",
    "favpages",
    "index",
    "search",
    "network",
    "global-reports",
    "outgoing-links",
    "floatmenu",
];

/// A macro being read.
#[derive(Debug)]
pub(super) struct Macro<'a> {
    pub name: Cow<'a, str>,
    pub kind: Kind,
    values: Vec<(Cow<'a, str>, String)>,
    /// What its parameters point at.
    pub target: Option<Target>,
    /// The text of its plain body.
    pub plain: Option<String>,
    /// A rich body has been written.
    pub written: bool,
}

impl<'a> Macro<'a> {
    pub fn new(name: Cow<'a, str>) -> Self {
        let kind = Kind::named(&name);
        Self { name, kind, values: Vec::new(), target: None, plain: None, written: false }
    }

    pub fn set(&mut self, name: Cow<'a, str>, value: String) {
        self.values.push((name, value));
    }

    /// The first of the named parameters that says something. `""` is the macro's main one.
    pub fn value(&self, names: &[&str]) -> &str {
        let of =
            |name: &&str| self.values.iter().find(|(known, value)| known == name && !value.trim().is_empty());
        names.iter().find_map(of).map_or("", |(_, value)| value.trim())
    }

    pub fn is_inline(&self) -> bool {
        self.value(&["atlassian-macro-output-type"]).eq_ignore_ascii_case("inline")
    }

    pub fn is_hidden(&self) -> bool {
        matches!(self.kind, Kind::Excerpt | Kind::Properties)
            && self.value(&["hidden"]).eq_ignore_ascii_case("true")
    }

    pub fn title(&self) -> &str {
        match self.kind {
            Kind::Titled => self.value(&["title", "label", "name", ""]),
            _ => self.value(&["title"]),
        }
    }

    /// The source of a formula.
    pub fn formula(&self) -> String {
        let body = self.plain.as_deref().unwrap_or_else(|| self.value(&["body", "equation", ""]));
        match body.trim().strip_prefix("--uriencoded--") {
            Some(encoded) => percent_decode(encoded),
            None => body.trim().to_owned(),
        }
    }
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let pair = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        let value = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *byte == b'%');
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
