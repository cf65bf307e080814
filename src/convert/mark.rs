//! Emphasis, links and inline code, placed so that Markdown reads them as meant.
//!
//! * White space stays outside markers, and a marker without content is not written.
//! * A marker that Markdown would not accept where it stands (`a**(b)**c`) is left out, never the text.
//! * Neighbours of the same kind become one.

use std::borrow::Cow;

use super::writer::{Gap, Mode, Writer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Strong,
    Emphasis,
    Struck,
    Superscript,
    Subscript,
    Link,
}

#[derive(Debug)]
pub(super) struct Mark {
    kind: Kind,
    state: State,
    /// Where a link leads, once known.
    url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No content yet.
    Waiting,
    /// Its marker stands at this place of `out`.
    Open(usize),
    /// Not written: not accepted here, or ended early. Holds the writer's progress when it opened.
    Dead(usize),
}

/// A mark that has ended, its closing marker not yet written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closing {
    kind: Kind,
    opened: usize,
}

impl Kind {
    fn opener(self) -> &'static str {
        match self {
            Self::Strong => "**",
            Self::Emphasis => "*",
            Self::Struck => "~~",
            Self::Superscript => "<sup>",
            Self::Subscript => "<sub>",
            Self::Link => "[",
        }
    }

    fn closer(self) -> &'static str {
        match self {
            Self::Superscript => "</sup>",
            Self::Subscript => "</sub>",
            other => other.opener(),
        }
    }

    fn is_star(self) -> bool {
        matches!(self, Self::Strong | Self::Emphasis)
    }

    /// Markdown decides by the neighbours whether `**`, `*`, `~~` open or close.
    fn is_flanking(self) -> bool {
        self.is_star() || self == Self::Struck
    }
}

impl Writer {
    /// Opens emphasis. Inside inline code there is none: its text stays one piece.
    pub fn open_mark(&mut self, kind: Kind) {
        if self.code.depth > 0 {
            return self.marks.push(Mark { kind, state: State::Dead(0), url: None });
        }
        self.flush_code();
        let by_place = kind == Kind::Strong && (self.mode == Mode::Heading || self.strong_by_place);
        let redundant = by_place || self.is_plain();
        let twice = self.marks.iter().any(|mark| mark.kind == kind && !matches!(mark.state, State::Dead(_)));
        let state = if redundant || twice { State::Dead(self.progress()) } else { State::Waiting };
        self.marks.push(Mark { kind, state, url: None });
        self.waiting = true;
    }

    pub fn close_mark(&mut self) {
        if self.code.depth == 0 {
            self.flush_code();
        }
        if let Some(Mark { kind, state: State::Open(opened), .. }) = self.marks.pop() {
            self.closings.push(Closing { kind, opened });
            self.waiting = true;
        }
    }

    /// Opens a link; inside another one it is only text.
    pub fn open_link(&mut self, url: Option<String>) {
        self.flush_code();
        let state = if self.links > 0 { State::Dead(self.progress()) } else { State::Waiting };
        self.links += 1;
        let url = url.filter(|_| !self.is_plain());
        self.marks.push(Mark { kind: Kind::Link, state, url });
        self.waiting = true;
    }

    /// Says where the innermost open link leads.
    pub fn aim_link(&mut self, url: Option<String>) {
        let url = url.filter(|_| !self.is_plain());
        if let Some(link) = self.marks.iter_mut().rev().find(|mark| mark.kind == Kind::Link) {
            link.url = url;
        }
    }

    /// Closes a link, with `label` as its text if it has none.
    pub fn close_link(&mut self, label: &str) {
        self.flush_code();
        let unused = match self.marks.last().map(|mark| mark.state) {
            Some(State::Waiting) => true,
            Some(State::Dead(progress)) => progress == self.progress(),
            _ => false,
        };
        if unused {
            if self.marks.last().is_some_and(|mark| mark.url.is_none()) {
                self.kill_last();
            }
            self.text(label.trim());
            self.flush_code();
        }
        self.links = self.links.saturating_sub(1);
        let Some(Mark { state: State::Open(opened), url, .. }) = self.marks.pop() else { return };
        self.end_link(opened, url.as_deref());
    }

