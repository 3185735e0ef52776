//! Tokens: what a header may carry, and what a signed token may say.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northstack::engine::auth::{Authenticator, JwtVerifier};
use serde_json::{Value, json};

const KEY: &str = "a key that only this fuzz target signs with";

/// Where claims may stand, each with a verifier of its own.
fn authenticators() -> &'static [Authenticator] {
    static ALL: OnceLock<Vec<Authenticator>> = OnceLock::new();
    ALL.get_or_init(|| {
        let rules = [
            json!({"claims_namespace": "n", "audience": ["a", "b"], "issuer": "i", "allowed_skew": 5}),
            json!({"claims_namespace": "n", "claims_format": "stringified_json", "header": {"type": "Cookie", "name": "t"}}),
            json!({"claims_namespace_path": "$.a.b[0]['c d']", "header": {"type": "CustomHeader", "name": "t"}}),
            json!({"claims_map": {
                "x-hasura-allowed-roles": {"path": "$.roles", "default": ["user"]},
                "x-hasura-default-role": {"path": "$.roles[0]"},
                "x-hasura-user-id": {"path": "$.sub"}, "x-hasura-fixed": "1"}}),
        ];
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::new();
        let verifier = |mut config: Value| {
            config["type"] = "HS256".into();
            config["key"] = KEY.into();
            JwtVerifier::new(serde_json::from_value(config).unwrap(), http.clone()).unwrap()
        };
        rules.map(|rule| Authenticator::new(Some("secret".into()), vec![verifier(rule)], None)).into()
    })
}

/// The first byte says which rules and what the rest is: headers as lines, a token, or a token's content to be signed.
pub fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let all = authenticators();
    let authenticator = &all[usize::from(*mode) % all.len()];
    let mut headers = HeaderMap::new();
    match (mode / 4) % 3 {
        0 => lines(rest, &mut headers),
        1 => carry(&rest.iter().copied().map(char::from).collect::<String>(), &mut headers),
        _ => {
            let (header, claims) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0));
            let header = if header.is_empty() { br#"{"alg":"HS256"}"# } else { header };
            let claims = claims.strip_prefix(b"\n").unwrap_or(claims);
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let key = jsonwebtoken::EncodingKey::from_secret(KEY.as_bytes());
            let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
            carry(&format!("{signed}.{}", signature.unwrap()), &mut headers);
        }
    }
    let Ok(identity) = futures::executor::block_on(authenticator.authenticate(&headers)) else { return };
    assert!(!identity.session.role().is_empty(), "a role");
    // Nobody guesses the secret; a token that says `admin` may be signed here.
    assert!(!identity.by_admin_secret || headers_name_secret(&headers), "the admin secret");
    let signed = (mode / 4) % 3 == 2;
    assert!(signed || identity.by_admin_secret, "let in as {} without a signature", identity.session.role());
}

fn headers_name_secret(headers: &HeaderMap) -> bool {
    ["x-hasura-admin-secret", "x-hasura-access-key"]
        .iter()
        .any(|name| headers.get(*name).is_some_and(|v| v == "secret"))
}

fn lines(text: &[u8], headers: &mut HeaderMap) {
    for line in text.split(|byte| *byte == b'\n').take(50) {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..at], line.get(at + 1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
}

fn carry(token: &str, headers: &mut HeaderMap) {
    let places =
        [("authorization", format!("Bearer {token}")), ("cookie", format!("a=b; t={token}")), ("t", token.into())];
    for (name, value) in places {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
