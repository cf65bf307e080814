//! Sealing of secrets at rest: authenticated encryption that names its key, so that keys can be replaced.
//!
//! * What was sealed for one purpose does not open for another: the associated data must be the same.
//! * The first key seals; every listed key opens.
//! * A sealed value that was changed, or whose key is not listed, does not open.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretSlice, SecretString, zeroize::Zeroizing};
use sha2::Sha256;

use crate::config::EncryptionKey;

/// The layout `version, length of the key id, key id, nonce, ciphertext`.
const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;

/// Why a sealed value does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key that sealed it is not among the settings.
    #[error("sealed with the key {0:?}, which TIDEGATE_ENCRYPTION_KEYS does not list")]
    UnknownKey(String),
    /// It is not what was sealed, or was sealed for something else.
    #[error("the sealed value is damaged or belongs elsewhere")]
    Damaged,
}

/// Sealing was impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No key is known.
    #[error("no encryption key is set")]
    NoKey,
    /// A key is not 32 bytes long.
    #[error("an encryption key is not 32 bytes long")]
    KeyLength,
}

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Sealer {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
    secret: SecretSlice<u8>,
}

impl Sealer {
    /// A sealer that seals with the first of `keys` and opens with all.
    pub fn new(keys: &[EncryptionKey]) -> Result<Self, SealError> {
        if keys.is_empty() {
            return Err(SealError::NoKey);
        }
        let keys = keys.iter().map(|key| {
            let cipher = XChaCha20Poly1305::new_from_slice(key.secret.expose_secret());
            let cipher = cipher.map_err(|_| SealError::KeyLength)?;
            Ok(Key { id: key.id.clone(), cipher, secret: key.secret.clone() })
        });
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }

    /// Seals `plain` for the purpose `aad`: name the column and the row, such as `grants.access_token:grt_…`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the cipher refuses only messages of 256 GiB and more")]
    pub fn seal(&self, aad: &str, plain: &[u8]) -> Vec<u8> {
        let key = &self.keys[0];
        let nonce = rand::random::<[u8; NONCE_LENGTH]>();
        let payload = Payload { msg: plain, aad: aad.as_bytes() };
        #[expect(clippy::expect_used, reason = "the cipher refuses only messages of 256 GiB and more")]
        let ciphertext = key.cipher.encrypt(&XNonce::from(nonce), payload).expect("the message is short");
        let mut sealed = Vec::with_capacity(2 + key.id.len() + NONCE_LENGTH + ciphertext.len());
        #[expect(clippy::cast_possible_truncation, reason = "the settings limit an id to 32 characters")]
        sealed.extend([VERSION, key.id.len() as u8]);
        sealed.extend(key.id.as_bytes());
        sealed.extend(nonce);
        sealed.extend(ciphertext);
        sealed
    }

    /// Opens what [`Sealer::seal`] sealed for the same purpose.
    pub fn open(&self, aad: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (id, nonce, ciphertext) = split(sealed).ok_or(OpenError::Damaged)?;
        let key = self.keys.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| OpenError::UnknownKey(id.to_owned()))?;
        let payload = Payload { msg: ciphertext, aad: aad.as_bytes() };
        key.cipher.decrypt(&XNonce::from(nonce), payload).map(Zeroizing::new).map_err(|_| OpenError::Damaged)
    }

    /// Whether a value was sealed with the key that seals now.
    #[must_use]
    pub fn is_newest(&self, sealed: &[u8]) -> bool {
        split(sealed).is_some_and(|(id, ..)| id == self.keys[0].id)
    }

    /// Seals a secret text.
    #[must_use]
    pub fn seal_text(&self, aad: &str, plain: &SecretString) -> Vec<u8> {
        self.seal(aad, plain.expose_secret().as_bytes())
    }

    /// Opens a secret text.
    pub fn open_text(&self, aad: &str, sealed: &[u8]) -> Result<SecretString, OpenError> {
        let plain = self.open(aad, sealed)?;
        std::str::from_utf8(&plain).map(SecretString::from).map_err(|_| OpenError::Damaged)
    }

    /// The ids of all keys, the sealing one first.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// A key for `purpose`, derived from the encryption key `id`; `None` if that is not listed.
    #[must_use]
    pub fn derive(&self, id: &str, purpose: &str) -> Option<Zeroizing<[u8; 32]>> {
        let key = self.keys.iter().find(|key| key.id == id)?;
        let mut derived = Zeroizing::new([0; 32]);
        let hkdf = Hkdf::<Sha256>::new(None, key.secret.expose_secret());
        hkdf.expand(purpose.as_bytes(), derived.as_mut()).ok()?;
        Some(derived)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}

