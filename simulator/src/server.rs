//! The HTTP server: all vendors on one port, each below its own path.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use crate::shared::Shared;
use crate::traffic::{self, API_BASE, AUTH_BASE, OPENAI_BASE};
use crate::{confluence, control, openai};

/// Most bytes of a JSON or form body.
const MOST_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A server on its own thread.
#[derive(Debug)]
pub struct Running {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Running {
    /// Stops answering; open connections are closed.
    pub fn stop(&self) {
        drop(self.handle.stop(false));
    }
}

/// Binds the port and serves until stopped.
pub fn start(shared: &Arc<Shared>) -> io::Result<Running> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, shared.options.port))?;
    let address = listener.local_addr()?;
    shared.set_origin(format!("http://{address}"));
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::clone(shared);
    thread::Builder::new().name(format!("simulator-{}", address.port())).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = server(&shared, listener)?;
            if sender.send(server.handle()).is_ok() { server.await } else { Ok(()) }
        })
    })?;
    let handle = receiver.recv().map_err(|_| io::Error::other("the server did not start"))?;
    Ok(Running { address, handle })
}

fn server(shared: &Arc<Shared>, listener: TcpListener) -> io::Result<Server> {
    let data = web::Data::from(Arc::clone(shared));
    let app = move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(MOST_BODY_BYTES))
            .wrap(from_fn(traffic::pass))
            .configure(control::configure)
            .service(web::scope(AUTH_BASE).configure(confluence::configure_auth))
            .service(
                web::scope(API_BASE)
                    .configure(confluence::configure_api)
                    .service(web::scope("/ex/confluence/{cloud_id}").configure(confluence::configure_site)),
            )
            .service(web::scope("/sites/{site}").configure(confluence::configure_site))
            .service(web::scope(OPENAI_BASE).configure(openai::configure))
    };
    let server = HttpServer::new(app).workers(shared.options.workers).disable_signals();
    Ok(server.listen(listener)?.run())
}
