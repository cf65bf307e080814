//! What the opening of each element does.

use std::borrow::Cow;

use super::element::Element;
use super::emoji::emoji;
use super::frame::{AdfNode, Frame, Image, Link, List, Role, Sink};
use super::macros::{Kind, Macro};
use super::mark::Kind as Mark;
use super::reader::Reader;
use super::table::Table;
use super::target::Target;
use super::token::Tag;
use super::writer::{Mode, Writer};

/// Tables nested deeper than this are read as plain blocks.
const DEEPEST_TABLE: usize = 6;

impl<'a> Reader<'a> {
    /// An element without content.
    pub fn void(&mut self, element: Element, tag: &Tag<'_>) {
        match (self.sink, element) {
            (Sink::Verbatim, Element::Break) => self.verbatim.push('\n'),
            (Sink::Value, Element::Resource) => {
                let found = Target::read(tag);
                self.value_target = join(self.value_target.take(), found);
            }
            (Sink::Page, Element::Break) => self.writer.line_break(),
            (Sink::Page, Element::Rule) => self.writer.rule(),
            (Sink::Page, Element::Time) => self.writer.text(&tag.attribute_or_empty("datetime")),
            (Sink::Page, Element::Emoticon) => self.writer.text(&emoji(tag)),
            (Sink::Page, Element::HtmlImage) => self.html_image(tag),
            (Sink::Page, Element::Resource) => self.resource(tag),
            _ => {}
        }
    }

    fn html_image(&mut self, tag: &Tag<'_>) {
        let source = tag.attribute_or_empty("src");
        let url = self.site.absolute(&source);
        let file = source.rsplit('/').next().unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
        let (alt, title) = (tag.attribute_or_empty("alt"), tag.attribute_or_empty("title"));
        let alt = [&*alt, &*title, file].into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default();
        self.writer.image(alt, url.as_deref());
    }

    /// Tells the link, image or macro being read what it points at.
    fn resource(&mut self, tag: &Tag<'_>) {
        let Some(found) = Target::read(tag) else { return };
        for frame in self.frames.iter_mut().rev() {
            match &mut frame.role {
                Role::Link(link) if !link.fixed => {
                    link.target = join(link.target.take(), Some(found));
                    self.writer.aim_link(self.site.url(link.target.as_ref(), &link.anchor));
                    return;
                }
                Role::Image(Some(image)) => {
                    image.target = join(image.target.take(), Some(found));
                    return;
                }
                Role::Macro(open) => {
                    open.target = join(open.target.take(), Some(found));
                    return;
                }
                _ if frame.element.is_enclosure() => return,
                _ => {}
            }
        }
    }

