//! Walls: which files may name which outside crate. If this test stops you, the code usually wants to move.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What may be named where, relative to `src/`. An entry that ends in `/` is a folder; `*/x` is `x` in any folder.
const HOMES: &[(&str, &[&str])] = &[
    (
        "actix_web",
        &[
            "http/",
            "*/routes.rs",
            "*/routes/",
            "auth/extract.rs",
            "documents/listed.rs",
            "server.rs",
            "main.rs",
        ],
    ),
    ("actix_cors", &["server.rs"]),
    ("utoipa_swagger_ui", &["http/docs.rs"]),
    ("sea_orm", &["entity/", "*/store.rs", "*/store/", "ids.rs", "app.rs", "http/problem.rs"]),
    ("reqwest", &["confluence/", "openai/", "vendor/", "connections/oauth.rs", "app.rs"]),
    ("oauth2", &["connections/oauth.rs"]),
    ("jsonwebtoken", &["auth/"]),
    ("strum", &["http/kind.rs"]),
    ("subtle", &["auth/", "connections/"]),
    ("chacha20poly1305", &["seal.rs"]),
    ("hkdf", &["seal.rs"]),
    ("quick_cache", &["auth/known.rs", "documents/listed.rs"]),
    ("clap", &["main.rs"]),
    ("dotenvy", &["config/"]),
    ("tracing_subscriber", &["telemetry.rs"]),
    ("anyhow", &["main.rs", "server.rs"]),
    ("tokio::spawn", &["server.rs", "engine/pipeline.rs"]),
    ("spawn_blocking", &["server.rs", "engine/pipeline.rs", "engine/render.rs"]),
    ("std::env", &["config/", "main.rs"]),
    ("Utc::now", &["app.rs"]),
    ("SystemTime", &["app.rs"]),
];

/// What is only passed on, an error or the transaction of a store's statements, may be named anywhere.
const PASSED_ON: &[&str] = &["sea_orm::DbErr", "sea_orm::DatabaseTransaction", "sea_orm::ConnectionTrait"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of_entry = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(of_entry).filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

fn is_home(file: &str, home: &str) -> bool {
    let in_folder = |file: &str, folder: &str| folder.ends_with('/') && file.starts_with(folder);
    match home.strip_prefix("*/") {
        Some(rest) => {
            file.match_indices('/').any(|(at, _)| file[at + 1..] == *rest || in_folder(&file[at + 1..], rest))
        }
        None => file == home || in_folder(file, home),
    }
}

/// Whether code of `line` names `word`; texts, comments and longer words do not count.
fn names(line: &str, word: &str) -> bool {
    let code: String = line.split('"').step_by(2).collect();
    let code = code.split("//").next().unwrap_or_default();
    let code = PASSED_ON.iter().fold(code.to_owned(), |code, passed_on| code.replace(passed_on, ""));
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        !part_of_word(code[..at].chars().next_back()) && !part_of_word(code[at + word.len()..].chars().next())
    })
}

#[test]
fn every_outside_crate_stays_at_home() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut strays = Vec::new();
    for path in sources(&root) {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        for (word, homes) in HOMES {
            if !homes.iter().any(|home| is_home(&file, home)) {
                let stray = text.lines().enumerate().filter(|(_, line)| names(line, word));
                strays.extend(stray.map(|(number, _)| format!("src/{file}:{} names {word}", number + 1)));
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn every_file_says_its_job_first() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} opens without its job", path.display());
    }
}