    fn kill_last(&mut self) {
        let progress = self.progress();
        if let Some(mark) = self.marks.last_mut() {
            mark.state = State::Dead(progress);
        }
    }

    fn end_link(&mut self, opened: usize, url: Option<&str>) {
        self.write_closings(']');
        let Some(url) = url else { return self.erase(opened, Kind::Link) };
        let target = destination(url);
        if self.out[opened + 1..] == *url && url.contains("://") {
            self.out.truncate(opened);
            self.out.push('<');
            self.out.push_str(&target);
            self.out.push('>');
        } else {
            self.out.push_str("](");
            self.out.push_str(&target);
            self.out.push(')');
        }
    }

    /// Closes for now what is open: emphasis opens again with the next content, a link has ended.
    pub fn suspend_marks(&mut self) {
        if self.marks.is_empty() && self.closings.is_empty() {
            return;
        }
        for index in (0..self.marks.len()).rev() {
            let State::Open(opened) = self.marks[index].state else { continue };
            let kind = self.marks[index].kind;
            if kind == Kind::Link {
                let url = self.marks[index].url.take();
                self.end_link(opened, url.as_deref());
                self.marks[index].state = State::Dead(0);
            } else {
                self.closings.push(Closing { kind, opened });
                self.marks[index].state = State::Waiting;
            }
        }
        self.write_closings(' ');
        self.waiting = true;
    }

    /// A mark that ends where one of its kind begins goes on instead. Of two others that touch, the second is left
    /// out: Markdown could not tell where the stars belong.
    pub fn join_marks(&mut self) {
        if self.gap > Gap::Space {
            return;
        }
        self.continue_marks();
        if self.gap == Gap::None && self.closings.iter().any(|closing| closing.kind.is_star()) {
            let waiting = self.marks.iter_mut().filter(|mark| mark.state == State::Waiting);
            waiting.take_while(|mark| mark.kind.is_star()).for_each(|mark| mark.state = State::Dead(0));
        }
    }

    fn continue_marks(&mut self) {
        for mark in &mut self.marks {
            if mark.state != State::Waiting {
                continue;
            }
            match self.closings.last() {
                Some(last) if last.kind == mark.kind => mark.state = State::Open(last.opened),
                _ => break,
            }
            self.closings.pop();
        }
    }

    pub fn write_closings(&mut self, next: char) {
        if self.closings.is_empty() {
            return;
        }
        let next = if self.gap > Gap::None { ' ' } else { self.first_opener(0).unwrap_or(next) };
        let closings = std::mem::take(&mut self.closings);
        let mut before = self.last_char();
        for (index, closing) in closings.iter().enumerate() {
            let kind = closing.kind;
            let after = closings[index + 1..].iter().find(|later| !later.kind.is_star());
            let after = after.map_or(next, |later| later.kind.closer().chars().next().unwrap_or(next));
            if kind.is_flanking() && !closes(before, after) {
                self.erase(closing.opened, kind);
                continue;
            }
            self.out.push_str(kind.closer());
            if !kind.is_star() {
                before = self.last_char();
            }
        }
    }

    pub fn open_marks(&mut self, next: char) {
        for index in 0..self.marks.len() {
            if self.marks[index].state != State::Waiting {
                continue;
            }
            let kind = self.marks[index].kind;
            let after = self.first_opener(index + 1).unwrap_or(next);
            let before = self.char_before_stars();
            let could_close = kind.is_star() && self.stars_are_open() && closes(before, after);
            if kind.is_flanking() && (could_close || !opens(before, after)) {
                self.marks[index].state = State::Dead(0);
                continue;
            }
            if kind == Kind::Link {
                self.guard_bang();
            }
            self.marks[index].state = State::Open(self.out.len());
            self.out.push_str(kind.opener());
        }
    }

    fn stars_are_open(&self) -> bool {
        self.marks.iter().any(|mark| mark.kind.is_star() && matches!(mark.state, State::Open(_)))
    }

    /// The first character of the next marker that waits from `index` on, stars left out.
    fn first_opener(&self, index: usize) -> Option<char> {
        let waiting = self.marks[index..].iter().filter(|mark| mark.state == State::Waiting);
        waiting.map(|mark| mark.kind).find(|kind| !kind.is_star())?.opener().chars().next()
    }

