//! The Ed25519 keys of access tokens (RFC 8032, RFC 8037): the one that signs, and public ones as a JWKS (RFC 7517).

use std::fs;
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::{hkdf, hmac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::{Error, Redacted, Result};

/// A private Ed25519 key.
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    public: VerifyingKey,
}

/// A public Ed25519 key with its id (its RFC 7638 thumbprint).
#[derive(Clone)]
pub struct VerifyingKey {
    key: ed25519_dalek::VerifyingKey,
    id: String,
}

impl SigningKey {
    /// A new key from the operating system's secure source.
    pub fn generate() -> Self {
        Self::from_key(ed25519_dalek::SigningKey::from_bytes(&rand::random()))
    }

    /// Reads a PKCS#8 PEM private key, as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem.trim()).map_err(|_| {
            Error::invalid(
                "auth.signing_key",
                "must be an Ed25519 private key in PKCS#8 PEM form (openssl genpkey -algorithm ed25519)",
            )
        })?;
        Ok(Self::from_key(key))
    }

    /// Reads the PEM file at `path`.
    pub fn from_file(path: &Path) -> Result<Self> {
        let pem = fs::read_to_string(path).map_err(|error| {
            Error::invalid("auth.signing_key_file", format!("cannot read {}: {error}", path.display()))
        })?;
        Self::from_pem(&pem)
    }

    /// Reads the PEM file at `path`, or makes a key and keeps it there, readable by its owner alone.
    pub fn from_file_or_new(path: &Path) -> Result<Self> {
        if path.exists() {
            return Self::from_file(path);
        }
        let key = Self::generate();
        let pem = key.pem()?;
        let keep = || -> std::io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path)?.write_all(pem.expose().as_bytes())
        };
        match keep() {
            Ok(()) => Ok(key),
            // Another process made it first: its key counts.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Self::from_file(path),
            Err(error) => Err(Error::internal("keeping the signing key", error)),
        }
    }

    fn from_key(key: ed25519_dalek::SigningKey) -> Self {
        Self { public: VerifyingKey::from_key(key.verifying_key()), key }
    }

    /// The public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The private key as PKCS#8 PEM, as the setting `auth.signing_key` takes it.
    pub fn pem(&self) -> Result<Redacted> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF);
        pem.map(|pem| Redacted::new(pem.to_string())).map_err(|error| Error::internal("writing the signing key", error))
    }

    /// The key id, as tokens carry it in `kid`.
    pub fn id(&self) -> &str {
        self.public.id()
    }

    /// The public key as PEM (SubjectPublicKeyInfo), as Hasura's `HASURA_GRAPHQL_JWT_SECRET` takes it.
    pub fn public_pem(&self) -> Result<String> {
        self.key
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .map_err(|error| Error::internal("writing the public key", error))
    }

    /// The public key as a JSON Web Key (RFC 8037).
    pub fn jwk(&self) -> Value {
        self.public.jwk()
    }

    /// A key for another purpose than signing tokens (HKDF, RFC 5869), which tells nothing of this one.
    pub(super) fn derived(&self, purpose: &[u8]) -> Result<hmac::Key> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"northstack").extract(self.key.as_bytes());
        let derived = extracted.expand(&[purpose], hmac::HMAC_SHA256).map(hmac::Key::from);
        derived.map_err(|_| Error::internal("deriving a key", "the key's length"))
    }

    pub(super) fn encoding_key(&self) -> Result<EncodingKey> {
        let der = self.key.to_pkcs8_der().map_err(|error| Error::internal("encoding the signing key", error))?;
        Ok(EncodingKey::from_ed_der(der.as_bytes()))
    }
}

impl VerifyingKey {
    /// Reads a PEM: of the public key (SubjectPublicKeyInfo), or of the private key in PKCS#8.
    ///
    /// # Errors
    /// `invalid-input` that names `field` as what the PEM was given by.
    pub fn from_pem(pem: &str, field: &str) -> Result<Self> {
        let pem = pem.trim();
        let private = || ed25519_dalek::SigningKey::from_pkcs8_pem(pem).map(|key| key.verifying_key());
        let key = ed25519_dalek::VerifyingKey::from_public_key_pem(pem).or_else(|_| private()).map_err(|_| {
            let wanted = "must be one Ed25519 key in PEM form: the private key in PKCS#8, or its public half \
                          (openssl pkey -pubout)";
            Error::invalid(field, wanted)
        })?;
        Ok(Self::from_key(key))
    }

    fn from_key(key: ed25519_dalek::VerifyingKey) -> Self {
        let mut key = Self { key, id: String::new() };
        // RFC 7638: the required members in lexical order, without spaces.
        let thumbprint = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, key.x());
        key.id = URL_SAFE_NO_PAD.encode(Sha256::digest(thumbprint.as_bytes()));
        key
    }

    fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.as_bytes())
    }

    /// The key id, as tokens carry it in `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as a JSON Web Key (RFC 8037).
    pub fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": self.x(), "kid": self.id, "use": "sig", "alg": "EdDSA" })
    }

    pub(super) fn decoding_key(&self) -> DecodingKey {
        DecodingKey::from_ed_der(self.key.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_key_is_found_again_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/signing.pem");
        let made = SigningKey::from_file_or_new(&path).unwrap();
        let found = SigningKey::from_file_or_new(&path).unwrap();
        assert_eq!(made.jwk(), found.jwk());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_8037() {
        // RFC 8037, appendix A.1 to A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_key(ed25519_dalek::SigningKey::from_bytes(&seed.try_into().unwrap()));
        assert_eq!(key.jwk()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_public_key_is_read_from_either_half_and_anything_else_is_refused_by_its_setting() {
        let key = SigningKey::generate();
        let (private, public) = (key.pem().unwrap().expose().clone(), key.public_pem().unwrap());
        for pem in [&private, &public] {
            assert_eq!(VerifyingKey::from_pem(pem, "here").unwrap().jwk(), key.jwk());
        }
        let damaged = public.replacen("MCow", "MCox", 1);
        for wrong in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", &damaged, &public[..60]] {
            let error = VerifyingKey::from_pem(wrong, "here").err().unwrap();
            assert_eq!(error.field(), Some("here"), "{wrong}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused_by_the_setting_it_came_from() {
        for wrong in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "secret"] {
            assert_eq!(
                SigningKey::from_pem(wrong).err().and_then(|e| e.field().map(str::to_owned)).as_deref(),
                Some("auth.signing_key")
            );
        }
    }
}
