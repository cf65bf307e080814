//! Reads the tokens of a body and keeps the stack of open elements.

use super::element::{CONSTRUCTS, Element};
use super::frame::{Frame, Role, Sink};
use super::macros::Macro;
use super::reference::resolve;
use super::report::{Report, characters};
use super::table::Table;
use super::target::{Site, Target};
use super::token::{Tag, Token, Tokens};
use super::writer::{Mode, Style, Writer};
use super::{Page, Rendering};

/// Tags nested deeper than this are ignored; their text is kept.
const DEEPEST: usize = 256;
/// What merged cells and headers may repeat, beyond the length of the body.
const SPARE_REPETITIONS: usize = 4096;
/// The longest text, as a multiple of the body's length, and what it may have beyond that.
const GROWTH: usize = 4;
const SPARE: usize = 4096;

pub(super) struct Reader<'a> {
    pub(super) site: Site<'a>,
    pub(super) writer: Writer,
    pub(super) report: Report,
    pub(super) frames: Vec<Frame<'a>>,
    /// Tags open beyond the deepest frame.
    ignored: usize,
    pub(super) sink: Sink,
    /// Text collected as it is.
    pub(super) verbatim: String,
    /// Text collected as a parameter's value, and what it points at.
    pub(super) value: String,
    pub(super) value_target: Option<Target>,
    pub(super) tables: Vec<Table>,
    pub(super) repetitions: usize,
    /// The longest text that may be written.
    limit: usize,
    /// How many of [`CONSTRUCTS`] were met.
    constructs: [u32; CONSTRUCTS.len()],
    /// Where the title ends in the text.
    title_end: usize,
}

impl<'a> Reader<'a> {
    pub fn new(page: &Page<'a>) -> Self {
        Self {
            site: Site::of(page),
            writer: Writer::new(Mode::Page),
            report: Report::default(),
            frames: Vec::new(),
            ignored: 0,
            sink: Sink::Page,
            verbatim: String::new(),
            value: String::new(),
            value_target: None,
            tables: Vec::new(),
            repetitions: page.storage.len() + SPARE_REPETITIONS,
            limit: page.storage.len().saturating_mul(GROWTH).saturating_add(SPARE),
            constructs: [0; CONSTRUCTS.len()],
            title_end: 0,
        }
        .titled(page)
    }

    /// Writes the words and their blocks alone, which cannot outgrow the limit.
    pub fn plain(page: &Page<'a>) -> Self {
        let mut reader = Self::new(page);
        reader.writer.style = Style::Plain;
        reader.report.simplified = true;
        reader
    }

    fn titled(mut self, page: &Page<'a>) -> Self {
        self.writer.out.reserve(page.storage.len());
        self.writer.open_heading(1);
        self.writer.text(page.title);
        self.writer.close_heading();
        self.title_end = self.writer.out.len();
        self
    }

    /// Reads the whole body. False, and perhaps early, if its text outgrows the limit.
    pub fn read(&mut self, storage: &'a str) -> bool {
        let mut tokens = Tokens::new(storage);
        for token in tokens.by_ref() {
            if self.writer.out.len() > self.limit {
                return false;
            }
            match token {
                Token::Open(tag) => self.open(tag),
                Token::Close(name) => self.close(name),
                Token::Text(raw) => self.text(raw, true),
                Token::Literal(raw) => self.text(raw, false),
            }
        }
        self.report.recovered_errors += tokens.recovered;
        self.report.recovered_errors += u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        while !self.frames.is_empty() {
            self.pop();
        }
        self.writer.finish();
        self.writer.out.len() < self.limit
    }

    /// The text of what was read.
    pub fn finish(mut self) -> Rendering {
        let is_empty = self.writer.out.len() == self.title_end;
        let mut markdown = self.writer.out;
        if self.writer.erased {
            markdown = markdown.replace('\0', "");
        }
        markdown.push('\n');
        let met = CONSTRUCTS.into_iter().zip(self.constructs).filter(|(_, times)| *times > 0);
        self.report.constructs.extend(met);
        self.report.measure(&markdown);
        Rendering { markdown, is_empty, report: self.report }
    }