    /// `wow!` before a link must not become an image.
    pub fn guard_bang(&mut self) {
        if self.out.ends_with('!') && self.out.len() > self.base {
            self.out.pop();
            self.out.push_str("\\!");
        }
    }

    /// Takes a marker back. Its place is cleared at the end, all at once.
    fn erase(&mut self, at: usize, kind: Kind) {
        for offset in at..at + kind.opener().len() {
            self.out.replace_range(offset..=offset, "\0");
        }
        self.erased = true;
    }

    /// The last character of this line or cell; a space at its start.
    pub fn last_char(&self) -> char {
        let start = if self.line_start == usize::MAX { self.base } else { self.line_start };
        self.out.get(start..).and_then(|line| line.chars().next_back()).unwrap_or(' ')
    }

    /// Like [`Self::last_char`], looking behind the stars of marks opened just now.
    fn char_before_stars(&self) -> char {
        let mut end = self.out.len();
        for mark in self.marks.iter().rev() {
            match mark.state {
                State::Open(at) if mark.kind.is_star() && at + mark.kind.opener().len() == end => end = at,
                _ => {}
            }
        }
        let start = if self.line_start == usize::MAX { self.base } else { self.line_start };
        self.out.get(start..end).and_then(|line| line.chars().next_back()).unwrap_or(' ')
    }

    pub fn open_code(&mut self) {
        self.code.depth += 1;
    }

    pub fn close_code(&mut self) {
        self.code.depth = self.code.depth.saturating_sub(1);
        self.waiting = true;
        if std::mem::take(&mut self.code.space) {
            self.space();
        }
    }

    /// Writes the collected inline code.
    pub fn flush_code(&mut self) {
        if self.code.text.is_empty() {
            return;
        }
        let mut text = std::mem::take(&mut self.code.text);
        let space = std::mem::take(&mut self.code.space);
        self.begin('`');
        if self.last_char() == '`' {
            self.out.push(' ');
        }
        self.write_code_span(&text);
        text.clear();
        self.code.text = text;
        if space {
            self.gap = Gap::Space;
            self.waiting = true;
        }
    }

    pub fn write_code_span(&mut self, text: &str) {
        let length = longest_run(text, b'`') + 1;
        let padding = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
        self.out.extend(std::iter::repeat_n('`', length));
        self.out.push_str(padding);
        if self.mode == Mode::Cell {
            self.out.push_str(&text.replace('|', "\\|"));
        } else {
            self.out.push_str(text);
        }
        self.out.push_str(padding);
        self.out.extend(std::iter::repeat_n('`', length));
    }
}

/// The length of the longest run of `byte`.
pub(super) fn longest_run(text: &str, byte: u8) -> usize {
    if !text.as_bytes().contains(&byte) {
        return 0;
    }
    text.as_bytes().split(|other| *other != byte).map(<[u8]>::len).max().unwrap_or(0)
}

fn is_punctuation(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace()
}

fn opens(before: char, after: char) -> bool {
    !after.is_whitespace() && (!is_punctuation(after) || before.is_whitespace() || is_punctuation(before))
}

fn closes(before: char, after: char) -> bool {
    !before.is_whitespace() && (!is_punctuation(before) || after.is_whitespace() || is_punctuation(after))
}

/// A link destination that Markdown cannot end early.
pub(super) fn destination(url: &str) -> Cow<'_, str> {
    let safe = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'<' | b'>' | b'|' | b'\\' | b'"' | b'`')
    };
    if url.bytes().all(safe) {
        return Cow::Borrowed(url);
    }
    let mut target = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            ' ' | '(' | ')' | '<' | '>' | '|' | '\\' | '"' | '`' => {
                target.push_str(match c {
                    ' ' => "%20",
                    '(' => "%28",
                    ')' => "%29",
                    '<' => "%3C",
                    '>' => "%3E",
                    '|' => "%7C",
                    '\\' => "%5C",
                    '"' => "%22",
                    _ => "%60",
                });
            }
            c if c.is_control() || c.is_whitespace() => {}
            c => target.push(c),
        }
    }
    Cow::Owned(target)
}
