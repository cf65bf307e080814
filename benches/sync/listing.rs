//! Requests a second for one page of documents, beside a bare handler that answers the same bytes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use actix_web::{App as WebApp, HttpResponse, HttpServer, web};
use anyhow::{Context, ensure};
use secrecy::ExposeSecret;
use tidegate::{
    auth::{self, KeyOrder, NewKey, Scope, Scopes},
    entity::Metadata,
    server,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{service::Service, table::Row};

const CONNECTIONS: usize = 16;
/// How long each server is measured, and before that warmed up.
const ENOUGH: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_millis(500);

pub async fn measure(service: &Service, pages: usize) -> anyhow::Result<Vec<Row>> {
    let (running, address) = server::bind(&service.app)?;
    tokio::spawn(running);
    let path = format!("/v1/sources/{}/documents?limit=50", service.source.id);
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
    let request = format!("{head}authorization: Bearer {}\r\n\r\n", key(service).await?);
    let body = answer(address, &request).await?;
    let bare = serve_bare(path, body)?;
    let bare = load(bare, &format!("{head}\r\n")).await?;
    let ours = load(address, &request).await?;
    let share = ours.rate / bare.rate * 100.0;
    Ok(vec![
        Row::new(format!("50 of {pages} documents over HTTP, {CONNECTIONS} connections"), ours.to_string())
            .floor(format!("a bare handler: {bare}"))
            .target(format!("≥ 15 % of it ({share:.0} %)"), share >= 15.0),
    ])
}

async fn key(service: &Service) -> anyhow::Result<String> {
    let order = KeyOrder {
        name: "benchmark".to_owned(),
        scopes: [Scope::Read].into_iter().collect::<Scopes>(),
        expires_at: None,
        external_id: None,
        metadata: Metadata::default(),
    };
    let key = NewKey::make(service.source.workspace_id, order, service.app.clock.now());
    auth::store::insert(&service.app.db, key.row).await?;
    Ok(key.secret.expose_secret().to_owned())
}

/// A server with one route, which answers these bytes.
fn serve_bare(path: String, body: Vec<u8>) -> anyhow::Result<SocketAddr> {
    let (path, body) = (path.split('?').next().unwrap_or_default().to_owned(), web::Bytes::from(body));
    let factory = move || {
        let body = body.clone();
        let handler = move || {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(body) }
        };
        WebApp::new().route(&path, web::get().to(handler))
    };
    let server = HttpServer::new(factory).disable_signals().bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = server.addrs().first().copied().context("no address")?;
    tokio::spawn(server.run());
    Ok(address)
}

/// What a server did under load.
struct Load {
    rate: f64,
    /// The time that one request in a hundred took longer than.
    p99: Duration,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} requests/s, p99 {:.1} ms", self.rate, self.p99.as_secs_f64() * 1e3)
    }
}

/// Sends the same request again and again on every connection.
async fn load(address: SocketAddr, request: &str) -> anyhow::Result<Load> {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = request.to_owned();
        connections.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let begin = Instant::now() + WARM_UP;
            let mut times = Vec::new();
            loop {
                let began = Instant::now();
                connection.ask(&request).await?;
                if began >= begin {
                    times.push(began.elapsed());
                }
                if began >= begin + ENOUGH {
                    return anyhow::Ok(times);
                }
            }
        });
    }
    let mut times = Vec::new();
    while let Some(of_one) = connections.join_next().await {
        times.extend(of_one??);
    }
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied().context("nothing was answered")?;
    Ok(Load { rate: times.len() as f64 / ENOUGH.as_secs_f64(), p99 })
}

async fn answer(address: SocketAddr, request: &str) -> anyhow::Result<Vec<u8>> {
    let mut connection = Connection::open(address).await?;
    connection.ask(request).await?;
    Ok(connection.buffer)
}

/// A client that costs next to nothing: it looks for the length of an answer and for nothing else.
struct Connection {
    stream: TcpStream,
    /// The body of the last answer.
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    async fn ask(&mut self, request: &str) -> anyhow::Result<()> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            if let Some((head, length)) = self.head()? {
                while self.buffer.len() < head + length {
                    ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the answer is cut");
                }
                self.buffer.drain(..head);
                return Ok(());
            }
        }
    }

    /// The length of the head, once it is there, and that of the body behind it.
    fn head(&self) -> anyhow::Result<Option<(usize, usize)>> {
        let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") else { return Ok(None) };
        let head = std::str::from_utf8(&self.buffer[..end])?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "the server answered {head}");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse())
        });
        Ok(Some((end + 4, length.context("no content-length")??)))
    }
}
