//! A database for one test alone: SQLite in a folder of its own, or one on the PostgreSQL server that
//! `TIDEGATE_TEST_DATABASE` names. It goes with the test.

use sea_orm::{ConnectionTrait, Database};
use uuid::Uuid;

/// A database that nobody else uses.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder { _folder: tempfile::TempDir },
    Server { admin_url: String, name: String },
}

/// The server that the suite runs on, if it is not SQLite.
pub fn server() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "which server the suite runs on is no setting of the service"
    )]
    std::env::var("TIDEGATE_TEST_DATABASE").ok()
}

/// Whether the suite runs on a server; an embedded database belongs to one process.
pub fn on_a_server() -> bool {
    let server = server().is_some();
    if !server {
        println!("not run: several processes need PostgreSQL");
    }
    server
}

impl TestDatabase {
    /// Makes an empty one.
    pub async fn create() -> Self {
        match server() {
            Some(admin_url) => Self::on_server(admin_url).await,
            None => Self::in_folder(),
        }
    }

    /// The address that the service opens it by.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn in_folder() -> Self {
        // In memory where that is possible: nothing of it has to survive a power cut.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("tidegate.db").display());
        Self { url, place: Place::Folder { _folder: folder } }
    }

    async fn on_server(admin_url: String) -> Self {
        let name = format!("tidegate_{}", Uuid::now_v7().simple());
        let server = Database::connect(&admin_url).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        server.close().await.unwrap();
        let mut url: url::Url = admin_url.parse().unwrap();
        url.set_path(&name);
        Self { url: url.into(), place: Place::Server { admin_url, name } }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Place::Server { admin_url, name } = &self.place else { return };
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let drop_it = async {
            let server = Database::connect(admin_url).await?;
            server.execute_unprepared(&statement).await
        };
        // The runtime of the test may be on its way out: this takes one of its own.
        let dropped = std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            scope.spawn(move || runtime.block_on(drop_it)).join()
        });
        if !std::thread::panicking() {
            dropped.unwrap().unwrap();
        }
    }
}
