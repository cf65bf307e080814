//! The elements of storage format that the converter knows by name.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// A block of its own: paragraphs, divisions, layout cells.
    Block,
    Paragraph,
    Heading(u8),
    BulletList,
    OrderedList,
    Item,
    Term,
    Quote,
    Preformatted,
    Rule,
    Break,
    Strong,
    Emphasis,
    Struck,
    Superscript,
    Subscript,
    Code,
    Span,
    Anchor,
    HtmlImage,
    Time,
    Math,
    MathSource,
    /// Never shown: scripts, styles, template declarations, hints, ids of tasks.
    Hidden,
    Table,
    TableHead,
    TableBody,
    TableColumns,
    Row,
    HeaderCell,
    Cell,
    Link,
    LinkBody,
    Image,
    Caption,
    Macro,
    Parameter,
    RichBody,
    PlainBody,
    TaskList,
    Task,
    TaskStatus,
    TaskBody,
    Emoticon,
    Adf,
    AdfNode,
    AdfAttribute,
    AdfContent,
    AdfFallback,
    /// `ri:*`: what a link, an image or a parameter points at.
    Resource,
    /// Anything else: its tags are dropped, its text is kept.
    Unknown,
}

/// What a report calls the constructs it counts.
pub(super) const CONSTRUCTS: [&str; 12] = [
    "headings",
    "lists",
    "quotes",
    "preformatted",
    "images",
    "dates",
    "formulas",
    "tables",
    "links",
    "tasks",
    "emoji",
    "adf_extensions",
];

impl Element {
    pub fn named(name: &str) -> Self {
        match name.as_bytes() {
            [b'a', b'c', b':', rest @ ..] => Self::confluence(rest),
            [b'r', b'i', b':', ..] => Self::Resource,
            b"at:declarations" => Self::Hidden,
            html => Self::html(html),
        }
    }

    fn html(name: &[u8]) -> Self {
        match name {
            b"p" => Self::Paragraph,
            b"code" | b"tt" | b"kbd" | b"samp" => Self::Code,
            b"li" => Self::Item,
            b"strong" | b"b" => Self::Strong,
            b"td" => Self::Cell,
            b"th" => Self::HeaderCell,
            b"tr" => Self::Row,
            b"a" => Self::Anchor,
            b"ul" | b"menu" => Self::BulletList,
            b"ol" => Self::OrderedList,
            b"em" | b"i" | b"cite" | b"dfn" | b"var" => Self::Emphasis,
            b"span" => Self::Span,
            b"br" => Self::Break,
            [b'h', level @ b'1'..=b'6'] => Self::Heading(level - b'0'),
            b"div" | b"section" | b"article" | b"aside" | b"main" | b"header" | b"footer" | b"nav"
            | b"figure" | b"figcaption" | b"details" | b"summary" | b"address" | b"center" | b"dl"
            | b"dd" | b"fieldset" | b"form" | b"caption" => Self::Block,
            b"dt" => Self::Term,
            b"blockquote" => Self::Quote,
            b"pre" => Self::Preformatted,
            b"hr" => Self::Rule,
            b"s" | b"del" | b"strike" => Self::Struck,
            b"sup" => Self::Superscript,
            b"sub" => Self::Subscript,
            b"img" => Self::HtmlImage,
            b"time" => Self::Time,
            b"math" => Self::Math,
            b"annotation" => Self::MathSource,
            b"script" | b"style" | b"template" => Self::Hidden,
            b"table" => Self::Table,
            b"thead" => Self::TableHead,
            b"tbody" | b"tfoot" => Self::TableBody,
            b"colgroup" | b"col" => Self::TableColumns,
            _ => Self::Unknown,
        }
    }

    fn confluence(name: &[u8]) -> Self {
        match name {
            b"parameter" | b"default-parameter" => Self::Parameter,
            b"structured-macro" | b"macro" => Self::Macro,
            b"link" => Self::Link,
            b"link-body" | b"plain-text-link-body" => Self::LinkBody,
            b"rich-text-body" => Self::RichBody,
            b"plain-text-body" => Self::PlainBody,
            b"image" => Self::Image,
            b"caption" => Self::Caption,
            b"emoticon" => Self::Emoticon,
            b"task-list" => Self::TaskList,
            b"task" => Self::Task,
            b"task-status" => Self::TaskStatus,
            b"task-body" => Self::TaskBody,
            b"task-id" | b"task-uuid" | b"placeholder" | b"adf-mark" => Self::Hidden,
            b"layout" | b"layout-section" | b"layout-cell" => Self::Block,
            b"adf-extension" => Self::Adf,
            b"adf-node" => Self::AdfNode,
            b"adf-attribute" | b"adf-parameter" => Self::AdfAttribute,
            b"adf-content" => Self::AdfContent,
            b"adf-fallback" => Self::AdfFallback,
            _ => Self::Unknown,
        }
    }

    /// Which of [`CONSTRUCTS`] a report counts it as, if any.
    pub fn construct(self) -> Option<usize> {
        let index = match self {
            Self::Heading(_) => 0,
            Self::BulletList | Self::OrderedList => 1,
            Self::Quote => 2,
            Self::Preformatted => 3,
            Self::HtmlImage | Self::Image => 4,
            Self::Time => 5,
            Self::Math => 6,
            Self::Table => 7,
            Self::Anchor | Self::Link => 8,
            Self::Task => 9,
            Self::Emoticon => 10,
            Self::Adf => 11,
            _ => return None,
        };
        Some(index)
    }

    /// Never has content, whether or not its tag says so.
    pub fn is_void(self) -> bool {
        matches!(
            self,
            Self::Break
                | Self::Rule
                | Self::HtmlImage
                | Self::Time
                | Self::Emoticon
                | Self::Resource
                | Self::TableColumns
        )
    }

    /// Holds whole blocks: what is inside can't close what is outside.
    pub fn is_enclosure(self) -> bool {
        matches!(
            self,
            Self::Cell
                | Self::HeaderCell
                | Self::RichBody
                | Self::LinkBody
                | Self::Caption
                | Self::TaskBody
                | Self::AdfContent
        )
    }

    /// Cannot stand inside a value or a hint: where it does, the value was never closed.
    pub fn is_structure(self) -> bool {
        matches!(
            self,
            Self::Paragraph
                | Self::Heading(_)
                | Self::BulletList
                | Self::OrderedList
                | Self::Table
                | Self::Macro
                | Self::Parameter
                | Self::RichBody
                | Self::PlainBody
                | Self::TaskList
                | Self::Task
                | Self::TaskStatus
                | Self::TaskBody
                | Self::AdfNode
                | Self::AdfContent
                | Self::AdfFallback
        )
    }

    /// Text-level: an open paragraph goes on around it.
    pub fn is_inline(self) -> bool {
        matches!(
            self,
            Self::Strong
                | Self::Emphasis
                | Self::Struck
                | Self::Superscript
                | Self::Subscript
                | Self::Code
                | Self::Span
                | Self::Anchor
                | Self::Link
                | Self::Unknown
        )
    }
}
