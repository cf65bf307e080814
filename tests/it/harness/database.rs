//! A database of a test's own: a SQLite file, or one on the PostgreSQL server that `TIDEGATE_TEST_DATABASE` names.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use uuid::Uuid;

/// Gone when dropped.
#[derive(Debug)]
pub struct Database(Kind);

#[derive(Debug)]
enum Kind {
    Sqlite(tempfile::TempDir),
    Postgres { admin: String, name: String },
}

impl Database {
    pub async fn fresh() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the test's own setting")]
        let admin = std::env::var("TIDEGATE_TEST_DATABASE").ok().filter(|url| url.starts_with("postgres"));
        let Some(admin) = admin else { return Self(Kind::Sqlite(tempfile::tempdir().unwrap())) };
        let name = format!("tidegate_test_{}", Uuid::now_v7().simple());
        execute(&admin, &format!("CREATE DATABASE {name}")).await;
        Self(Kind::Postgres { admin, name })
    }

    /// Its address as `DATABASE_URL` takes it.
    pub fn url(&self) -> String {
        match &self.0 {
            Kind::Sqlite(folder) => {
                format!("sqlite://{}?mode=rwc", folder.path().join("tidegate.db").display())
            }
            Kind::Postgres { admin, name } => {
                let mut url = url::Url::parse(admin).unwrap();
                url.set_path(name);
                url.into()
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Kind::Postgres { admin, name } = &self.0 {
            let (admin, drop) = (admin.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
            // The test's own runtime cannot be waited for here.
            let thread = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(execute(&admin, &drop));
            });
            if thread.join().is_err() && !std::thread::panicking() {
                panic!("the test's database could not be dropped");
            }
        }
    }
}

async fn execute(admin: &str, statement: &str) {
    let connection: DatabaseConnection = sea_orm::Database::connect(admin).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}
