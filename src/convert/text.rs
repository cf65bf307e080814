//! Writes text: white space collapsed, invisible characters dropped, and an escape only where Markdown would
//! otherwise read a marker.

use super::reference::named;
use super::writer::{Gap, Mode, Writer};

/// What a byte asks of the writer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Space,
    Control,
    /// May be a marker of Markdown.
    Marker,
    /// Begins a character that may be invisible: `U+00A0`, `U+200B`, `U+FEFF` and the like.
    Lead,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 0x20 {
        classes[byte] = Class::Control;
        byte += 1;
    }
    classes[0x7f] = Class::Control;
    let mut at = 0;
    while at < b" \t\n\r\x0c".len() {
        classes[b" \t\n\r\x0c"[at] as usize] = Class::Space;
        at += 1;
    }
    at = 0;
    while at < b"\\`*_[]<&|~".len() {
        classes[b"\\`*_[]<&|~"[at] as usize] = Class::Marker;
        at += 1;
    }
    classes[0xc2] = Class::Lead;
    classes[0xe2] = Class::Lead;
    classes[0xef] = Class::Lead;
    classes
}

/// A bit for each of the bytes that end a run, in the lower half; in the upper half one for a space, which ends it only
/// before another of them.
static ENDS: [u16; 256] = ends();

const fn ends() -> [u16; 256] {
    let mut ends = [1; 256];
    let mut byte = 0;
    while byte < 256 {
        if matches!(CLASSES[byte], Class::Plain) {
            ends[byte] = 0;
        }
        byte += 1;
    }
    ends[b' ' as usize] = 0x100;
    ends
}

/// How many bytes can be written as they are: letters and single spaces between them. Eight at a time, since to stop at
/// each word would cost more than to look at its letters.
fn unremarkable(bytes: &[u8], within: bool) -> usize {
    if !within && bytes.first() == Some(&b' ') {
        return 0;
    }
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let mut found = 0_u16;
        if let Some(eight) = rest.first_chunk::<8>() {
            for (index, byte) in eight.iter().enumerate() {
                found |= ENDS[usize::from(*byte)] << index;
            }
        } else {
            for (index, byte) in rest.iter().enumerate() {
                found |= ENDS[usize::from(*byte)] << index;
            }
            found |= 0xff << rest.len() & 0xff;
        }
        let (ends, spaces) = (found & 0xff, found >> 8);
        let stop = ends | spaces & (ends | spaces) >> 1;
        if stop != 0 {
            return at + stop.trailing_zeros() as usize;
        }
        // What follows a space at the end decides about it.
        at += if spaces & 0x80 == 0 { 8 } else { 7 };
    }
}

/// What becomes of a character that begins with a [`Class::Lead`] byte.
enum Lead {
    Keep,
    Space,
    Drop,
}

fn lead(bytes: &[u8]) -> (Lead, usize) {
    match bytes {
        [0xc2, 0x85 | 0xa0, ..] => (Lead::Space, 2),
        [0xc2, 0x80..=0x9f | 0xad, ..] => (Lead::Drop, 2),
        [0xc2, ..] => (Lead::Keep, 2),
        [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..] | [0xe2, 0x81, 0x9f, ..] => (Lead::Space, 3),
        [0xe2, 0x80, 0x8b | 0x8e | 0x8f | 0xaa..=0xae, ..] | [0xe2, 0x81, 0xa0 | 0xa6..=0xa9, ..] => {
            (Lead::Drop, 3)
        }
        [0xef, 0xbb, 0xbf, ..] | [0xef, 0xbf, 0xbe | 0xbf, ..] => (Lead::Drop, 3),
        _ => (Lead::Keep, 3),
    }
}

impl Writer {
    /// Writes text whose references are resolved.
    pub fn text(&mut self, text: &str) {
        if self.code.depth > 0 {
            return self.code_text(text);
        }
        self.guard_bracket(text);
        let bytes = text.as_bytes();
        let (mut from, mut at) = (0, 0);
        loop {
            at += unremarkable(&bytes[at..], at > from);
            let Some(byte) = bytes.get(at) else { break };
            match CLASSES[usize::from(*byte)] {
                Class::Plain => at += 1,
                Class::Space => {
                    self.run(&text[from..at]);
                    self.space();
                    at += 1;
                    from = at;
                }
                Class::Control => {
                    self.run(&text[from..at]);
                    at += 1;
                    from = at;
                }
                Class::Marker => {
                    self.run(&text[from..at]);
                    self.marker(text, at);
                    from = at;
                    at += 1;
                    if bytes.get(at).is_none_or(|b| CLASSES[usize::from(*b)] != Class::Plain) {
                        self.out.push_str(&text[from..at]);
                        from = at;
                    }
                }
                Class::Lead => {
                    let (what, length) = lead(&bytes[at..]);
                    if !matches!(what, Lead::Keep) {
                        self.run(&text[from..at]);
                        from = at + length;
                    }
                    if matches!(what, Lead::Space) {
                        self.space();
                    }
                    at += length;
                }
            }
        }
        self.run(&text[from..]);
    }

    /// `[word]` and a separate `(word)` after it must not become a link.
    fn guard_bracket(&mut self, text: &str) {
        if self.gap == Gap::None && text.starts_with(['(', ':']) {
            self.begin('(');
            if self.last_char() == ']' {
                self.out.push('\\');
            }
        }
    }