fn split(sealed: &[u8]) -> Option<(&str, [u8; NONCE_LENGTH], &[u8])> {
    let (&[version, id_length], rest) = sealed.split_first_chunk::<2>()?;
    let (id, rest) = rest.split_at_checked(usize::from(id_length))?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LENGTH>()?;
    (version == VERSION).then_some((std::str::from_utf8(id).ok()?, *nonce, ciphertext))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(ids: &[&str]) -> Sealer {
        let key = |id: &&str| {
            let byte = id.bytes().next().unwrap();
            EncryptionKey { id: (*id).to_owned(), secret: vec![byte; 32].into() }
        };
        Sealer::new(&ids.iter().map(key).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_the_same_purpose() {
        let sealer = sealer(&["a"]);
        let blob = sealer.seal("grants:1", b"token");
        assert_eq!(&**sealer.open("grants:1", &blob).unwrap(), b"token");
        assert!(!blob.windows(5).any(|window| window == b"token"));
        assert_ne!(blob, sealer.seal("grants:1", b"token"), "each sealing has its own nonce");
    }

    #[test]
    fn another_purpose_does_not_open_it() {
        let sealer = sealer(&["a"]);
        let blob = sealer.seal("grants:1", b"token");
        assert_eq!(sealer.open("grants:2", &blob), Err(OpenError::Damaged));
    }

    #[test]
    fn another_key_does_not_open_it() {
        let blob = sealer(&["a"]).seal("x", b"token");
        assert_eq!(sealer(&["b"]).open("x", &blob), Err(OpenError::UnknownKey("a".to_owned())));
        let mut renamed = blob;
        renamed[2] = b'b';
        assert_eq!(sealer(&["b"]).open("x", &renamed), Err(OpenError::Damaged));
    }

    #[test]
    fn after_a_rotation_the_new_key_seals_and_both_open() {
        let old = sealer(&["a"]).seal("x", b"token");
        let rotated = sealer(&["b", "a"]);
        let new = rotated.seal("x", b"token");
        assert_eq!(&**rotated.open("x", &old).unwrap(), b"token");
        assert_eq!(&**sealer(&["b"]).open("x", &new).unwrap(), b"token");
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let sealer = sealer(&["a"]);
        let blob = sealer.seal("x", b"token");
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(sealer.open("x", &changed).is_err(), "byte {at}");
            assert!(sealer.open("x", &blob[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn derived_keys_differ_by_key_and_purpose() {
        let sealer = sealer(&["a", "b"]);
        let of = |id, purpose| sealer.derive(id, purpose).unwrap();
        assert_eq!(of("a", "jwt"), of("a", "jwt"));
        assert_ne!(of("a", "jwt"), of("b", "jwt"));
        assert_ne!(of("a", "jwt"), of("a", "other"));
        assert!(sealer.derive("c", "jwt").is_none());
    }

    #[test]
    fn without_a_usable_key_there_is_no_sealer() {
        assert_eq!(Sealer::new(&[]).unwrap_err(), SealError::NoKey);
        let short = EncryptionKey { id: "a".to_owned(), secret: vec![1; 16].into() };
        assert_eq!(Sealer::new(&[short]).unwrap_err(), SealError::KeyLength);
    }
}
