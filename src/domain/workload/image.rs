//! References of container images.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Error, Result};

/// The longest name of a repository, as registries accept it.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

/// A reference of an image, `[registry[:port]/]path[:tag][@digest]`, by the grammar of the distribution specification.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Image(String);

impl Image {
    /// Reads a reference; `field` is named in the error.
    ///
    /// # Errors
    /// `invalid-input` that says which part is wrong.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        check(text).map_err(|wrong| Error::invalid(field, format!("{field}: {wrong}")))?;
        Ok(Self(text.to_owned()))
    }

    /// Whether it may be another image tomorrow by its very name: `latest`, or no tag and no digest.
    pub fn is_latest(&self) -> bool {
        let last = self.0.rsplit('/').next().unwrap_or(&self.0);
        !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Image {
    /// Whether its registry is asked for at an address of the node itself, or at any other that is no name of the internet
    /// or spells a private address: whoever pulls it stands inside of the cluster's network.
    pub fn is_local(&self) -> bool {
        let registry = match self.0.split_once('/') {
            Some((first, _)) if first == "localhost" || first.contains(['.', ':']) => first,
            _ => return false,
        };
        super::registry::is_local(registry.split(':').next().unwrap_or_default())
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Image {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse("image", &text)
    }
}

impl From<Image> for String {
    fn from(image: Image) -> Self {
        image.0
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err("the digest of an image is `sha256:` and 64 characters of 0-9 and a-f");
    }
    // A colon after the last slash begins the tag; one before it belongs to the registry's port.
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest.get(last..).and_then(|tail| tail.find(':')) {
        Some(colon) => (rest.get(..last + colon).unwrap_or_default(), rest.get(last + colon + 1..)),
        None => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(
            "the tag of an image has 1 to 128 characters of A-Z, a-z, 0-9, `_`, `.` and `-`, and begins with none of `.` and `-`",
        );
    }
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err("the name of an image has 1 to 255 characters");
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if first == "localhost" || first.contains(['.', ':']) => (Some(first), path),
        _ => (None, name),
    };
    if registry.is_some_and(|registry| !is_registry(registry)) {
        return Err("the registry of an image is a host name, with a port from 1 to 65535 if it has one");
    }
    if path.split('/').all(is_component) {
        Ok(())
    } else {
        Err("the name of an image has parts of a-z, 0-9 and single `.`, `_`, `__` or `-` between them, divided by `/`")
    }
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hash| {
        hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

fn is_tag(tag: &str) -> bool {
    (1..=LONGEST_TAG).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        && !tag.starts_with(['.', '-'])
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label)
        && port.is_none_or(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
}

/// Lower-case letters and digits, with one `.`, one `_`, two `_` or any number of `-` between them.
fn is_component(component: &str) -> bool {
    let separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends(component.chars().next())
        && ends(component.chars().next_back())
        && separators
            .filter(|it| !it.is_empty())
            .all(|it| matches!(it, "." | "_" | "__") || it.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_by_the_grammar() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        for right in [
            "nginx",
            "nginx:1.27",
            "library/nginx:1.27-alpine",
            "ghcr.io/acme/api:v1.2.3",
            "localhost:5000/api",
            "localhost/api",
            "registry.example.com:443/a/b/c__d:latest",
            &format!("nginx@{digest}"),
            &format!("nginx:1.27@{digest}"),
        ] {
            assert!(Image::parse("image", right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            " ",
            "Nginx",
            "nginx:",
            "nginx:-1",
            "nginx:a b",
            "nginx:1:2",
            "ngi nx",
            "nginx\n",
            "../etc/passwd",
            "a//b",
            "/a",
            "a/",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "https://ghcr.io/a",
            "example.com:0/a",
            "example.com:70000/a",
            "example.com:x/a",
            "example..com/a",
            "nginx@sha256:abc",
            "nginx@md5:0123",
            "nginx@",
            "$(cmd)",
            "{{ .Values.image }}",
            "näginx",
            &format!("nginx:{}", "a".repeat(129)),
            &"a".repeat(256),
        ] {
            let error = Image::parse("image", wrong).unwrap_err();
            assert_eq!(error.field(), Some("image"), "{wrong:?}");
        }
    }
}
