//! Tables: cells collected, merged cells repeated where they reach, written so that a value keeps its row and
//! column.
//!
//! The text of all cells stands in one string; what merged cells repeat is paid from a budget, so that no page grows
//! beyond proportion.

use super::writer::{Mode, Writer};

/// HTML's own limit for `colspan`.
const WIDEST_SPAN: usize = 1000;
const TALLEST_SPAN: usize = 65_534;
/// More leading header rows than this are data.
const HEADER_ROWS: usize = 4;
/// After this many bytes of rows the header is repeated: half of the passages that a vector store cuts by default.
const ROWS_OF_A_PASSAGE: usize = 1600;

#[derive(Debug)]
pub(super) struct Table {
    /// The writer of what the table stands in, while its cells are written.
    pub outer: Writer,
    /// Page properties: two columns are key and value.
    pub properties: bool,
    rows: Vec<Row>,
    cells: Vec<Cell>,
    in_head: bool,
    /// The cell being written.
    open: Option<Cell>,
    /// Where the last cell ended: text beyond it stood outside any cell.
    written: usize,
}

#[derive(Debug)]
struct Row {
    first_cell: usize,
    head: bool,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    from: usize,
    to: usize,
    columns: usize,
    rows: usize,
    header: bool,
}

impl Table {
    pub fn new(outer: Writer, properties: bool) -> Self {
        let (rows, cells) = (Vec::new(), Vec::new());
        Self { outer, properties, rows, cells, in_head: false, open: None, written: 0 }
    }

    pub fn start_head(&mut self) {
        self.in_head = true;
    }

    pub fn end_head(&mut self) {
        self.in_head = false;
    }

    pub fn start_row(&mut self, writer: &mut Writer) {
        self.end_cell(writer);
        self.rows.push(Row { first_cell: self.cells.len(), head: self.in_head });
    }

    pub fn start_cell(
        &mut self,
        writer: &mut Writer,
        header: bool,
        columns: Option<usize>,
        rows: Option<usize>,
    ) {
        self.end_cell(writer);
        writer.start_cell(header);
        let from = writer.out.len();
        let rows = match rows {
            Some(0) => TALLEST_SPAN,
            rows => rows.unwrap_or(1).min(TALLEST_SPAN),
        };
        let columns = columns.unwrap_or(1).clamp(1, WIDEST_SPAN);
        self.open = Some(Cell { from, to: from, columns, rows, header });
    }

    /// Ends the open cell, or makes one of text that stood in none.
    pub fn end_cell(&mut self, writer: &mut Writer) {
        writer.finish();
        let to = writer.out.len();
        let open = self.open.take();
        let lost = Cell { from: self.written, to, columns: 1, rows: 1, header: false };
        if let Some(cell) = open.or((to > self.written).then_some(lost)) {
            if self.rows.is_empty() {
                self.rows.push(Row { first_cell: 0, head: self.in_head });
            }
            self.cells.push(Cell { to, ..cell });
        }
        writer.start_cell(false);
        self.written = to;
    }

    fn cells_of(&self, row: usize) -> &[Cell] {
        let end = self.rows.get(row + 1).map_or(self.cells.len(), |next| next.first_cell);
        &self.cells[self.rows[row].first_cell..end]
    }

    /// Writes the table behind what `writer` has; `cells` is the text of its cells.
    pub fn write(&self, cells: &str, writer: &mut Writer, budget: &mut usize) {
        let grid = Grid::of(self, cells, budget);
        if grid.rows.is_empty() && grid.head.iter().all(String::is_empty) {
            return;
        }
        writer.leave_heading();
        writer.block();
        match writer.mode {
            Mode::Cell => grid.write_lines(writer),
            _ if self.properties && grid.head.is_empty() && grid.width == 2 => grid.write_properties(writer),
            _ => grid.write_rows(writer, budget),
        }
        writer.block();
    }

    /// The rows that name the columns: those of `thead`, or the leading ones made of `th` alone.
    fn header_rows(&self) -> usize {
        let is_head = |row: &usize| self.rows[*row].head;
        let all_th = |row: &usize| {
            let cells = self.cells_of(*row);
            !cells.is_empty() && cells.iter().all(|cell| cell.header)
        };
        let rows = 0..self.rows.len();
        let head = rows.clone().take_while(is_head).count();
        let head = if head > 0 { head } else { rows.take_while(all_th).count() };
        if head == self.rows.len() { head.min(1) } else { head.min(HEADER_ROWS) }
    }
}

