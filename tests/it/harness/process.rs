//! The program itself, as a person starts it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// The program in a folder of its own, with no setting but a free port.
pub fn tidegate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.current_dir(folder).env_clear().env("TIDEGATE_LISTEN", "127.0.0.1:0");
    command
}

/// A serving process; it ends with the test.
pub struct Service {
    child: Child,
    /// Where its API is explored, as it tells a person at its first start.
    pub docs: String,
    /// The key that it tells with that.
    pub key: String,
}

impl Service {
    /// Lets a command of [`tidegate`] serve for the first time.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut after = |words: &str| told.find_map(|line| Some(line.strip_prefix(words)?.trim().to_owned()));
        let docs = after("  Explore the API   ").expect("no address was told");
        let key = after("  with this key     ").expect("no key was told");
        Self { child, docs, key }
    }

    /// Tells it to stop; answers the code with which it ends.
    pub fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
