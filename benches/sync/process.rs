//! Processes: this program started again in another part, and what a process has used.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, ensure};

use crate::table::Row;

/// This program with other arguments.
pub fn myself(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// Runs a case in a process of its own, which logs as it does in production, to us.
pub fn rows(arguments: &[&str]) -> anyhow::Result<Vec<Row>> {
    let output = myself(arguments)?.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let logged = String::from_utf8_lossy(&output.stderr);
    let last = logged.lines().next_back().unwrap_or_default();
    ensure!(output.status.success(), "{} failed: {}\n{last}", arguments.join(" "), said.trim());
    let rows = said.lines().map(serde_json::from_str);
    rows.collect::<Result<_, _>>().with_context(|| format!("{} said {said}", arguments.join(" ")))
}

/// Hands rows to the process that waits for them in [`rows`].
pub fn print(rows: &[Row]) -> anyhow::Result<()> {
    for row in rows {
        println!("{}", serde_json::to_string(row)?);
    }
    Ok(())
}

/// The CPU time that a process has used so far, to a hundredth of a second.
pub fn cpu(process: &str) -> anyhow::Result<Duration> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let mut times = fields.skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next().context("no time")??, times.next().context("no time")??);
    Ok(TICK * (user + system))
}

/// The most memory that this process has had at once, in bytes.
pub fn peak_memory() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak memory")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
