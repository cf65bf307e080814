//! First syncs: a whole space is brought in.

use std::time::Duration;

use tidegate::config::Timing;

use crate::{
    process,
    service::{Service, Took},
    table::Row,
};

/// Uploads at the same time.
pub const IN_FLIGHT: u64 = 16;
const MEBIBYTE: u64 = 1024 * 1024;

/// A first sync where every request takes `latency`.
pub async fn with_latency(pages: usize, latency: Duration) -> anyhow::Result<Vec<Row>> {
    let service = Service::start(pages).await?;
    service.wiki.set_latency(latency).await?;
    let took = service.tick().await?;
    let count = pages as u64;
    let first_upload = service.wiki.first_upload().await? - took.began_at;
    let calls = service.wiki.calls().await?;

    let floor = latency.mul_f64(pages as f64 / IN_FLIGHT as f64);
    let poll = Timing::default().poll_pause;
    let constants = latency * 6 + poll;
    let what = format!("first sync of {pages} pages, {} ms a request", latency.as_millis());
    let confluence = calls.confluence() - calls.body_requests;
    let (bodies, listings) = (count.div_ceil(50), count.div_ceil(250));
    let openai = calls.openai() as f64 / pages as f64;
    let openai_floor = count + 2 * count.div_ceil(500);
    Ok(vec![
        Row::at_most(format!("{what}: requests for bodies"), calls.body_requests, bodies * 3 / 2)
            .floor(format!("⌈N/50⌉ = {bodies}")),
        Row::at_most("… other requests to Confluence", confluence, listings + 4)
            .floor(format!("⌈N/250⌉ + 1 = {}", listings + 1)),
        Row::new("… calls to OpenAI a page", format!("{openai:.4}"))
            .floor(format!("(N + 2⌈N/500⌉)/N = {:.4}", openai_floor as f64 / pages as f64))
            .target("≤ 1.05", openai <= 1.05),
        Row::new("… duration", seconds(took.time))
            .floor(format!(
                "N/16·L = {} (+ 6 L + first poll: {})",
                seconds(floor),
                seconds(floor + constants)
            ))
            .target("≤ 1.3 × N/16·L", took.time <= floor.mul_f64(1.3)),
        Row::new("… until the first file is uploaded", format!("{first_upload} ms"))
            .floor(format!("4 L = {} ms", (latency * 4).as_millis()))
            .target("≤ 1 s", first_upload <= 1_000),
        Row::new("… CPU of the service", seconds(took.cpu)),
    ])
}

/// A first sync where requests take no time but the simulator's; leaves the service to whoever goes on with it.
pub async fn without_latency(pages: usize) -> anyhow::Result<(Service, Vec<Row>)> {
    let service = Service::start(pages).await?;
    let took = service.tick().await?;
    let calls = service.wiki.calls().await?;
    let peak = process::peak_memory()?;
    let uploads = calls.of("POST /v1/files");
    let most = if pages > 10_000 { 80 } else { 64 } * MEBIBYTE;
    let rate = uploads as f64 / took.time.as_secs_f64();
    let rows = vec![
        Row::new(format!("first sync of {pages} pages, no latency"), format!("{rate:.0} pages/s"))
            .target("≥ 500 pages/s", rate >= 500.0),
        Row::new("… duration, CPU of service and simulator", times(took)),
        Row::new("… peak memory", format!("{:.1} MiB", peak as f64 / MEBIBYTE as f64))
            .target(format!("≤ {} MiB", most / MEBIBYTE), peak <= most),
    ];
    Ok((service, rows))
}

pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Time, CPU of the service, CPU of the simulator.
pub fn times(took: Took) -> String {
    format!("{}, {} + {}", seconds(took.time), seconds(took.cpu), seconds(took.wiki_cpu))
}
