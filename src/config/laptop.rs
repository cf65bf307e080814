//! What a laptop needs no settings for: the encryption key, made once into a file beside the database.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, zeroize::Zeroizing};

use super::{EncryptionKey, Settings, reader::parse};
use crate::app::sqlite_path;

/// The name of the key file.
const FILE_NAME: &str = "tidegate.key";

/// The key file could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The disk refused.
    #[error("cannot make or read the key file {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The database is sealed with a key that is not there any more.
    #[error(
        "the key file {} is gone, and nothing else opens the database beside it. Put the file back, or move the database \
         away to begin anew", .0.display()
    )]
    Gone(PathBuf),
    /// It holds something else.
    #[error("the key file {} {}", .0.display(), .1)]
    Damaged(PathBuf, String),
}

impl EncryptionKey {
    /// A new key.
    #[must_use]
    pub fn generate(id: &str) -> Self {
        Self { id: id.to_owned(), secret: rand::random::<[u8; 32]>().to_vec().into() }
    }

    /// The key as `TIDEGATE_ENCRYPTION_KEYS` takes it.
    #[must_use]
    pub fn to_setting(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}:{}", self.id, BASE64_STANDARD.encode(self.secret.expose_secret())))
    }
}

impl Settings {
    /// Whether the key file beside the database has to be made: nothing sets encryption keys, and it is not there.
    #[must_use]
    pub fn lacks_key_file(&self) -> bool {
        self.encryption_keys.is_empty() && !self.key_file().exists()
    }

    /// The key file beside the database.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        sqlite_path(self.database_url.expose_secret()).unwrap_or_default().with_file_name(FILE_NAME)
    }

    /// On a laptop without encryption keys: reads `tidegate.key` beside the database, making it first if need be.
    pub fn complete_encryption_keys(&mut self) -> Result<(), KeyFileError> {
        if !self.encryption_keys.is_empty() {
            return Ok(());
        }
        let path = self.key_file();
        let key = match make(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(&path)?,
            made => made.map_err(|error| KeyFileError::Io(path, error))?,
        };
        self.encryption_keys.push(key);
        Ok(())
    }
}

fn make(path: &Path) -> io::Result<EncryptionKey> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let key = EncryptionKey::generate("laptop");
    let mut file = options.open(path)?;
    writeln!(file, "{}", key.to_setting().as_str())?;
    file.sync_all()?;
    Ok(key)
}

fn read(path: &Path) -> Result<EncryptionKey, KeyFileError> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .map_err(|error| KeyFileError::Io(path.to_owned(), error))?;
    parse::encryption_key(text.trim()).map_err(|message| KeyFileError::Damaged(path.to_owned(), message))
}
