//! Cuts a storage body into tags and text, borrowing from it and failing on nothing.
//!
//! * Every body gives a finite list of tokens, and reading it takes time linear in its length.
//! * `<` that opens no tag is text; a tag that is never closed ends where the next one begins.
//! * CDATA that is never closed ends with the element that holds it; a comment that is never closed is not one.

use memchr::{memchr, memchr2, memmem};

/// How far a text is looked at byte by byte.
const NEAR: usize = 4;

/// One piece of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open(Tag<'a>),
    Close(&'a str),
    /// Text with its references (`&amp;`) unresolved.
    Text(&'a str),
    /// The inside of a CDATA section, to be taken as it is.
    Literal(&'a str),
}

/// An opening or empty tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub name: &'a str,
    pub attributes: &'a str,
    /// `<name/>`.
    pub empty: bool,
}

/// The tokens of a body, in order.
pub(super) struct Tokens<'a> {
    input: &'a str,
    at: usize,
    /// How often the input was not XML and was read as something sensible.
    pub recovered: u32,
    /// Set when no `-->` is left, so that it is looked for once.
    comments_end: bool,
    /// Where a CDATA section ended just before, if one did: the next one may be its continuation.
    literal_end: usize,
    /// Where the next `]]>` stands, once it was looked for; `MAX` when there is none.
    known_end: usize,
}

enum Markup<'a> {
    Token(Token<'a>),
    Skipped,
    Text,
}

impl<'a> Tokens<'a> {
    pub fn new(input: &'a str) -> Self {
        Self { input, at: 0, recovered: 0, comments_end: false, literal_end: usize::MAX, known_end: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.input[self.at..]
    }

    fn advance(&mut self, length: usize) -> &'a str {
        let piece = &self.input[self.at..self.at + length];
        self.at += length;
        piece
    }

