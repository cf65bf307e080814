//! Files: the renderings that are uploaded, and the exact text kept of each.

use zstd::bulk::{compress, decompress};

use crate::{
    ids::FileId,
    seal::{OpenError, Sealer},
};

/// The longest text that is ever kept: more than a page may have.
const LONGEST: usize = 64 * 1024 * 1024;
/// Fast, and within a few percent of what slower levels make of prose.
const LEVEL: i32 = 3;

/// The kept text of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It was sealed with a key that is gone, or was damaged.
    #[error("the text of {0} does not open")]
    Sealed(FileId, #[source] OpenError),
    /// What was sealed is no compressed text.
    #[error("the text of {0} is damaged")]
    Damaged(FileId, #[source] std::io::Error),
}

/// What the text of a file is sealed for.
#[must_use]
pub fn purpose(file_id: FileId) -> String {
    format!("file_texts.text:{file_id}")
}

/// Compresses and seals the text of a file, for its row in `file_texts`.
pub fn pack(sealer: &Sealer, file_id: FileId, text: &str) -> std::io::Result<Vec<u8>> {
    Ok(sealer.seal(&purpose(file_id), &compress(text.as_bytes(), LEVEL)?))
}

/// What [`pack`] packed for the same file.
pub fn unpack(sealer: &Sealer, file_id: FileId, packed: &[u8]) -> Result<String, TextError> {
    let compressed =
        sealer.open(&purpose(file_id), packed).map_err(|error| TextError::Sealed(file_id, error))?;
    let damaged = |error| TextError::Damaged(file_id, error);
    let text = decompress(&compressed, LONGEST).map_err(damaged)?;
    String::from_utf8(text).map_err(|error| damaged(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EncryptionKey;

    fn sealer() -> Sealer {
        Sealer::new(&[EncryptionKey { id: "k".to_owned(), secret: vec![7; 32].into() }]).unwrap()
    }

    #[test]
    fn a_packed_text_reads_back_exactly_and_is_smaller() {
        let text = "# Überstunden\n\n| a | b |\n".repeat(1000);
        let (sealer, id) = (sealer(), FileId::new());
        let packed = pack(&sealer, id, &text).unwrap();
        assert!(packed.len() < text.len() / 20);
        assert_eq!(unpack(&sealer, id, &packed).unwrap(), text);
        let empty = pack(&sealer, id, "").unwrap();
        assert_eq!(unpack(&sealer, id, &empty).unwrap(), "");
    }

    #[test]
    fn a_text_does_not_open_for_another_file() {
        let sealer = sealer();
        let packed = pack(&sealer, FileId::new(), "salaries").unwrap();
        assert!(matches!(unpack(&sealer, FileId::new(), &packed), Err(TextError::Sealed(..))));
    }
}
