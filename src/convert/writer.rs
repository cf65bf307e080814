//! Writes Markdown in one pass: what separates two pieces is decided when the second one comes.
//!
//! * Nothing is written for a list item, a quote or an emphasis until it has content.
//! * At most one blank line stands between two blocks, none at either end.
//! * Every line carries the prefix of the quotes and list items it stands in.

use super::mark::{Closing, Mark};

/// Beyond this many bytes of prefix, deeper quotes and items are no longer indented.
const WIDEST_PREFIX: usize = 32;

/// What stands between the last piece and the next one. The stronger wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Gap {
    #[default]
    None,
    Space,
    /// `<br/>`: a new line of the same paragraph.
    Break,
    /// A new line: the next item of a list.
    Line,
    /// A blank line: the next block.
    Blank,
}

/// Where the writer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Blocks on lines of their own.
    Page,
    /// One line that belongs to a heading.
    Heading,
    /// A cell of a table: one line, blocks separated by `<br>`.
    Cell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Full,
    /// Words and blocks only: no marks, no tables, no addresses, no indentation.
    Plain,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) out: String,
    pub(super) mode: Mode,
    /// Where the text of this page or cell begins in `out`.
    pub(super) base: usize,
    /// Where the content of the current line begins.
    pub(super) line_start: usize,
    pub(super) gap: Gap,
    /// What every line begins with.
    prefix: String,
    /// What the next line begins with instead of the end of `prefix`: `- `, `## `.
    pub(super) marker: String,
    /// How much of `prefix` stands before `marker`.
    marker_from: usize,
    /// Lengths of `prefix` and `marker` before each container.
    containers: Vec<(usize, usize)>,
    pub(super) marks: Vec<Mark>,
    pub(super) closings: Vec<Closing>,
    pub(super) links: u32,
    pub(super) code: CodeSpan,
    /// Something (gap, marker, mark, code span) waits to be written before the next character.
    pub(super) waiting: bool,
    /// Markers were taken back: their places hold NUL until the end.
    pub(super) erased: bool,
    /// Strong text is what the whole place is anyway.
    pub(super) strong_by_place: bool,
    pub(super) style: Style,
}

/// The inline code being collected.
#[derive(Debug, Default)]
pub(super) struct CodeSpan {
    pub text: String,
    pub depth: u32,
    pub space: bool,
}

impl Writer {
    pub fn new(mode: Mode) -> Self {
        Self {
            out: String::new(),
            mode,
            base: 0,
            line_start: 0,
            gap: Gap::None,
            prefix: String::new(),
            marker: String::new(),
            marker_from: 0,
            containers: Vec::new(),
            marks: Vec::new(),
            closings: Vec::new(),
            links: 0,
            code: CodeSpan::default(),
            waiting: false,
            erased: false,
            strong_by_place: false,
            style: Style::Full,
        }
    }

    pub fn is_plain(&self) -> bool {
        self.style == Style::Plain
    }

    /// How much has been written or collected; grows with every piece of content.
    pub fn progress(&self) -> usize {
        self.out.len() + self.code.text.len()
    }

    /// White space: words on its two sides stay apart.
    pub fn space(&mut self) {
        if self.code.depth > 0 && !self.code.text.is_empty() {
            self.code.space = true;
        } else {
            self.raise(Gap::Space);
        }
    }

    /// A line break inside a paragraph.
    pub fn line_break(&mut self) {
        let gap = if self.mode == Mode::Heading || self.links > 0 { Gap::Space } else { Gap::Break };
        if self.marker.is_empty() {
            self.raise(gap);
        }
    }

    /// A border between two blocks. Emphasis goes on behind it, a link does not.
    pub fn block(&mut self) {
        if self.mode == Mode::Heading {
            return self.raise(Gap::Space);
        }
        self.flush_code();
        self.suspend_marks();
        if self.marker.is_empty() {
            self.raise(Gap::Blank);
        }
    }

    fn raise(&mut self, gap: Gap) {
        self.flush_code();
        self.gap = self.gap.max(gap);
        self.waiting = true;
    }

    /// Opens what begins with `marker` and whose further lines begin with `continuation`.
    pub fn open_container(&mut self, marker: &str, continuation: &str) {
        self.containers.push((self.prefix.len(), self.marker.len()));
        if self.marker.is_empty() {
            self.marker_from = self.prefix.len();
        }
        let widest = if self.is_plain() { 0 } else { WIDEST_PREFIX };
        if self.prefix.len() < widest {
            self.prefix.push_str(continuation);
            self.marker.push_str(marker);
        } else if marker != continuation {
            self.marker.push_str(marker);
        }
        self.waiting = true;
    }

    pub fn close_container(&mut self) {
        if let Some((prefix, marker)) = self.containers.pop() {
            self.prefix.truncate(prefix);
            self.marker.truncate(marker);
        }
    }

