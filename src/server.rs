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
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    app::App,
    http::{self, edge},
    workspaces,
};

/// How often the worker looks for what can be forgotten.
const TIDY_EVERY: Duration = Duration::from_mins(1);
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
        result = &mut http => (Half::Http, Err(why(result.map_err(Into::into).and_then(|r| r.map_err(Into::into)), "HTTP"))),
        result = &mut worker => (Half::Worker, Err(why(result.map_err(Into::into).and_then(|r| r), "worker"))),
    };
    tracing::info!("stopping");
    app.stopping.store(true, Ordering::SeqCst);
    app.wake.notify_one();
    let patience = app.settings.timing.shutdown_timeout;
    let http_ends = async {
        if ended != Half::Http {
            handle.stop(true).await;
            join(http, patience, "HTTP").await?;
        }
        anyhow::Ok(())
    };
    let worker_ends =
        async { if ended == Half::Worker { Ok(()) } else { join(worker, patience, "worker").await } };
    let (http_end, worker_end) = tokio::join!(http_ends, worker_ends);
    reason.and(http_end).and(worker_end)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Neither,
    Http,
    Worker,
}

fn why(result: anyhow::Result<()>, half: &str) -> anyhow::Error {
    match result {
        Ok(()) => anyhow!("the {half} half ended on its own"),
        Err(error) => error.context(format!("the {half} half failed")),
    }
}

async fn join<E>(half: JoinHandle<Result<(), E>>, patience: Duration, name: &str) -> anyhow::Result<()>
where
    E: Into<anyhow::Error>,
{
    match timeout(patience, half).await {
        Ok(Ok(result)) => result.map_err(Into::into),
        Ok(Err(panic)) => Err(panic).with_context(|| format!("the {name} half failed while stopping")),
        Err(_) => {
            Err(anyhow!("the {name} half did not stop within {}", humantime::format_duration(patience)))
        }
    }
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

/// The worker half: ticks until the process is to stop. A tick that fails is the next tick's work.
async fn work(app: App) -> anyhow::Result<()> {
    let mut tidied: Option<chrono::DateTime<chrono::Utc>> = None;
    while !app.is_stopping() {
        let now = app.clock.now();
        if tidied.is_none_or(|last| (now - last).to_std().is_ok_and(|age| age >= TIDY_EVERY)) {
            if let Err(error) = tidy(&app).await {
                tracing::error!(error = &error as &dyn std::error::Error, "old rows could not be removed");
            }
            tidied = Some(now);
        }
        if let Err(error) = app.note_tick().await {
            tracing::error!(error = &error as &dyn std::error::Error, "the tick could not be noted");
        }
        let woken = pin!(app.wake.notified());
        tokio::select! {
            () = woken => {}
            () = sleep(app.settings.timing.tick_pause) => {}
        }
    }
    Ok(())
}

/// Removes what has served its time.
async fn tidy(app: &App) -> Result<(), sea_orm::DbErr> {
    http::store::forget_old(app.db.write(), app.clock.now()).await?;
    workspaces::store::erase_emptied(&app.db).await?;
    Ok(())
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