    /// Begins an element that may have content.
    pub fn enter(&mut self, element: Element, tag: &Tag<'a>) -> Role<'a> {
        match self.sink {
            Sink::Page => {}
            Sink::Verbatim if element == Element::MathSource => {
                self.value.clear();
                self.sink = Sink::Value;
                return Role::Plain;
            }
            _ => return Role::Plain,
        }
        match element {
            Element::Strong => self.mark(Mark::Strong),
            Element::Emphasis => self.mark(Mark::Emphasis),
            Element::Struck => self.mark(Mark::Struck),
            Element::Superscript => self.mark(Mark::Superscript),
            Element::Subscript => self.mark(Mark::Subscript),
            Element::Code => {
                self.writer.open_code();
                Role::Code
            }
            Element::Span if is_drawn_formula(tag) => self.skip(),
            Element::Anchor => self.anchor(tag),
            Element::Link => self.link(tag),
            Element::Image => Role::Image(Some(Box::new(Image::of(tag)))),
            Element::Hidden => self.skip(),
            _ => self.enter_block(element, tag),
        }
    }

    fn enter_block(&mut self, element: Element, tag: &Tag<'a>) -> Role<'a> {
        match element {
            Element::Block | Element::Paragraph => self.block(),
            Element::Heading(level) => {
                self.heading(level);
                Role::Heading
            }
            Element::Term => {
                self.writer.block();
                self.mark(Mark::Strong)
            }
            Element::BulletList | Element::TaskList => self.list(None),
            Element::OrderedList => self.list(Some(tag.number("start").unwrap_or(1))),
            Element::Item => self.item(),
            Element::Quote => {
                self.writer.open_quote();
                Role::Container
            }
            Element::Preformatted => self.collect(Role::Preformatted),
            Element::Math => {
                self.collect(Role::Formula { block: tag.attribute_or_empty("display") == "block" })
            }
            Element::Table | Element::TableHead | Element::Row | Element::Cell | Element::HeaderCell => {
                self.enter_table(element, tag)
            }
            Element::Caption => {
                self.write_image();
                self.block()
            }
            _ => self.enter_confluence(element, tag),
        }
    }

    fn enter_confluence(&mut self, element: Element, tag: &Tag<'a>) -> Role<'a> {
        match element {
            Element::Macro => self.structured_macro(tag),
            Element::Parameter => self.parameter(tag.attribute_or_empty("ac:name")),
            Element::AdfAttribute => self.parameter(tag.attribute_or_empty("key")),
            Element::LinkBody => {
                self.aim_at_this_page();
                Role::Plain
            }
            Element::RichBody => self.rich_body(),
            Element::PlainBody => self.collect(Role::PlainBody),
            Element::Task => Role::Task { done: false },
            Element::TaskStatus => {
                self.value.clear();
                self.sink = Sink::Value;
                Role::TaskStatus
            }
            Element::TaskBody => self.task_body(),
            Element::Adf => Role::Adf { progress: self.writer.progress() },
            Element::AdfNode => self.adf_node(tag),
            Element::AdfContent => self.adf_content(),
            Element::AdfFallback => self.adf_fallback(),
            _ => Role::Plain,
        }
    }

    fn mark(&mut self, kind: Mark) -> Role<'a> {
        self.writer.open_mark(kind);
        Role::Mark
    }

    fn skip(&mut self) -> Role<'a> {
        self.sink = Sink::Nowhere;
        Role::Plain
    }

    fn block(&mut self) -> Role<'a> {
        self.writer.block();
        Role::Block
    }

    fn collect(&mut self, role: Role<'a>) -> Role<'a> {
        self.verbatim.clear();
        self.value.clear();
        self.sink = Sink::Verbatim;
        role
    }

    /// Headings stand one level below the page's title; in a cell they are strong.
    fn heading(&mut self, level: u8) {
        if self.writer.mode == Mode::Cell {
            self.writer.block();
            self.writer.open_mark(Mark::Strong);
        } else {
            self.writer.open_heading((level + 1).min(6));
        }
    }

    fn list(&mut self, number: Option<usize>) -> Role<'a> {
        self.writer.leave_heading();
        self.writer.block();
        let holder = self.frames.iter().rev().find(|frame| !frame.is_transparent());
        let in_item =
            holder.is_some_and(|holder| matches!(holder.element, Element::Item | Element::TaskBody));
        if in_item && matches!(number, None | Some(1)) {
            self.writer.tighten();
        }
        Role::List(List { number, items: 0 })
    }

