//! The table of figures.

use serde::{Deserialize, Serialize};

/// One figure.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    what: String,
    measured: String,
    floor: String,
    target: String,
    met: Option<bool>,
}

impl Row {
    /// A figure that is only shown.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        let (floor, target) = (String::new(), String::new());
        Self { what: what.into(), measured: measured.into(), floor, target, met: None }
    }

    /// A count that must not be passed.
    pub fn at_most(what: impl Into<String>, measured: u64, most: u64) -> Self {
        Self::new(what, measured.to_string()).target(format!("≤ {most}"), measured <= most)
    }

    pub fn floor(self, floor: impl Into<String>) -> Self {
        Self { floor: floor.into(), ..self }
    }

    pub fn target(self, target: impl Into<String>, met: bool) -> Self {
        Self { target: target.into(), met: Some(met), ..self }
    }
}

/// Rows in the order in which they were measured.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

impl Table {
    pub fn extend(&mut self, rows: Vec<Row>) {
        self.0.extend(rows);
    }

    /// Prints the table as Markdown that also reads well on a terminal.
    pub fn print(&self) {
        let heads = ["figure", "measured", "floor", "target", ""].map(str::to_owned);
        let lines: Vec<[String; 5]> = self.0.iter().map(cells).collect();
        let width = |at: usize| {
            lines.iter().chain([&heads]).map(|line| line[at].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        print_line(&heads, &widths);
        print_line(&widths.map(|width| "-".repeat(width)), &widths);
        for line in &lines {
            print_line(line, &widths);
        }
    }
}

fn cells(row: &Row) -> [String; 5] {
    let verdict = match row.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    };
    [row.what.clone(), row.measured.clone(), row.floor.clone(), row.target.clone(), verdict.to_owned()]
}

fn print_line(cells: &[String; 5], widths: &[usize; 5]) {
    let cells: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    println!("| {} |", cells.join(" | "));
}