    /// Appends a run without markers, except for what is one only where it begins.
    fn run(&mut self, run: &str) {
        let Some(first) = run.chars().next() else { return };
        let mut run = run;
        self.begin(first);
        if self.out.len() == self.line_start {
            run = &run[self.guard_line(run)..];
        }
        self.out.push_str(run);
    }

    /// Escapes what would begin a block at the start of a line. Gives how much of `run` it has written.
    fn guard_line(&mut self, run: &str) -> usize {
        if self.mode != Mode::Page {
            return 0;
        }
        let bytes = run.as_bytes();
        let ends = |at: usize| bytes.get(at).is_none_or(|byte| *byte == b' ');
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=9).contains(&digits) && matches!(bytes.get(digits), Some(b'.' | b')')) && ends(digits + 1) {
            self.out.push_str(&run[..digits]);
            self.out.push('\\');
            return digits;
        }
        let hashes = bytes.iter().take_while(|byte| **byte == b'#').count();
        let begins_block = match bytes[0] {
            b'#' => hashes <= 6 && ends(hashes),
            b'-' => ends(1) || bytes[1] == b'-',
            b'+' => ends(1),
            b'=' => ends(1) || bytes[1] == b'=',
            b':' => bytes.get(1) == Some(&b'-'),
            b'>' => true,
            _ => false,
        };
        if begins_block {
            self.out.push('\\');
        }
        0
    }

    /// Makes ready for the marker character at `at`, with an escape before it if it needs one.
    fn marker(&mut self, text: &str, at: usize) {
        let bytes = text.as_bytes();
        let byte = bytes[at];
        self.begin(char::from(byte));
        let before = self.last_char();
        let line_start = self.out.len() == self.line_start && self.mode == Mode::Page;
        let next = text[at + 1..].chars().next();
        let needed = match byte {
            b'\\' => next.is_none_or(|c| c.is_ascii_punctuation() || c.is_whitespace()),
            b'`' => true,
            b'*' => line_start || !(before.is_whitespace() && next.is_some_and(char::is_whitespace)),
            b'_' => self.underscore(bytes, at, before),
            b'[' => self.links > 0 || before == ']' || (line_start && is_checkbox(&bytes[at..])),
            b']' => self.links > 0 || matches!(next, Some('(' | '[' | ':')),
            b'<' => next.is_none_or(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')),
            b'&' => is_reference(&bytes[at..]),
            b'|' => self.mode == Mode::Cell || line_start,
            _ => next.is_none_or(|c| c == '~') || !before.is_whitespace(),
        };
        if needed && !(matches!(byte, b'_' | b'~') && self.stands_in_url()) {
            self.out.push('\\');
        }
    }

    /// `snake_case` needs no escape, `_word_` does.
    fn underscore(&self, bytes: &[u8], at: usize, before: char) -> bool {
        if before == '_' {
            return self.out.ends_with("\\_");
        }
        let run_end = at + bytes[at..].iter().take(64).take_while(|byte| **byte == b'_').count();
        let word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || !b.is_ascii());
        let apart = before.is_whitespace() && bytes.get(run_end).is_some_and(u8::is_ascii_whitespace);
        let within = before.is_alphanumeric() && word(bytes.get(run_end));
        !apart && !within
    }

    /// Whether the word being written is a bare URL, where an escape would change it.
    fn stands_in_url(&self) -> bool {
        const LONGEST: usize = 160;
        if matches!(self.out.as_bytes(), [.., b'\\', b'_' | b'~']) {
            return false;
        }
        let tail = &self.out.as_bytes()[self.out.len().saturating_sub(LONGEST)..];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'<' | b'[');
        let word = &tail[tail.iter().rposition(ends).map_or(0, |found| found + 1)..];
        word.starts_with(b"http://") || word.starts_with(b"https://")
    }

    /// Collects inline code, white space collapsed as it is shown.
    fn code_text(&mut self, text: &str) {
        self.waiting = true;
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return self.code_piece(text);
        }
        for (index, word) in text.split(is_space).enumerate() {
            if index > 0 {
                self.space();
            }
            word.split(is_invisible).for_each(|piece| self.code_piece(piece));
        }
    }

    fn code_piece(&mut self, piece: &str) {
        if piece.is_empty() {
            return;
        }
        if std::mem::take(&mut self.code.space) {
            self.code.text.push(' ');
        }
        self.code.text.push_str(piece);
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Characters without a picture that editors leave behind.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// `[ ]` and `[x]`; any white space in it will be written as one space.
fn is_checkbox(bytes: &[u8]) -> bool {
    let inside = &bytes[1..];
    let spaces = inside.iter().take(16).take_while(|byte| byte.is_ascii_whitespace()).count();
    let is_empty = spaces > 0 && inside.get(spaces) == Some(&b']');
    is_empty || matches!(inside, [b'x' | b'X', b']', ..])
}

/// Whether Markdown would read a character reference here.
fn is_reference(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().take(34).position(|byte| *byte == b';') else { return false };
    match &bytes[1..end] {
        [b'#', b'x' | b'X', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit),
        [b'#', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        name => named(name).is_some(),
    }
}
