//! Resolves character references: numbers, surrogate pairs, and every name of HTML.

use std::borrow::Cow;

use html_escape::NAMED_ENTITIES;
use memchr::memchr;

/// The longest name of HTML is `CounterClockwiseContourIntegral`; a number needs less.
const LONGEST: usize = 32;

/// The text with its references resolved. What is not a reference stays as it is written.
pub(super) fn resolve(raw: &str) -> Cow<'_, str> {
    if memchr(b'&', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut high = None;
    while let Some(start) = memchr(b'&', rest.as_bytes()) {
        text.push_str(&rest[..start]);
        high = high.filter(|_| start == 0);
        rest = &rest[start..];
        let length = match reference(rest) {
            Some((Reference::Number(number), length)) => {
                high = push_number(&mut text, number, high);
                length
            }
            Some((Reference::Name(value), length)) => {
                text.push_str(value);
                high = None;
                length
            }
            None => {
                text.push('&');
                high = None;
                1
            }
        };
        rest = &rest[length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

enum Reference {
    Number(u32),
    Name(&'static str),
}

/// The reference that `text` begins with, and its length.
fn reference(text: &str) -> Option<(Reference, usize)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'&') {
        return None;
    }
    let end = 1 + memchr(b';', &bytes[1..bytes.len().min(LONGEST + 2)])?;
    let inside = &bytes[1..end];
    let found = match inside {
        [b'#', b'x' | b'X', digits @ ..] => Reference::Number(number(digits, 16)?),
        [b'#', digits @ ..] => Reference::Number(number(digits, 10)?),
        name => Reference::Name(named(name)?),
    };
    Some((found, end + 1))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |sum, digit| {
        Some(sum.saturating_mul(radix).saturating_add(char::from(*digit).to_digit(radix)?))
    })
}

/// What `&name;` stands for.
pub(super) fn named(name: &[u8]) -> Option<&'static str> {
    match name {
        b"amp" => Some("&"),
        b"lt" => Some("<"),
        b"gt" => Some(">"),
        b"quot" => Some("\""),
        b"apos" => Some("'"),
        b"nbsp" => Some("\u{a0}"),
        _ => {
            let found = NAMED_ENTITIES.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
            Some(NAMED_ENTITIES[found].1)
        }
    }
}

/// Appends a numbered character. A high surrogate waits for its other half; a lone half is dropped.
fn push_number(text: &mut String, number: u32, high: Option<u32>) -> Option<u32> {
    if (0xd800..0xdc00).contains(&number) {
        return Some(number);
    }
    let number = match (high, number) {
        (Some(high), 0xdc00..0xe000) => 0x10000 + ((high - 0xd800) << 10) + (number - 0xdc00),
        (_, 0x80..0xa0) => windows_1252(number),
        _ => number,
    };
    text.extend(char::from_u32(number));
    None
}

/// Numbers 128 to 159 are controls that nobody means: HTML reads them as Windows-1252.
fn windows_1252(number: u32) -> u32 {
    const MEANT: [u16; 32] = [
        0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152,
        0x8d, 0x017d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122,
        0x0161, 0x203a, 0x0153, 0x9d, 0x017e, 0x0178,
    ];
    usize::try_from(number)
        .ok()
        .and_then(|n| MEANT.get(n.wrapping_sub(0x80)))
        .map_or(number, |m| u32::from(*m))
}