    fn open(&mut self, tag: Tag<'a>) {
        let element = Element::named(tag.name);
        if let Some(construct) = element.construct() {
            self.constructs[construct] += 1;
        }
        self.end_unclosed(element);
        if element.is_void() {
            return self.void(element, &tag);
        }
        if self.frames.len() >= DEEPEST {
            self.ignored += usize::from(!tag.empty);
            self.report.tags_too_deep += 1;
            return;
        }
        let outer = self.sink;
        let role = self.enter(element, &tag);
        self.frames.push(Frame { name: tag.name, element, role, outer });
        if tag.empty {
            self.pop();
        }
    }

    fn close(&mut self, name: &str) {
        if self.ignored > 0 {
            self.ignored -= 1;
            return;
        }
        if self.frames.last().is_some_and(|frame| frame.name == name) {
            return self.pop();
        }
        let element = Element::named(name);
        if element.is_void() {
            return;
        }
        self.report.recovered_errors += 1;
        let crosses = matches!(element, Element::Macro) || element.is_enclosure() || !name_is_html(name);
        let mut found = None;
        for (index, frame) in self.frames.iter().enumerate().rev() {
            if frame.name == name {
                found = Some(index);
                break;
            }
            if frame.element.is_enclosure()
                && !crosses
                && !matches!(element, Element::Row | Element::Table | Element::TableBody | Element::TableHead)
            {
                break;
            }
        }
        if let Some(index) = found {
            self.pop_to(index);
        }
    }

    pub(super) fn pop(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.leave(frame);
        }
    }

    /// Closes the frame at `index` and all above it.
    fn pop_to(&mut self, index: usize) {
        while self.frames.len() > index {
            self.pop();
        }
    }

    /// Closes what the opening of `element` shows to have been left open.
    fn end_unclosed(&mut self, element: Element) {
        if self.sink == Sink::Value || self.sink == Sink::Nowhere {
            self.end_unclosed_value(element);
        }
        let Some(index) = self.unclosed(element) else { return };
        self.report.recovered_errors += 1;
        self.pop_to(index);
    }

    fn end_unclosed_value(&mut self, element: Element) {
        let is_value = |frame: &Frame<'_>| match frame.element {
            Element::Parameter | Element::AdfAttribute | Element::TaskStatus => true,
            Element::Hidden => frame.name.starts_with("ac:"),
            _ => false,
        };
        if !element.is_structure() {
            return;
        }
        if let Some(index) = self.frames.iter().rposition(is_value) {
            self.report.recovered_errors += 1;
            self.pop_to(index);
        }
    }

    /// The frame that `element` cannot stand in: a paragraph in a paragraph, an item in an item.
    fn unclosed(&self, element: Element) -> Option<usize> {
        type Test = fn(Element) -> bool;
        let (closes, within): (Test, Test) = match element {
            Element::Paragraph => (|e| e == Element::Paragraph, |e| e.is_inline() && e != Element::Link),
            Element::Item => (|e| e == Element::Item, |e| e.is_inline() || e == Element::Paragraph),
            Element::Cell | Element::HeaderCell => (
                |e| matches!(e, Element::Cell | Element::HeaderCell),
                |e| e.is_inline() || e == Element::Paragraph,
            ),
            Element::Row => (
                |e| e == Element::Row,
                |e| e.is_inline() || matches!(e, Element::Paragraph | Element::Cell | Element::HeaderCell),
            ),
            Element::Task => (|e| e == Element::Task, |e| e.is_inline() || e == Element::TaskBody),
            _ => return None,
        };
        for (index, frame) in self.frames.iter().enumerate().rev() {
            if closes(frame.element) {
                return Some(index);
            }
            if !within(frame.element) {
                return None;
            }
        }
        None
    }

    fn text(&mut self, raw: &str, has_references: bool) {
        let shown = raw.trim_ascii();
        if shown.is_empty() && self.sink == Sink::Page {
            return self.writer.space();
        }
        let length = characters(shown);
        self.report.text_chars_in += length;
        let resolved = if has_references { resolve(raw) } else { raw.into() };
        match self.sink {
            Sink::Nowhere => return,
            Sink::Value => return self.value.push_str(&resolved),
            Sink::Verbatim => self.verbatim.push_str(&resolved),
            Sink::Page => self.writer.text(&resolved),
        }
        self.report.text_chars_out += length;
    }

    /// The macro whose parts are being read.
    pub(super) fn current_macro(&mut self) -> Option<&mut Macro<'a>> {
        self.frames.iter_mut().rev().find_map(|frame| match &mut frame.role {
            Role::Macro(found) => Some(&mut **found),
            _ => None,
        })
    }
}

fn name_is_html(name: &str) -> bool {
    !name.contains(':')
}
