//! Tables while they are read: rows and cells collected, the text of all cells in one string.

use std::ops::Range;

use super::grid::Grid;
use super::writer::Writer;

/// HTML's own limit for `colspan`.
const WIDEST_SPAN: usize = 1000;
const TALLEST_SPAN: usize = 65_534;
/// More leading header rows than this are data.
const HEADER_ROWS: usize = 4;

#[derive(Debug)]
pub(super) struct Table {
    /// The writer of what the table stands in, while its cells are written.
    pub outer: Writer,
    /// Page properties: two columns are key and value.
    pub properties: bool,
    pub(super) rows: Vec<Row>,
    pub(super) cells: Vec<Cell>,
    in_head: bool,
    /// The cell being written.
    open: Option<Cell>,
    /// Where the last cell ended: text beyond it stood outside any cell.
    written: usize,
}

#[derive(Debug)]
pub(super) struct Row {
    first_cell: usize,
    head: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Where its text stands in that of all cells.
    pub from: usize,
    pub to: usize,
    /// How many columns and rows it covers.
    pub columns: usize,
    pub rows: usize,
    pub header: bool,
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

    pub fn cells_of(&self, row: usize) -> Range<usize> {
        let end = self.rows.get(row + 1).map_or(self.cells.len(), |next| next.first_cell);
        self.rows[row].first_cell..end
    }

    /// Writes the table behind what `writer` has; `cells` is the text of its cells.
    pub fn write(&self, cells: &str, writer: &mut Writer, budget: &mut usize) {
        let grid = Grid::of(self, cells, budget);
        if grid.is_empty() {
            return;
        }
        writer.leave_heading();
        writer.block();
        grid.write(self.properties, writer, budget);
        writer.block();
    }

    /// The rows that name the columns: those of `thead`, or the leading ones made of `th` alone.
    pub fn header_rows(&self) -> usize {
        let is_head = |row: &usize| self.rows[*row].head;
        let all_th = |row: &usize| {
            let cells = &self.cells[self.cells_of(*row)];
            !cells.is_empty() && cells.iter().all(|cell| cell.header)
        };
        let rows = 0..self.rows.len();
        let head = rows.clone().take_while(is_head).count();
        let head = if head > 0 { head } else { rows.take_while(all_th).count() };
        if head == self.rows.len() { head.min(1) } else { head.min(HEADER_ROWS) }
    }
}
