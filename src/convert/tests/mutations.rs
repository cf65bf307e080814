//! Bodies broken at random, the same ones in every run: each must become a tidy text of bounded size.

use std::fmt::Write;

use super::corpus::bodies;
use super::{page, render};
use crate::convert::{Page, markdown, reader::Reader};

/// What a body is broken with.
const PIECES: [&str; 28] = [
    "<",
    ">",
    "</",
    "/>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "&",
    "&#55357;",
    "\0",
    "|",
    "`",
    "*",
    "_",
    "[",
    "](",
    "\\",
    "\n",
    "<td rowspan=\"65000\" colspan=\"1000\">",
    "<table><tr><td>",
    "</table>",
    "<b>",
    "<ac:structured-macro ac:name=\"code\">",
    "<ac:plain-text-body>",
    "<h1>",
    "<code>",
    "<pre>",
];

/// Numbers that only look random.
struct Dice(u64);

impl Dice {
    /// One of the numbers below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides.max(1)
    }

    /// A place between two characters of `text`.
    fn place(&mut self, text: &str) -> usize {
        let at = self.roll(text.len() + 1);
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
    }

    /// Inserts, takes out, repeats or cuts off.
    fn break_once(&mut self, body: &mut String) {
        let (one, other) = (self.place(body), self.place(body));
        let (from, to) = (one.min(other), one.max(other));
        match self.roll(5) {
            0 => body.replace_range(from..to, ""),
            1 => body.truncate(to),
            2 => body.insert_str(from, &PIECES[self.roll(PIECES.len())].repeat(1 + self.roll(200))),
            3 => {
                let copy = body[from..to].to_owned();
                let at = self.place(body);
                body.insert_str(at, &copy);
            }
            _ => body.insert_str(from, PIECES[self.roll(PIECES.len())]),
        }
    }
}

#[test]
fn broken_bodies_become_tidy_texts_of_bounded_size() {
    const LONGEST: usize = 8_000;
    let bodies: Vec<_> = bodies().into_iter().filter(|body| body.storage.len() < LONGEST).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..1_000 {
        let mut storage = bodies[dice.roll(bodies.len())].storage.clone();
        for _ in 0..=dice.roll(6) {
            dice.break_once(&mut storage);
        }
        let written = markdown(&Page { title: "T", ..page(&storage) }).markdown;
        let control = written.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
        let tidy = written.ends_with('\n') && !control;
        assert!(tidy && written.len() <= 4 * storage.len() + 4096, "round {round}:\n{storage}");
        let mut plain = Reader::plain(&page(&storage));
        assert!(plain.read(&storage), "round {round}, written plain:\n{storage}");
    }
}

#[test]
fn twice_the_input_is_at_most_a_little_more_than_twice_the_text() {
    let table = |rows: usize| {
        let mut body = "<table><tr><th>Key</th><th>Value</th></tr>".to_owned();
        for row in 0..rows {
            let _ = write!(body, "<tr><td>{row:06}</td><td>a value of some length</td></tr>");
        }
        render(&(body + "</table>")).markdown.len()
    };
    let (once, twice) = (table(2_000), table(4_000));
    assert!(twice * 10 <= once * 22, "{once} bytes became {twice}");
}
