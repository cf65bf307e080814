//! The running service: an HTTP half and a worker half that live and die together.

use std::{io, net::SocketAddr, pin::pin, sync::atomic::Ordering, time::Duration};

use actix_cors::Cors;
use actix_web::{
    App as WebApp, HttpServer,
    dev::Server,
    http::header::{self, HeaderName},
    middleware::{Compress, from_fn},
    web::{Bytes, Data},
};
use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::{JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

use crate::{
    app::App,
    auth, connections,
    engine::{self, store::syncs::Claim, tick},
    http::{self, edge},
    ids::SourceId,
    workspaces,
};

/// How often the worker looks for what can be forgotten.
const TIDY_EVERY: Duration = Duration::from_mins(1);
/// How often the worker does what belongs to no sync.
const DUTIES_EVERY: Duration = Duration::from_secs(5);
/// How long browsers may remember what CORS allows.
const CORS_SECONDS: usize = 3600;

/// Serves and works until SIGTERM or SIGINT, then ends both halves at their next safe point. An error if either half
/// ends on its own.
pub async fn serve(app: App, server: Server) -> anyhow::Result<()> {
    let handle = server.handle();
    let mut http = tokio::spawn(server);
    let mut worker = tokio::spawn(work(app.clone()));
    let (ended, reason) = tokio::select! {
        signal = stop_signal() => (Half::Neither, signal.context("cannot listen for signals")),
        result = &mut http => (Half::Http, Err(why(result, "HTTP"))),
        result = &mut worker => (Half::Worker, Err(why(result, "worker"))),
    };
    tracing::info!("stopping");
    app.stopping.store(true, Ordering::SeqCst);
    app.wake.notify_one();
    let patience = app.settings.timing.shutdown_timeout;
    let http_ends = async {
        if ended != Half::Http {
            handle.stop(true).await;
            join(http, patience).await?;
        }
        anyhow::Ok(())
    };
    let worker_ends = async { if ended == Half::Worker { Ok(()) } else { leave(worker, patience).await } };
    let (http_end, worker_end) = tokio::join!(http_ends, worker_ends);
    reason.and(http_end).and(worker_end)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Neither,
    Http,
    Worker,
}

/// Why a half ended that nobody told to.
fn why<E: Into<anyhow::Error>>(ended: Result<Result<(), E>, JoinError>, half: &str) -> anyhow::Error {
    let failed = || format!("the {half} half failed");
    match ended {
        Ok(Ok(())) => anyhow!("the {half} half ended on its own"),
        Ok(Err(error)) => error.into().context(failed()),
        Err(panic) => anyhow::Error::from(panic).context(failed()),
    }
}

/// Lets the worker end at its next safe point, but not for longer than a supervisor waits: a call that hangs is left to the
/// next start, as after a crash.
async fn leave(worker: JoinHandle<anyhow::Result<()>>, patience: Duration) -> anyhow::Result<()> {
    let Ok(ended) = timeout(patience, worker).await else {
        tracing::warn!("a call to a vendor is still unanswered; the next start finds out what came of it");
        return Ok(());
    };
    outcome(ended, "worker")
}

async fn join(http: JoinHandle<io::Result<()>>, patience: Duration) -> anyhow::Result<()> {
    let ended = timeout(patience, http).await.with_context(|| {
        format!("the HTTP half did not stop within {}", humantime::format_duration(patience))
    })?;
    outcome(ended, "HTTP")
}

fn outcome<E: Into<anyhow::Error>>(
    ended: Result<Result<(), E>, JoinError>,
    half: &str,
) -> anyhow::Result<()> {
    let ended = ended.with_context(|| format!("the {half} half failed while stopping"))?;
    ended.map_err(Into::into)
}

async fn stop_signal() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The worker half: a pass a moment, and each free slot works on a claimed sync. What fails is the next pass's work.
async fn work(app: App) -> anyhow::Result<()> {
    let timing = app.settings.timing;
    let mut runs = JoinSet::new();
    let mut tidied: Option<DateTime<Utc>> = None;
    let mut duties: Option<JoinHandle<()>> = None;
    let mut stores: Option<JoinHandle<()>> = None;
    let mut began: Option<Instant> = None;
    while !app.is_stopping() {
        let now = app.clock.now();
        if tidied.is_none_or(|last| (now - last).to_std().is_ok_and(|age| age >= TIDY_EVERY)) {
            log_failure("old rows could not be removed", tidy(&app).await);
            tidied = Some(now);
        }
        log_failure("a tick could not begin", tick::prepare(&app).await);
        let rested = began.is_none_or(|at| at.elapsed() >= DUTIES_EVERY);
        if rested && duties.as_ref().is_none_or(JoinHandle::is_finished) {
            began = Some(Instant::now());
            duties = Some(tokio::spawn(do_duties(app.clone())));
        }
        if stores.as_ref().is_none_or(JoinHandle::is_finished) {
            stores = Some(tokio::spawn(reconcile_stores(app.clone())));
        }
        let mut pass = pin!(sleep(timing.tick_pause));
        // A source has one run a pass, so that those that are always due leave room for the others.
        let mut claimed = Vec::new();
        loop {
            while runs.len() < timing.sources_in_flight.max(1) {
                let Some(claim) = claim(&app, &claimed).await else { break };
                claimed.push(claim.source.id);
                let app = app.clone();
                runs.spawn(async move { Box::pin(engine::sync(&app, claim)).await });
            }
            tokio::select! {
                () = &mut pass => break,
                () = app.wake.notified() => break,
                Some(ended) = runs.join_next() => log_panic(ended),
            }
        }
    }
    while let Some(ended) = runs.join_next().await {
        log_panic(ended);
    }
    for duty in [duties, stores].into_iter().flatten() {
        log_panic(duty.await);
    }
    Ok(())
}

/// What calls vendors and belongs to no sync; no run waits for it.
async fn do_duties(app: App) {
    log_failure("a duty could not be done", tick::do_duties(&app).await);
}

/// Compares stores with what is known of them, which may take a while.
async fn reconcile_stores(app: App) {
    log_failure("stores could not be compared", tick::reconcile_stores(&app).await);
}

/// Should a run panic, its lease ends by itself and the sync goes on later.
fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a run panicked");
    }
}

