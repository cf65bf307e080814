//! The open elements, and what closing each of them has to do.

use std::borrow::Cow;

use super::element::Element;
use super::macros::Macro;
use super::target::Target;

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    Page,
    /// Nowhere: hints, ids, hidden excerpts.
    Nowhere,
    /// Collected as it is: code, formulas.
    Verbatim,
    /// Collected as the value of a parameter.
    Value,
}

/// An open element.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub name: &'a str,
    pub element: Element,
    pub role: Role<'a>,
    /// Where text went before.
    pub outer: Sink,
}

/// What an open element is doing.
#[derive(Debug)]
pub(super) enum Role<'a> {
    /// Nothing of its own.
    Plain,
    Block,
    Mark,
    Code,
    Link(Box<Link>),
    Heading,
    List(List),
    /// An item, a quote: something with a prefix.
    Container,
    Preformatted,
    Formula {
        block: bool,
    },
    /// An image, until it is written.
    Image(Option<Box<Image>>),
    Table,
    TableHead,
    Cell,
    Macro(Box<Macro<'a>>),
    /// `ac:parameter` or `ac:adf-attribute`, and its name.
    Parameter(Cow<'a, str>),
    /// The body of a macro, outside any box.
    Body {
        inline: bool,
    },
    PlainBody,
    Task {
        done: bool,
    },
    TaskStatus,
    /// How far the writer was when the extension began.
    Adf {
        progress: usize,
    },
    AdfNode(Box<AdfNode<'a>>),
}

#[derive(Debug)]
pub(super) struct List {
    /// The number of the next item, if items are numbered.
    pub number: Option<usize>,
    pub items: usize,
}

#[derive(Debug)]
pub(super) struct Link {
    pub target: Option<Target>,
    pub anchor: String,
    /// `<a>`: the address was known from the start, and without words there is nothing to see.
    pub fixed: bool,
}

impl Link {
    /// Such a link leads to the page it stands on.
    pub fn names_nothing(&self) -> bool {
        self.target.is_none() && !self.fixed
    }
}

#[derive(Debug)]
pub(super) struct Image {
    pub alt: String,
    pub href: String,
    pub target: Option<Target>,
}

#[derive(Debug)]
pub(super) struct AdfNode<'a> {
    pub kind: String,
    pub values: Vec<(Cow<'a, str>, String)>,
    /// Decisions so far.
    pub items: usize,
}

impl AdfNode<'_> {
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }
}