    /// Opens an item of a list: the first one where the list begins, the others on the next line.
    pub fn open_item(&mut self, marker: &str, first: bool) {
        self.leave_heading();
        self.flush_code();
        self.suspend_marks();
        if self.marker.is_empty() {
            self.gap = if first { self.gap.max(Gap::Line) } else { Gap::Line };
        }
        let width = marker.find(' ').map_or(0, |space| space + 1);
        self.open_container(marker, &" ".repeat(width));
    }

    /// A list inside an item follows the item's text without a blank line.
    pub fn tighten(&mut self) {
        if self.gap == Gap::Blank && self.marker.is_empty() {
            self.gap = Gap::Line;
        }
    }

    pub fn open_heading(&mut self, level: u8) {
        self.leave_heading();
        self.block();
        let marker = ["# ", "## ", "### ", "#### ", "##### ", "###### "][usize::from(level.clamp(1, 6)) - 1];
        self.open_container(marker, "");
        self.mode = Mode::Heading;
    }

    pub fn close_heading(&mut self) {
        self.leave_heading();
        self.close_container();
    }

    /// Ends the line of a heading: a block inside it stands below it.
    pub fn leave_heading(&mut self) {
        if self.mode != Mode::Heading {
            return;
        }
        self.flush_code();
        self.mode = Mode::Page;
        self.suspend_marks();
        if self.marker.is_empty() {
            self.keep_closing_hashes();
            self.gap = Gap::Blank;
        } else if let Some((_, marker)) = self.containers.last() {
            self.marker.truncate(*marker);
        }
        self.waiting = true;
    }

    /// `## C #` would lose its last `#`.
    fn keep_closing_hashes(&mut self) {
        let line = &self.out[self.line_start..];
        let text = line.trim_end_matches('#');
        if text.len() < line.len() && (text.is_empty() || text.ends_with(' ')) {
            self.out.insert(self.line_start + text.len(), '\\');
        }
    }

    /// Makes everything ready for `next` to be appended to `out`.
    pub fn begin(&mut self, next: char) {
        if self.waiting {
            self.settle(next);
        }
    }

    #[inline(never)]
    fn settle(&mut self, next: char) {
        self.flush_code();
        self.join_marks();
        self.write_closings(next);
        self.write_gap();
        self.open_marks(next);
        self.waiting = false;
    }

    fn write_gap(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        let fresh = self.out.len() == self.base;
        match self.mode {
            Mode::Cell => self.write_cell_gap(gap, fresh),
            _ if !self.marker.is_empty() => self.new_line(if fresh { Gap::None } else { gap.max(Gap::Line) }),
            _ if fresh => self.new_line(Gap::None),
            Mode::Heading if gap > Gap::None => self.out.push(' '),
            Mode::Heading => {}
            Mode::Page => match gap {
                Gap::None => {}
                Gap::Space => self.out.push(' '),
                Gap::Break => {
                    self.out.push('\\');
                    self.new_line(Gap::Line);
                }
                Gap::Line | Gap::Blank => self.new_line(gap),
            },
        }
    }

    fn new_line(&mut self, gap: Gap) {
        let before_marker = if self.marker.is_empty() { self.prefix.len() } else { self.marker_from };
        if gap == Gap::Blank {
            self.out.push('\n');
            self.out.push_str(self.prefix[..before_marker].trim_end());
        }
        if gap > Gap::None {
            self.out.push('\n');
        }
        self.out.push_str(&self.prefix[..before_marker]);
        self.out.push_str(&self.marker);
        self.marker.clear();
        self.line_start = self.out.len();
    }

    fn write_cell_gap(&mut self, gap: Gap, fresh: bool) {
        match gap {
            Gap::None => {}
            _ if fresh => {}
            Gap::Space => self.out.push(' '),
            Gap::Break | Gap::Line | Gap::Blank => self.out.push_str("<br>"),
        }
        if !self.marker.is_empty() {
            self.out.push_str(&self.prefix[..self.marker_from]);
            self.out.push_str(&self.marker);
            self.marker.clear();
        }
        self.line_start = usize::MAX;
    }

    /// Lines begin with nothing.
    pub fn at_margin(&self) -> bool {
        self.prefix.is_empty()
    }

    /// Starts a new line of a block whose lines are written as they are.
    pub fn raw_line(&mut self) {
        self.new_line(Gap::Line);
    }

    /// Ends a page or a cell.
    pub fn finish(&mut self) {
        self.flush_code();
        self.suspend_marks();
        self.write_closings(' ');
        self.gap = Gap::None;
    }

    /// Starts the next cell in the same `out`.
    pub fn start_cell(&mut self, header: bool) {
        self.finish();
        self.base = self.out.len();
        self.line_start = usize::MAX;
        self.strong_by_place = header;
        self.waiting = true;
    }
}