/// The table with every merged cell at each place it covers.
struct Grid {
    /// One name for each column; empty without header rows.
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Whether the first cell of each of `rows` names the row.
    named: Vec<bool>,
    width: usize,
}

/// A place of the grid: which cell covers it, and whether the cell begins in this column.
#[derive(Clone, Copy)]
struct Place {
    cell: Cell,
    column: usize,
    origin: bool,
}

impl Grid {
    fn of(table: &Table, text: &str, budget: &mut usize) -> Self {
        let places = place(table, budget);
        let mut columns: Vec<usize> =
            places.iter().flatten().filter(|p| p.origin).map(|p| p.column).collect();
        columns.sort_unstable();
        columns.dedup();
        let width = columns.len();
        let header_rows = table.header_rows();
        let (mut head, mut rows, mut named) = (Vec::new(), Vec::new(), Vec::new());
        for (index, row) in places.iter().enumerate() {
            let in_head = index < header_rows;
            let texts = texts(row, &columns, text, in_head, budget);
            if in_head {
                join_head(&mut head, &texts);
            } else if texts.iter().any(|text| !text.is_empty()) {
                named.push(row.first().is_some_and(|first| first.cell.header));
                rows.push(texts);
            }
        }
        Self { head, rows, named, width }
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

fn write_row(writer: &mut Writer, texts: &[String], width: usize) {
    writer.out.push('|');
    for column in 0..width {
        writer.out.push(' ');
        if let Some(text) = texts.get(column) {
            writer.out.push_str(text);
        }
        writer.out.push_str(" |");
    }
}

/// Where each cell lies, row by row.
fn place(table: &Table, budget: &mut usize) -> Vec<Vec<Place>> {
    let mut hanging: Vec<Option<(Place, usize)>> = Vec::new();
    let mut rows = Vec::with_capacity(table.rows.len());
    for row in 0..table.rows.len() {
        let mut places = Vec::new();
        for cell in table.cells_of(row) {
            hang(&mut hanging, &mut places, budget);
            for offset in 0..cell.columns {
                if offset > 0 && !pay(budget, 1) {
                    break;
                }
                let place = Place { cell: *cell, column: places.len(), origin: offset == 0 };
                if cell.rows > 1 {
                    hanging.resize(hanging.len().max(place.column + 1), None);
                    hanging[place.column] = Some((place, cell.rows - 1));
                }
                places.push(place);
            }
        }
        hang(&mut hanging, &mut places, budget);
        rows.push(places);
    }
    rows
}

/// Fills the next places of a row with the cells that reach down from above.
fn hang(hanging: &mut [Option<(Place, usize)>], places: &mut Vec<Place>, budget: &mut usize) {
    while let Some(slot) = hanging.get_mut(places.len()) {
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

/// The texts of a row, one for each column. Repetitions are paid for; a row of one cell says its text once.
fn texts(row: &[Place], columns: &[usize], text: &str, head: bool, budget: &mut usize) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let band = !head && columns.len() > 1 && row.iter().filter(|place| place.origin).count() == 1;
    let band = band && row.first().is_some_and(|first| first.origin);
    for column in columns.iter().take_while(|column| **column < row.len()) {
        let place = row[*column];
        let cell = text[place.cell.from..place.cell.to].trim();
        let repeated = !place.origin && (band || !pay(budget, cell.len()));
        texts.push(match cell {
            _ if repeated => String::new(),
            "" => String::new(),
            cell if place.cell.header && !head && !cell.contains('*') => {
                format!("**{cell}**")
            }
            cell => cell.to_owned(),
        });
    }
    while texts.len() < columns.len() && pay(budget, 1) {
        texts.push(String::new());
    }
    texts
}

/// Several header rows become one: `Year / Quarter`.
fn join_head(head: &mut Vec<String>, texts: &[String]) {
    head.resize(head.len().max(texts.len()), String::new());
    for (name, text) in head.iter_mut().zip(texts) {
        if name.is_empty() {
            name.clone_from(text);
        } else if !text.is_empty() && !name.split(" / ").any(|part| part == text) {
            name.push_str(" / ");
            name.push_str(text);
        }
    }
}
