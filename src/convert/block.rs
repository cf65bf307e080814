//! Writes blocks whose lines are not running text: code, formulas, rules, quotes, images.

use super::mark::{destination, longest_run};
use super::writer::{Mode, Writer};

impl Writer {
    pub fn open_quote(&mut self) {
        self.leave_heading();
        self.block();
        let marker = if self.mode == Mode::Cell { "" } else { "> " };
        self.open_container(marker, marker);
    }

    pub fn rule(&mut self) {
        self.leave_heading();
        self.block();
        if self.mode == Mode::Cell {
            return;
        }
        self.begin('-');
        let in_item = self.out.ends_with("- ");
        self.out.push_str(if in_item { "***" } else { "---" });
        self.block();
    }

    /// An image by what it is called, with its address if it has one.
    pub fn image(&mut self, alt: &str, url: Option<&str>) {
        let alt = alt.trim();
        let Some(url) = url.filter(|_| !self.is_plain()) else { return self.text(alt) };
        self.flush_code();
        self.begin('!');
        self.out.push_str("![");
        self.plain_label(alt);
        self.out.push_str("](");
        self.out.push_str(&destination(url));
        self.out.push(')');
    }

    /// A label in which nothing but words may stand.
    fn plain_label(&mut self, label: &str) {
        let depth = std::mem::take(&mut self.code.depth);
        self.links += 1;
        self.text(label);
        self.links -= 1;
        self.code.depth = depth;
    }

    /// A word in brackets: `[IN PROGRESS]`.
    pub fn bracketed(&mut self, text: &str) {
        self.flush_code();
        self.begin('[');
        self.out.push('[');
        self.plain_label(text);
        self.out.push(']');
    }

    pub fn formula(&mut self, source: &str, block: bool) {
        let source = trim_lines(source);
        if source.is_empty() {
            return;
        }
        if block && self.mode == Mode::Page {
            self.block();
            self.begin('$');
            self.out.push_str("$$");
            for line in source.lines() {
                self.verbatim_line(line);
            }
            self.raw_line();
            self.out.push_str("$$");
            return self.block();
        }
        let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
        self.flush_code();
        self.begin('$');
        self.out.push('$');
        if self.mode == Mode::Cell {
            self.allowed(&source.replace('|', "\\|"));
        } else {
            self.allowed(&source);
        }
        self.out.push('$');
    }

    /// Text that is Markdown already.
    pub fn markdown(&mut self, source: &str) {
        let source = trim_lines(source);
        if source.is_empty() {
            return;
        }
        self.leave_heading();
        self.block();
        if self.mode == Mode::Cell {
            return self.code_lines(source);
        }
        let mut fence = None;
        self.begin(' ');
        for (index, line) in source.lines().enumerate() {
            let blank_twice = line.trim().is_empty() && self.out.ends_with('\n');
            if fence.is_none() && blank_twice {
                continue;
            }
            if index > 0 {
                self.verbatim_line(line);
            } else {
                self.allowed(line);
            }
            fence = after_line(fence, line);
        }
        if let Some(fence) = fence {
            self.verbatim_line(fence);
        }
        self.block();
    }

    /// Writes a code block: language and text as they are, in a fence longer than any inside.
    pub fn fence(&mut self, language: &str, code: &str) {
        let code = trim_lines(code);
        if code.is_empty() {
            return;
        }
        self.leave_heading();
        self.block();
        if self.mode == Mode::Cell {
            return self.code_lines(code);
        }
        let fence = "`".repeat(longest_run(code, b'`').max(2) + 1);
        self.begin('`');
        self.out.push_str(&fence);
        self.out.extend(language.chars().filter(|c| !c.is_whitespace() && !c.is_control() && *c != '`'));
        if self.at_margin() && code.bytes().all(is_kept) {
            self.raw_line();
            self.out.push_str(code);
        } else {
            code.split('\n').for_each(|line| self.verbatim_line(line.strip_suffix('\r').unwrap_or(line)));
        }
        self.raw_line();
        self.out.push_str(&fence);
        self.block();
    }

    /// One more line, nothing in it changed but characters that no text may hold.
    pub fn verbatim_line(&mut self, line: &str) {
        self.raw_line();
        if line.is_empty() {
            let kept = self.out.trim_end_matches(' ').len();
            self.out.truncate(kept);
        }
        self.allowed(line);
    }

    /// Appends a line without the characters that no text may hold.
    fn allowed(&mut self, line: &str) {
        for piece in line.split(|c: char| c.is_control() && c != '\t') {
            self.out.push_str(piece);
        }
    }

    /// Code in a cell: one span for each line.
    fn code_lines(&mut self, code: &str) {
        for line in code.lines() {
            let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
            if line.trim().is_empty() {
                continue;
            }
            self.begin('`');
            self.write_code_span(&line);
            self.line_break();
        }
        self.block();
    }
}

/// Neither a control character nor the beginning of one.
fn is_kept(byte: u8) -> bool {
    (byte >= b' ' || byte == b'\n' || byte == b'\t') && byte != 0x7f && byte != 0xc2
}

/// Without the blank lines around it.
pub(super) fn trim_lines(text: &str) -> &str {
    let text = text.trim_end();
    let indent = text.len() - text.trim_start().len();
    text[..indent].rfind('\n').map_or(text, |line_end| &text[line_end + 1..])
}

/// The code fence that is open after `line`.
fn after_line<'a>(open: Option<&'a str>, line: &'a str) -> Option<&'a str> {
    let line = line.trim();
    let fence = ['`', '~'].into_iter().find_map(|c| {
        let length = line.len() - line.trim_start_matches(c).len();
        (length >= 3).then(|| &line[..length])
    });
    match (open, fence) {
        (Some(open), Some(fence)) if fence.starts_with(open) && fence == line => None,
        (Some(open), _) => Some(open),
        (None, fence) => fence,
    }
}