async fn claim(app: &App, skip: &[SourceId]) -> Option<Claim> {
    tick::claim(app, skip).await.unwrap_or_else(|error| {
        log_failure("nothing could be claimed", Err(error));
        None
    })
}

fn log_failure(what: &str, result: Result<(), DbErr>) {
    if let Err(error) = result {
        tracing::error!(error = &error as &dyn std::error::Error, "{what}");
    }
}

/// Removes what has served its time: what the worker does now and then beside its ticks.
pub async fn tidy(app: &App) -> Result<(), DbErr> {
    http::store::forget_old(app.db.write(), app.clock.now()).await?;
    workspaces::store::erase_emptied(&app.db).await?;
    tick::tidy(app).await?;
    connections::tidy(app, app.clock.now()).await
}

/// Binds the listener and builds the HTTP half. Nothing is served before it is awaited.
pub fn bind(app: &App) -> anyhow::Result<(Server, SocketAddr)> {
    let document = http::openapi();
    let rendered = Bytes::from(http::docs::render(&document)?);
    let timing = app.settings.timing;
    let listen = app.settings.listen;
    let data = Data::new(app.clone());
    let factory = move || {
        WebApp::new()
            .app_data(data.clone())
            .configure(http::configure(&document, rendered.clone()))
            .wrap(from_fn(auth::extract::identify))
            .wrap(cors(&data.settings.cors_origins))
            .wrap(from_fn(edge::problems))
            .wrap(Compress::default())
            .wrap(from_fn(edge::trace))
    };
    let mut server = HttpServer::new(factory)
        .disable_signals()
        .shutdown_timeout(timing.shutdown_timeout.as_secs())
        .client_request_timeout(timing.request_head_timeout);
    if let Some(threads) = timing.http_threads {
        server = server.workers(threads);
    }
    let server = server.bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let address = server.addrs().first().copied().context("the listener has no address")?;
    Ok((server.run(), address))
}

fn cors(origins: &[String]) -> Cors {
    let named = |name| HeaderName::from_static(name);
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, header::IF_MATCH])
        .allowed_headers([named("idempotency-key"), named("x-request-id"), named("last-event-id")])
        .expose_headers([header::ETAG, header::LOCATION, header::RETRY_AFTER, named("x-request-id")])
        .expose_headers([named("ratelimit"), named("ratelimit-policy"), named("idempotency-replayed")])
        .max_age(CORS_SECONDS);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
