//! Logins of `northstack login`: one a server, in `credentials.json` under the XDG configuration directory, mode 0600.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use url::Url;

use super::api::Api;
use super::graphql::{RefreshToken, refresh_token};
use crate::domain::{Code, Error, Redacted, Result};

/// A token that ends sooner than this is renewed before it is used.
const MARGIN: Duration = Duration::seconds(30);

/// A login as it is kept. Not printed: the fields are secrets in the clear.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Shown with every request, for some minutes.
    pub access_token: String,
    /// Exchanged once for the next pair.
    pub refresh_token: String,
    /// When the access token ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl Login {
    /// The login that a session of `expires_in` seconds gives.
    pub fn new(access_token: String, refresh_token: String, expires_in: i64) -> Self {
        Self { access_token, refresh_token, expires_at: OffsetDateTime::now_utc() + Duration::seconds(expires_in) }
    }
}

/// The file of logins.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// The file of the user who runs the command (`XDG_CONFIG_HOME`, else `~/.config`).
    pub fn open() -> Result<Self> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
        let base = base.ok_or_else(|| Error::invalid("XDG_CONFIG_HOME", "neither it nor HOME names a directory"))?;
        Ok(Self::at(&base))
    }

    /// The file below a given configuration directory.
    pub fn at(base: &Path) -> Self {
        Self { path: base.join("northstack").join("credentials.json") }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a login for a server, in place of any earlier one.
    pub fn keep(&self, endpoint: &Url, login: Login) -> Result<()> {
        let mut file = self.lock()?;
        let mut logins = self.read(&mut file)?;
        logins.insert(key(endpoint), login);
        self.write(&mut file, &logins)
    }

    /// Takes the login for a server out of the file, if there is one.
    pub fn forget(&self, endpoint: &Url) -> Result<Option<Login>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let mut file = self.lock()?;
        let mut logins = self.read(&mut file)?;
        let login = logins.remove(&key(endpoint));
        if login.is_some() {
            self.write(&mut file, &logins)?;
        }
        Ok(login)
    }

    /// The access token for a server, renewed first if it has ended or is about to.
    ///
    /// The file stays locked meanwhile: a refresh token may be used only once.
    pub async fn token(&self, endpoint: &Url) -> Result<Redacted> {
        let nobody = || {
            let server = key(endpoint);
            let message = format!("not signed in at {server}; run `northstack login` or give --token");
            Error::new(Code::Unauthenticated, message)
        };
        if !self.path.exists() {
            return Err(nobody());
        }
        let mut file = self.lock()?;
        let mut logins = self.read(&mut file)?;
        let login = logins.get(&key(endpoint)).cloned().ok_or_else(nobody)?;
        if login.expires_at > OffsetDateTime::now_utc() + MARGIN {
            return Ok(Redacted::new(login.access_token));
        }
        let variables = refresh_token::Variables { refresh_token: login.refresh_token };
        let nobodys = Api::anonymous(endpoint)?;
        // Boxed, for a call by somebody asks here for the token.
        let answer = Box::pin(nobodys.run::<RefreshToken>(variables)).await.map_err(|error| match error.code() {
            Code::InvalidToken | Code::Unauthenticated => {
                Error::new(Code::Unauthenticated, "the login has ended; run `northstack login` again").caused_by(error)
            }
            _ => error,
        })?;
        let session = answer.refresh_token.ok_or_else(nobody)?;
        let next = session.refresh_token.ok_or_else(nobody)?;
        let login = Login::new(session.access_token, next, session.expires_in);
        let token = Redacted::new(login.access_token.clone());
        logins.insert(key(endpoint), login);
        self.write(&mut file, &logins)?;
        Ok(token)
    }

    /// Opens the file, for this process alone until it is dropped.
    fn lock(&self) -> Result<File> {
        let doing = |source| Error::internal("opening the file of logins", source);
        if let Some(directory) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(doing)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)
            .map_err(doing)?;
        file.lock().map_err(doing)?;
        // A file that somebody made readable to others is made private before a token is written to it.
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(doing)?;
        Ok(file)
    }

    fn read(&self, file: &mut File) -> Result<BTreeMap<String, Login>> {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|source| Error::internal("reading the file of logins", source))?;
        if text.trim().is_empty() {
            return Ok(BTreeMap::new());
        }
        serde_json::from_str(&text).map_err(|_| {
            let path = self.path.display();
            Error::new(Code::InvalidInput, format!("{path} is not a file of logins; remove it and log in again"))
        })
    }

    fn write(&self, file: &mut File, logins: &BTreeMap<String, Login>) -> Result<()> {
        let doing = |source: std::io::Error| Error::internal("writing the file of logins", source);
        let text = serde_json::to_string_pretty(logins).map_err(|source| doing(source.into()))?;
        file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(text.as_bytes())).map_err(doing)?;
        file.sync_all().map_err(doing)
    }
}

/// A server by scheme, host and port: a path does not make it another one.
fn key(endpoint: &Url) -> String {
    endpoint.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Url {
        Url::parse("https://api.example.com/").expect("an address")
    }

    #[tokio::test]
    async fn a_login_is_kept_privately_and_found_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::at(directory.path());
        assert_eq!(store.token(&endpoint()).await.expect_err("nobody").code(), Code::Unauthenticated);
        store.keep(&endpoint(), Login::new("access".into(), "refresh".into(), 900)).expect("kept");
        let mode = fs::metadata(store.path()).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(store.token(&endpoint()).await.expect("a token").expose(), "access");
        let other = Url::parse("https://other.example.com/").expect("an address");
        assert_eq!(store.token(&other).await.expect_err("nobody").code(), Code::Unauthenticated);
        assert!(store.forget(&other).expect("read").is_none());
        assert!(store.forget(&endpoint()).expect("forgotten").is_some());
        assert_eq!(store.token(&endpoint()).await.expect_err("nobody").code(), Code::Unauthenticated);
    }

    #[test]
    fn a_readable_file_is_made_private() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::at(directory.path());
        store.keep(&endpoint(), Login::new("a".into(), "b".into(), 1)).expect("kept");
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).expect("made readable");
        store.keep(&endpoint(), Login::new("c".into(), "d".into(), 1)).expect("kept");
        assert_eq!(fs::metadata(store.path()).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}
