//! The demo: the real service beside a simulated wiki and vector store, and the whole story between them.

mod api;
mod corpus;
mod progress;
mod story;
mod wiki;
mod world;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use tidegate::telemetry;
use tokio::runtime::Runtime;

use crate::{api::chapter, world::World};

/// Walks the whole story of Tidegate without an account anywhere, then leaves everything running.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Port of the service; a free one is taken otherwise.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of the simulator; a free one is taken otherwise.
    #[arg(long, default_value_t = 0)]
    simulator_port: u16,
    /// End after the story instead of leaving Swagger UI running.
    #[arg(long)]
    once: bool,
    /// Print the service's log lines, too.
    #[arg(long)]
    log: bool,
    /// Sync these bodies instead, one JSON object {"id","title","storage"} a line, and account for every page.
    #[arg(long, value_name = "FILE.jsonl")]
    corpus: Option<PathBuf>,
}

fn main() -> ExitCode {
    let told =
        Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(run(&Arguments::parse())));
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a person reads it")]
fn complain(error: &anyhow::Error) {
    eprintln!("\ndemo: {error:#}");
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.log {
        telemetry::start(None);
    }
    let mut world =
        World::start(arguments.port, arguments.simulator_port, arguments.corpus.as_deref()).await?;
    world.introduce();
    match &arguments.corpus {
        Some(file) => corpus::sync(&world, file).await?,
        None => story::tell(&world).await?,
    }
    if arguments.once {
        return Ok(());
    }
    chapter("Now you");
    world.invite();
    world.service_ends().await
}
