//! The program as a person starts it.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::harness::process::{Service, tidegate};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    tidegate(folder).args(arguments).output().unwrap()
}

#[track_caller]
fn told(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {errors}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned()
}

#[test]
fn wrong_settings_end_with_2_and_one_readable_message() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "TIDEGATE_SYNC_INTERVAL=soon\n").unwrap();
    let output = tidegate(folder.path()).arg("serve").env("TIDEGATE_LISTEN", "nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("tidegate: 2 settings are wrong:\n"), "{message}");
    assert!(
        message.contains("\n  TIDEGATE_LISTEN ") && message.contains("\n  TIDEGATE_SYNC_INTERVAL "),
        "{message}"
    );
}

#[test]
fn the_document_needs_no_settings() {
    let folder = tempfile::tempdir().unwrap();
    let output = tidegate(folder.path()).arg("openapi").env("TIDEGATE_LISTEN", "nowhere").output().unwrap();
    let document: serde_json::Value = serde_json::from_str(&told(&output)).unwrap();
    assert_eq!(document["info"]["title"], "Tidegate");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn a_body_is_converted_without_settings() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let body = "<h1>Ports</h1><p><strong>22</strong> <ac:link><ri:page ri:content-title=\"ssh\"/></ac:link></p>\
                <ac:structured-macro ac:name=\"odd\"/>";
    std::fs::write(folder.join("page.xml"), body).unwrap();
    let page = ["convert", "page.xml", "--title", "Net", "--space-key", "OPS"];
    let written = told(&run(folder, &page));
    let link = "https://example.atlassian.net/wiki/display/OPS/ssh";
    assert_eq!(written, format!("# Net\n\n## Ports\n\n**22** [ssh]({link})"));
    let report: serde_json::Value =
        serde_json::from_str(&told(&run(folder, &["convert", "page.xml", "--report"]))).unwrap();
    assert_eq!(report["unknown_macros"], serde_json::json!({"odd": 1}));
    assert_eq!(report["constructs"], serde_json::json!({"headings": 1, "links": 1}));
    let missing = run(folder, &["convert", "nowhere.xml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read nowhere.xml"));
}

#[test]
fn a_body_is_converted_from_the_standard_input_whatever_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tidegate(folder.path());
    command.args(["convert", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"<p>caf\xc3\xa9 \xff</p><p>open").unwrap();
    assert_eq!(told(&child.wait_with_output().unwrap()), "café \u{fffd}\n\nopen");
}

#[test]
fn made_secrets_are_taken_as_settings() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = told(&run(folder.path(), &["secrets", "generate"]));
    std::fs::write(folder.path().join(".env"), secrets).unwrap();
    told(&run(folder.path(), &["migrate"]));
}

#[test]
fn workspaces_and_keys_are_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let workspace = told(&run(folder, &["workspaces", "create", "--name", "Acme", "--external-id", "acme"]));
    assert_eq!(told(&run(folder, &["workspaces", "list"])), format!("{workspace}\tactive\tacme\tAcme"));
    let twice = run(folder, &["workspaces", "create", "--name", "Acme", "--external-id", "acme"]);
    assert_eq!(twice.status.code(), Some(1));
    let create = ["keys", "create", "--workspace", "acme", "--name", "ci", "--scopes", "read,sync"];
    let secret = told(&run(folder, &create));
    let listed = told(&run(folder, &["keys", "list", "--workspace", &workspace]));
    let columns: Vec<_> = listed.split('\t').collect();
    let [id, beginning, "read,sync", "-", "ci"] = columns[..] else { panic!("{listed}") };
    assert!(secret.starts_with(beginning));
    told(&run(folder, &["keys", "revoke", id]));
    assert_eq!(told(&run(folder, &["keys", "list", "--workspace", "acme"])), "");
    assert_eq!(run(folder, &["keys", "revoke", id]).status.code(), Some(1));
    assert_eq!(run(folder, &["keys", "list", "--workspace", "nobody"]).status.code(), Some(1));
}

#[test]
fn a_copied_database_becomes_an_installation_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    told(&run(folder.path(), &["migrate"]));
    let first = told(&run(folder.path(), &["new-installation"]));
    let second = told(&run(folder.path(), &["new-installation"]));
    assert!(first.contains("tg_") && first != second, "{first}");
}

#[tokio::test]
async fn on_a_laptop_it_serves_without_settings_and_stops_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(tidegate(folder.path()).stderr(Stdio::null()));
    let http = reqwest::Client::new();
    assert_eq!(http.get(&service.docs).send().await.unwrap().status(), 200);
    let me = service.docs.replace("/docs", "/v1/me");
    assert_eq!(http.get(&me).bearer_auth(&service.key).send().await.unwrap().status(), 200);
    let second = run(folder.path(), &["keys", "list"]);
    assert_eq!(second.status.code(), Some(1), "an embedded database is for one process");
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another process"));
    assert_eq!(service.stop(), Some(0));
    assert!(told(&run(folder.path(), &["keys", "list"])).contains("bootstrap"));
}

#[test]
fn keys_that_are_not_the_databases_are_refused_and_no_other_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key_file = folder.join("tidegate.key");
    drop(Service::start(tidegate(folder).stderr(Stdio::null())));
    let refused = |command: &mut Command| {
        let output = command.arg("serve").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };

    for other in ["laptop:", "other:"] {
        let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let told = refused(tidegate(folder).env("TIDEGATE_ENCRYPTION_KEYS", format!("{other}{secret}")));
        assert!(told.contains("do not open this database") && !told.contains(secret), "{told}");
    }

    std::fs::remove_file(&key_file).unwrap();
    let told = refused(&mut tidegate(folder));
    assert!(told.contains("tidegate.key is gone"), "{told}");
    assert!(!key_file.exists(), "no other key is made beside the database");
}

#[test]
fn a_port_that_is_taken_is_an_error_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = tidegate(folder.path()).arg("serve").env("TIDEGATE_LISTEN", &address).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains(&format!("tidegate: cannot listen on {address}")), "{message}");
}
