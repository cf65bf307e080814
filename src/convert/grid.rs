//! Tables when they are written: merged cells repeated where they reach, so that each value keeps its row and column.
//!
//! What merged cells and headers repeat is paid from a budget, so that no page grows beyond proportion.

use std::borrow::Cow;

use super::table::{Cell, Table};
use super::writer::{Mode, Writer};

/// After this many bytes of rows the header is repeated: half of the passages that a vector store cuts by default.
const ROWS_OF_A_PASSAGE: usize = 1600;

/// The table with every merged cell at each place it covers.
pub(super) struct Grid<'t> {
    /// One name for each column; empty without header rows.
    head: Vec<String>,
    rows: Vec<Vec<Cow<'t, str>>>,
    /// Whether the first cell of each of `rows` names the row.
    named: Vec<bool>,
    width: usize,
}

/// A place of the grid: which cell covers it, and whether the cell begins in this column.
#[derive(Clone, Copy)]
struct Place {
    /// Its index among the table's cells.
    cell: usize,
    column: usize,
    origin: bool,
}

/// All places, row by row, and where each row ends.
#[derive(Default)]
struct Places {
    all: Vec<Place>,
    ends: Vec<usize>,
}

impl Places {
    fn rows(&self) -> impl Iterator<Item = &[Place]> {
        let begins = std::iter::once(&0).chain(&self.ends);
        begins.zip(&self.ends).map(|(begin, end)| &self.all[*begin..*end])
    }

    /// The columns in which a cell begins.
    fn columns(&self) -> Vec<usize> {
        let mut begins = Vec::new();
        for place in self.all.iter().filter(|place| place.origin) {
            begins.resize(begins.len().max(place.column + 1), false);
            begins[place.column] = true;
        }
        let columns = begins.iter().enumerate().filter(|(_, begins)| **begins);
        columns.map(|(column, _)| column).collect()
    }
}

impl<'t> Grid<'t> {
    pub fn of(table: &Table, text: &'t str, budget: &mut usize) -> Self {
        let places = place(table, budget);
        let columns = places.columns();
        let width = columns.len();
        let header_rows = table.header_rows();
        let (mut head, mut rows, mut named) = (Vec::new(), Vec::new(), Vec::new());
        for (index, row) in places.rows().enumerate() {
            let in_head = index < header_rows;
            let row = PlacedRow { places: row, cells: &table.cells, head: in_head };
            let texts = row.texts(&columns, text, budget);
            if in_head {
                join_head(&mut head, &texts);
            } else if texts.iter().any(|text| !text.is_empty()) {
                named.push(row.places.first().is_some_and(|first| table.cells[first.cell].header));
                rows.push(texts);
            }
        }
        Self { head, rows, named, width }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.head.iter().all(String::is_empty)
    }

    /// Writes it as its place and its kind ask: page properties of two columns are keys and values.
    pub fn write(&self, properties: bool, writer: &mut Writer, budget: &mut usize) {
        match writer.mode {
            Mode::Cell => self.write_lines(writer),
            _ if properties && self.head.is_empty() && self.width == 2 => self.write_properties(writer),
            _ => self.write_rows(writer, budget),
        }
    }

    /// A long table begins anew with its header, so that a passage cut out of it names its columns.
    fn write_rows(&self, writer: &mut Writer, budget: &mut usize) {
        let begin = writer.out.len();
        self.write_head(writer);
        let mut rows_begin = writer.out.len();
        let head = rows_begin - begin;
        let passage = ROWS_OF_A_PASSAGE.max(4 * head);
        for row in &self.rows {
            let is_long = writer.out.len() - rows_begin > passage;
            if is_long && !self.head.is_empty() && pay(budget, head) {
                writer.block();
                self.write_head(writer);
                rows_begin = writer.out.len();
            }
            writer.raw_line();
            write_row(writer, row, row.len());
        }
    }

    fn write_head(&self, writer: &mut Writer) {
        writer.begin('|');
        write_row(writer, &self.head, self.width);
        writer.raw_line();
        writer.out.push('|');
        writer.out.push_str(&" --- |".repeat(self.width));
    }

    fn write_properties(&self, writer: &mut Writer) {
        for (index, row) in self.rows.iter().enumerate() {
            let text = |column: usize| row.get(column).map_or(String::new(), |text| text.replace("\\|", "|"));
            writer.open_item("- ", index == 0);
            writer.begin('*');
            let key = text(0);
            let key = key.trim_matches('*').trim_end_matches(':');
            if !key.is_empty() {
                writer.out.push_str("**");
                writer.out.push_str(key);
                writer.out.push_str(":** ");
            }
            writer.out.push_str(&text(1));
            let kept = writer.out.trim_end_matches(' ').len();
            writer.out.truncate(kept);
            writer.close_container();
        }
    }