    fn markup(&mut self) -> Markup<'a> {
        let rest = self.rest();
        match rest.as_bytes().get(1) {
            Some(b'/') => self.closing_tag(),
            Some(b'!') if rest.starts_with("<![CDATA[") => Markup::Token(self.literal()),
            Some(b'!') if rest.starts_with("<!--") => self.comment(),
            Some(b'!' | b'?') => self.declaration(),
            Some(first) if is_name_start(*first) => self.opening_tag(),
            _ => Markup::Text,
        }
    }

    fn opening_tag(&mut self) -> Markup<'a> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let name_end = 1 + name_length(&bytes[1..]);
        let mut end = name_end;
        let mut valued = false;
        let closed = loop {
            match bytes.get(end) {
                Some(b'>') => break true,
                None | Some(b'<') => break false,
                Some(b'=') => {
                    valued = true;
                    end = value_end(bytes, end + 1);
                }
                Some(_) => {
                    let name = bytes[end + 1..].iter().take_while(|byte| !NAME_ENDS[usize::from(**byte)]);
                    end += 1 + name.count();
                }
            }
        };
        if !closed {
            self.recovered += 1;
            if end < bytes.len() && !valued {
                return Markup::Text;
            }
        }
        let inside = &rest[name_end..end];
        self.at += end + usize::from(closed);
        let empty = inside.ends_with('/');
        let attributes = inside.strip_suffix('/').unwrap_or(inside);
        Markup::Token(Token::Open(Tag { name: &rest[1..name_end], attributes, empty }))
    }

    fn closing_tag(&mut self) -> Markup<'a> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        if !bytes.get(2).is_some_and(|first| is_name_start(*first)) {
            return Markup::Text;
        }
        let name_end = 2 + name_length(&bytes[2..]);
        let end = match bytes.get(name_end) {
            Some(b'>') => name_end,
            _ => memchr2(b'>', b'<', &bytes[name_end..]).map_or(bytes.len(), |found| name_end + found),
        };
        let closed = bytes.get(end) == Some(&b'>');
        self.recovered += u32::from(!closed);
        self.at += end + usize::from(closed);
        Markup::Token(Token::Close(&rest[2..name_end]))
    }

    /// Confluence writes `]]>` inside CDATA as `]]]]><![CDATA[>`: both halves come out, one after the other.
    fn literal(&mut self) -> Token<'a> {
        let continues = self.literal_end == self.at;
        self.at += "<![CDATA[".len();
        let rest = self.rest();
        let end = self.next_literal_end();
        let inside = &rest[..end.unwrap_or(rest.len())];
        if let Some(holder_end) = lost_end(inside, end.is_none(), continues) {
            self.recovered += 1;
            return Token::Literal(self.advance(holder_end));
        }
        let text = self.advance(inside.len());
        if end.is_some() {
            self.at += "]]>".len();
        } else {
            self.recovered += 1;
        }
        self.literal_end = self.at;
        Token::Literal(text)
    }

    /// How far the next `]]>` is away, each one looked for once.
    fn next_literal_end(&mut self) -> Option<usize> {
        if self.known_end < self.at {
            let found = memmem::find(self.rest().as_bytes(), b"]]>");
            self.known_end = found.map_or(usize::MAX, |found| self.at + found);
        }
        (self.known_end != usize::MAX).then(|| self.known_end - self.at)
    }

    fn comment(&mut self) -> Markup<'a> {
        let end = if self.comments_end { None } else { memmem::find(self.rest().as_bytes(), b"-->") };
        if let Some(end) = end {
            self.at += end + "-->".len();
        } else {
            self.comments_end = true;
            self.recovered += 1;
            self.at += "<!--".len();
        }
        Markup::Skipped
    }

    fn declaration(&mut self) -> Markup<'a> {
        let bytes = self.rest().as_bytes();
        match memchr2(b'>', b'<', &bytes[1..]).map(|found| found + 1) {
            Some(end) if bytes[end] == b'>' => {
                self.at += end + 1;
                Markup::Skipped
            }
            _ => Markup::Text,
        }
    }

    fn text(&mut self) -> Token<'a> {
        let bytes = self.rest().as_bytes();
        // Half of all texts are a line's end: they are not worth a search.
        let near = bytes[1..bytes.len().min(NEAR)].iter().position(|byte| *byte == b'<');
        let found = near.or_else(|| memchr(b'<', &bytes[1..]));
        Token::Text(self.advance(found.map_or(bytes.len(), |found| found + 1)))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while self.at < self.input.len() {
            if self.input.as_bytes()[self.at] != b'<' {
                return Some(self.text());
            }
            match self.markup() {
                Markup::Token(token) => return Some(token),
                Markup::Skipped => {}
                Markup::Text => {
                    self.recovered += 1;
                    return Some(self.text());
                }
            }
        }
        None
    }
}

/// Where CDATA without an end of its own should have ended: at the close of the element that holds it.
///
/// A section that found its `]]>` only after another one had begun had lost its own.
fn lost_end(inside: &str, endless: bool, continues: bool) -> Option<usize> {
    if continues && !endless {
        return None;
    }
    let holder_end = memmem::find(inside.as_bytes(), b"</ac:plain-text-")?;
    let another = || memmem::find(&inside.as_bytes()[holder_end..], b"<![CDATA[").is_some();
    (endless || another()).then_some(holder_end)
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn name_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| NAME_ENDS[usize::from(*byte)]).unwrap_or(bytes.len())
}

static NAME_ENDS: [bool; 256] = name_ends();

const fn name_ends() -> [bool; 256] {
    const ENDS: &[u8] = b" \t\n\x0c\r/><=\"'";
    let (mut ends, mut at) = ([false; 256], 0);
    while at < ENDS.len() {
        ends[ENDS[at] as usize] = true;
        at += 1;
    }
    ends
}

/// The position after a quoted value, or where it was asked for if there is none or it never ends.
fn value_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    let Some(quote @ (b'"' | b'\'')) = bytes.get(at).copied() else { return from };
    at += 1;
    while let Some(found) = memchr2(quote, b'<', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes[at] == quote {
            return at + 1;
        }
        at += 1;
        if bytes.get(at).is_some_and(|next| is_name_start(*next) || matches!(next, b'/' | b'!')) {
            break;
        }
    }
    from
}