    fn item(&mut self) -> Role<'a> {
        let (marker, first) = match self.current_list() {
            Some(list) => (list.next_marker(), list.items == 1),
            None => ("- ".to_owned(), false),
        };
        self.writer.open_item(&marker, first);
        Role::Container
    }

    fn current_list(&mut self) -> Option<&mut List> {
        let frames = self.frames.iter_mut().rev().take_while(|frame| !frame.element.is_enclosure());
        frames.into_iter().find_map(|frame| match &mut frame.role {
            Role::List(list) => Some(list),
            _ => None,
        })
    }

    fn task_body(&mut self) -> Role<'a> {
        let done = self.frames.iter().rev().find_map(|frame| match frame.role {
            Role::Task { done } => Some(done),
            _ => None,
        });
        let first = self.current_list().is_some_and(|list| {
            list.items += 1;
            list.items == 1
        });
        self.writer.open_item(if done == Some(true) { "- [x] " } else { "- [ ] " }, first);
        Role::Container
    }

    fn anchor(&mut self, tag: &Tag<'a>) -> Role<'a> {
        let Some(href) = tag.attribute("href") else { return Role::Plain };
        let url = self.site.absolute(&href);
        self.report.unresolved_links += u32::from(url.is_none());
        self.writer.open_link(url);
        Role::Link(Box::new(Link { target: None, anchor: String::new(), fixed: true }))
    }

    fn link(&mut self, tag: &Tag<'a>) -> Role<'a> {
        let anchor = tag.attribute_or_empty("ac:anchor").into_owned();
        self.writer.open_link(None);
        Role::Link(Box::new(Link { target: None, anchor, fixed: false }))
    }

    fn enter_table(&mut self, element: Element, tag: &Tag<'a>) -> Role<'a> {
        if element == Element::Table {
            return self.table();
        }
        let holder = self.frames.iter().rev().find(|frame| frame.element == Element::Table);
        if !holder.is_some_and(|holder| matches!(holder.role, Role::Table)) {
            return self.block();
        }
        let Some(table) = self.tables.last_mut() else { return Role::Plain };
        match element {
            Element::TableHead => {
                table.start_head();
                Role::TableHead
            }
            Element::Row => {
                table.start_row(&mut self.writer);
                Role::Plain
            }
            _ => {
                let (columns, rows) = (tag.number("colspan"), tag.number("rowspan"));
                table.start_cell(&mut self.writer, element == Element::HeaderCell, columns, rows);
                Role::Cell
            }
        }
    }

    fn table(&mut self) -> Role<'a> {
        self.writer.leave_heading();
        self.writer.block();
        if self.tables.len() >= DEEPEST_TABLE || self.writer.is_plain() {
            return Role::Block;
        }
        let properties = self.current_macro().is_some_and(|open| open.kind == Kind::Properties);
        let outer = std::mem::replace(&mut self.writer, Writer::new(Mode::Cell));
        self.tables.push(Table::new(outer, properties));
        Role::Table
    }

    fn structured_macro(&mut self, tag: &Tag<'a>) -> Role<'a> {
        let open = Macro::new(tag.attribute_or_empty("ac:name"));
        self.report.count_macro(&open.name, open.kind != Kind::Unknown);
        Role::Macro(Box::new(open))
    }

    fn parameter(&mut self, name: Cow<'a, str>) -> Role<'a> {
        self.value.clear();
        self.value_target = None;
        self.sink = Sink::Value;
        Role::Parameter(name)
    }

    fn adf_node(&mut self, tag: &Tag<'a>) -> Role<'a> {
        let kind = tag.attribute_or_empty("type").replace('_', "-");
        let list = matches!(&*kind, "decision-list" | "decisionList");
        if list {
            self.writer.leave_heading();
            self.writer.block();
        }
        Role::AdfNode(Box::new(AdfNode { kind, values: Vec::new(), items: 0 }))
    }

    fn adf_fallback(&mut self) -> Role<'a> {
        let begun = self.frames.iter().rev().find_map(|frame| match frame.role {
            Role::Adf { progress } => Some(progress),
            _ => None,
        });
        if begun.is_some_and(|progress| self.writer.progress() > progress) {
            return self.skip();
        }
        self.block()
    }
}

impl Frame<'_> {
    /// Says nothing about what a list inside it belongs to.
    fn is_transparent(&self) -> bool {
        self.element.is_inline() || matches!(self.role, Role::Block | Role::Plain)
    }
}

impl List {
    /// Counts one more item and gives what its line begins with.
    fn next_marker(&mut self) -> String {
        self.items += 1;
        match &mut self.number {
            Some(number) => {
                let marker = format!("{number}. ");
                *number = (*number + 1).min(999_999_999);
                marker
            }
            None => "- ".to_owned(),
        }
    }
}

impl Image {
    fn of(tag: &Tag<'_>) -> Self {
        let (alt, title) = (tag.attribute_or_empty("ac:alt"), tag.attribute_or_empty("ac:title"));
        let alt = if alt.trim().is_empty() { title } else { alt };
        let href = tag.attribute_or_empty("ac:href").into_owned();
        Self { alt: alt.into_owned(), href, target: None }
    }
}

fn join(known: Option<Target>, found: Option<Target>) -> Option<Target> {
    match (known, found) {
        (Some(known), Some(found)) => Some(known.then(found)),
        (known, found) => found.or(known),
    }
}

/// The drawn half of a formula whose source is in the other half.
fn is_drawn_formula(tag: &Tag<'_>) -> bool {
    tag.attributes.contains("aria-hidden") && tag.attribute_or_empty("class").starts_with("katex")
}