    /// Inside a cell: a line for each row, each value with the name of its column.
    fn write_lines(&self, writer: &mut Writer) {
        if self.rows.is_empty() {
            return write_line(writer, &self.head.join("; "));
        }
        for (row, named) in self.rows.iter().zip(&self.named) {
            let mut line = String::new();
            for (column, text) in row.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
                if !line.is_empty() {
                    line.push_str(if *named && column == 1 { ": " } else { "; " });
                }
                if let Some(name) = self.head.get(column).filter(|name| !name.is_empty()) {
                    line.push_str(name);
                    line.push_str(": ");
                }
                line.push_str(text);
            }
            write_line(writer, &line);
        }
    }
}

fn write_line(writer: &mut Writer, line: &str) {
    writer.line_break();
    writer.begin(line.chars().next().unwrap_or(' '));
    writer.out.push_str(line);
}

fn write_row(writer: &mut Writer, texts: &[impl AsRef<str>], width: usize) {
    writer.out.push('|');
    for column in 0..width {
        writer.out.push(' ');
        if let Some(text) = texts.get(column) {
            writer.out.push_str(text.as_ref());
        }
        writer.out.push_str(" |");
    }
}

/// Where each cell lies, row by row.
fn place(table: &Table, budget: &mut usize) -> Places {
    let mut hanging: Vec<Option<(Place, usize)>> = Vec::new();
    let mut places = Places::default();
    for row in 0..table.rows.len() {
        let begin = places.all.len();
        for index in table.cells_of(row) {
            let cell = table.cells[index];
            hang(&mut hanging, &mut places.all, begin, budget);
            for offset in 0..cell.columns {
                if offset > 0 && !pay(budget, 1) {
                    break;
                }
                let place = Place { cell: index, column: places.all.len() - begin, origin: offset == 0 };
                if cell.rows > 1 {
                    hanging.resize(hanging.len().max(place.column + 1), None);
                    hanging[place.column] = Some((place, cell.rows - 1));
                }
                places.all.push(place);
            }
        }
        hang(&mut hanging, &mut places.all, begin, budget);
        places.ends.push(places.all.len());
    }
    places
}

/// Fills the next places of the row that begins at `begin` with the cells that reach down from above.
fn hang(hanging: &mut [Option<(Place, usize)>], places: &mut Vec<Place>, begin: usize, budget: &mut usize) {
    while let Some(slot) = hanging.get_mut(places.len() - begin) {
        let Some((place, left)) = *slot else { return };
        *slot = (left > 1).then_some((place, left - 1));
        if !pay(budget, 1) {
            *slot = None;
            return;
        }
        places.push(Place { origin: false, ..place });
    }
}

fn pay(budget: &mut usize, price: usize) -> bool {
    let paid = budget.checked_sub(price);
    *budget = paid.unwrap_or(*budget);
    paid.is_some()
}

/// A row with all that covers it.
struct PlacedRow<'r> {
    places: &'r [Place],
    cells: &'r [Cell],
    head: bool,
}

impl PlacedRow<'_> {
    /// Its texts, one for each column. Repetitions are paid for; a row of one cell says its text once.
    fn texts<'t>(&self, columns: &[usize], text: &'t str, budget: &mut usize) -> Vec<Cow<'t, str>> {
        let row = self.places;
        let mut texts = Vec::with_capacity(columns.len().min(row.len()));
        let band = !self.head && columns.len() > 1 && row.iter().filter(|place| place.origin).count() == 1;
        let band = band && row.first().is_some_and(|first| first.origin);
        for column in columns.iter().take_while(|column| **column < row.len()) {
            let place = row[*column];
            let cell = &self.cells[place.cell];
            let text = text[cell.from..cell.to].trim();
            let repeated = !place.origin && (band || !pay(budget, text.len()));
            texts.push(match text {
                _ if repeated => Cow::Borrowed(""),
                "" => Cow::Borrowed(""),
                text if cell.header && !self.head && !text.contains('*') => Cow::Owned(format!("**{text}**")),
                text => Cow::Borrowed(text),
            });
        }
        while texts.len() < columns.len() && pay(budget, 1) {
            texts.push(Cow::Borrowed(""));
        }
        texts
    }
}

/// Several header rows become one: `Year / Quarter`.
fn join_head(head: &mut Vec<String>, texts: &[Cow<'_, str>]) {
    head.resize(head.len().max(texts.len()), String::new());
    for (name, text) in head.iter_mut().zip(texts) {
        if name.is_empty() {
            name.push_str(text);
        } else if !text.is_empty() && !name.split(" / ").any(|part| part == text) {
            name.push_str(" / ");
            name.push_str(text);
        }
    }
}
