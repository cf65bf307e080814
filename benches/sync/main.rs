//! Measures Tidegate against the simulator and prints each figure beside its floor and its target.
//!
//! Every case runs in a process of its own, and the simulator it talks to in another one: time, memory and CPU are those
//! of the service alone. Nothing is asserted: figures depend on the machine. What does not (calls) is a test.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::needless_pass_by_value,
    clippy::struct_excessive_bools,
    clippy::too_many_lines,
    clippy::unchecked_time_subtraction,
    reason = "figures are rounded, and a benchmark ends by panicking"
)]

mod bare;
mod changes;
mod first;
mod listing;
mod process;
mod service;
mod table;
mod wiki;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use table::Table;
use tidegate::{config::LogFormat, telemetry};

/// Prints the figures of the cases that are named; of all without a name.
#[derive(Debug, Parser)]
struct Arguments {
    /// `latency`, `pages`, `large`; `large` only when it is named or `--large` is given.
    cases: Vec<String>,
    /// Small sizes: says in seconds whether the benchmark works, not how fast Tidegate is.
    #[arg(long)]
    quick: bool,
    /// The case of 50,000 pages, too.
    #[arg(long)]
    large: bool,
    /// Pages of the case `latency` or `pages` instead of the usual number.
    #[arg(long)]
    pages: Option<usize>,
    /// What `cargo bench` passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    as_case: Option<Case>,
    #[arg(long, hide = true)]
    as_wiki: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Case {
    /// A first sync with 50 ms a request.
    Latency,
    /// A first sync without latency, then ticks over what it brought in.
    Pages,
    /// A first sync without latency of five times as many pages.
    Large,
}

impl Case {
    const ALL: [Self; 3] = [Self::Latency, Self::Pages, Self::Large];

    fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Pages => "pages",
            Self::Large => "large",
        }
    }

    fn pages(self, arguments: &Arguments) -> usize {
        let usual = match self {
            Self::Latency => 2_000,
            Self::Pages => 10_000,
            Self::Large => 50_000,
        };
        arguments.pages.unwrap_or(if arguments.quick { usual / 20 } else { usual })
    }

    fn is_wanted(self, arguments: &Arguments) -> bool {
        let named = arguments.cases.iter().any(|case| case == self.name());
        named || (arguments.cases.is_empty() && (self != Self::Large || arguments.large))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.as_case {
        _ if arguments.as_wiki => wiki::serve(arguments.pages.unwrap_or_default()),
        Some(case) => measure(case, case.pages(&arguments)),
        None => orchestrate(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn orchestrate(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(unknown) =
        arguments.cases.iter().find(|name| !Case::ALL.iter().any(|case| case.name() == **name))
    {
        anyhow::bail!("there is no case {unknown}");
    }
    let mut table = Table::default();
    for case in Case::ALL.into_iter().filter(|case| case.is_wanted(arguments)) {
        let pages = case.pages(arguments).to_string();
        table.extend(process::rows(&["--as-case", case.name(), "--pages", &pages])?);
    }
    table.print();
    Ok(())
}

/// Measures one case in this process and prints its rows for the one that started it.
#[tokio::main]
async fn measure(case: Case, pages: usize) -> anyhow::Result<()> {
    telemetry::start(Some(LogFormat::Json));
    let rows = match case {
        Case::Latency => first::with_latency(pages, Duration::from_millis(50)).await?,
        Case::Pages => changes::measure(pages).await?,
        Case::Large => first::without_latency(pages).await?.1,
    };
    process::print(&rows)
}
