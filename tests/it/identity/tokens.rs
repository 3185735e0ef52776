//! Access tokens: what is accepted, and every forgery that is not.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::Service;

struct Forge {
    service: Service,
    good: String,
    header: Value,
    claims: Value,
    key: ed25519_dalek::SigningKey,
}

fn part(text: &str, index: usize) -> Value {
    let part = text.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

impl Forge {
    async fn new() -> Self {
        use ed25519_dalek::pkcs8::DecodePrivateKey;
        let service = Service::start().await;
        let session = service.register("ada@example.com").await;
        let good = session["accessToken"].as_str().unwrap().to_owned();
        let pem = service.config.auth.signing_key.clone().unwrap();
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem.expose()).unwrap();
        Self { header: part(&good, 0), claims: part(&good, 1), service, good, key }
    }

    /// A token with these parts, rightly signed.
    fn signed(&self, header: &str, claims: &str) -> String {
        use ed25519_dalek::Signer;
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.signed(&self.header.to_string(), &claims.to_string())
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        self.signed(&self.header.to_string(), &claims.to_string())
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        self.signed(&header.to_string(), &self.claims.to_string())
    }

    async fn status(&self, token: &str) -> StatusCode {
        self.service.get("/api/v1/auth/me", &[("authorization", &format!("Bearer {token}"))]).await.status
    }

    async fn refused(&self, what: &str, token: &str) {
        assert_eq!(self.status(token).await, StatusCode::UNAUTHORIZED, "{what}");
    }
}

#[tokio::test]
async fn a_token_carries_hasuras_claims_and_ours() {
    let forge = Forge::new().await;
    assert_eq!(forge.status(&forge.good).await, StatusCode::OK);
    assert_eq!(forge.status(&forge.signed(&forge.header.to_string(), &forge.claims.to_string())).await, StatusCode::OK);
    let claims = &forge.claims;
    let id = &claims["user_id"];
    assert_eq!(
        claims["https://hasura.io/jwt/claims"],
        json!({ "x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "user", "x-hasura-user-id": id })
    );
    assert_eq!((&claims["sub"], &claims["email"], &claims["roles"]), (id, &json!("ada@example.com"), &json!(["user"])));
    assert_eq!(claims["teams"][0]["role"], "owner");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("northstack"), &json!("northstack")));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    assert!(claims["jti"].is_string());

    let jwks = forge.service.get("/.well-known/jwks.json", &[]).await;
    let jwk = &jwks.json()["keys"][0];
    assert_eq!((&jwk["kty"], &jwk["crv"], &jwk["kid"]), (&json!("OKP"), &json!("Ed25519"), &forge.header["kid"]));
    assert!(jwk.get("d").is_none(), "the private half stays here");
    assert!(jwks.header("cache-control").contains("max-age"));
    let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk.clone()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["northstack"]);
    jsonwebtoken::decode::<Value>(&forge.good, &(&key).try_into().unwrap(), &validation).unwrap();
}

#[tokio::test]
async fn no_other_algorithm_or_key_is_believed() {
    let forge = Forge::new().await;
    let claims = forge.claims.to_string();
    for name in ["none", "None", "nOnE", "", "HS256", "RS256", "ES256", "eddsa"] {
        let token = forge.with_header("alg", json!(name));
        forge.refused(name, &token).await;
        let unsigned = token.rsplit_once('.').unwrap().0;
        forge.refused(name, &format!("{unsigned}.")).await;
        forge.refused(name, unsigned).await;
    }
    // The public key, in each of its forms, as the secret of an HMAC.
    let jwk = forge.service.get("/.well-known/jwks.json", &[]).await.json()["keys"][0].clone();
    let pem = forge.service.config.auth.signing_key.clone().unwrap();
    let pem = northstack::auth::SigningKey::from_pem(pem.expose()).unwrap().public_pem().unwrap();
    for public in [
        forge.key.verifying_key().as_bytes().to_vec(),
        jwk["x"].as_str().unwrap().as_bytes().to_vec(),
        pem.into_bytes(),
    ] {
        let header = Header { kid: forge.header["kid"].as_str().map(str::to_owned), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &forge.claims, &EncodingKey::from_secret(&public)).unwrap();
        forge.refused("the public key as an HMAC secret", &token).await;
    }
    // Another key, under our id or brought along in the header.
    let other = northstack::auth::SigningKey::generate();
    let own_id = forge.header["kid"].clone();
    let theirs = Forge { key: key_of(&other), ..forge };
    theirs.refused("another key", &theirs.signed(&theirs.header.to_string(), &claims)).await;
    for (name, value) in [
        ("jwk", other.jwk()),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        theirs.refused(name, &theirs.with_header(name, value)).await;
    }
    for id in [json!("../../etc/passwd"), json!("' or 1=1 --"), json!(""), json!(1), Value::Null, json!(other.id())] {
        assert_ne!(id, own_id);
        theirs.refused("kid", &theirs.with_header("kid", id)).await;
    }
}

fn key_of(key: &northstack::auth::SigningKey) -> ed25519_dalek::SigningKey {
    use ed25519_dalek::pkcs8::DecodePrivateKey;
    ed25519_dalek::SigningKey::from_pkcs8_pem(key.pem().unwrap().expose()).unwrap()
}

#[tokio::test]
async fn headers_of_other_kinds_of_token_are_refused_though_rightly_signed() {
    let forge = Forge::new().await;
    for (name, value) in [
        ("kid", json!("another")),
        ("kid", Value::Null),
        ("jwk", northstack::auth::SigningKey::generate().jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("crit", json!(["exp"])),
        ("enc", json!("A256GCM")),
        ("zip", json!("DEF")),
    ] {
        forge.refused(name, &forge.with_header(name, value)).await;
    }
}

#[tokio::test]
async fn claims_that_are_missing_or_not_as_issued_are_refused() {
    let forge = Forge::new().await;
    let now = forge.claims["iat"].as_i64().unwrap();
    for (name, values) in [
        (
            "exp",
            vec![
                json!(now - 3600),
                json!(now - 6),
                json!("9999999999"),
                json!(9_999_999_999.5),
                json!(-1),
                json!(1e40),
                Value::Null,
            ],
        ),
        ("nbf", vec![json!(now + 3600), json!("soon")]),
        ("aud", vec![json!("other"), json!(["northstack"]), json!(["other"]), json!([]), Value::Null, json!("")]),
        ("iss", vec![json!("other"), json!(["northstack"]), Value::Null]),
        ("sub", vec![json!(uuid::Uuid::new_v4()), json!("x"), Value::Null]),
        ("user_id", vec![json!(uuid::Uuid::new_v4()), json!(1)]),
        (
            "https://hasura.io/jwt/claims",
            vec![
                json!(forge.claims["https://hasura.io/jwt/claims"].to_string()),
                json!({}),
                json!({ "x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "user", "x-hasura-user-id": uuid::Uuid::new_v4() }),
            ],
        ),
    ] {
        for value in values {
            forge.refused(&format!("{name}: {value}"), &forge.with_claim(name, value.clone())).await;
        }
        if name != "nbf" {
            forge.refused(&format!("no {name}"), &forge.without_claim(name)).await;
        }
    }
    let doubled = forge.claims.to_string().replacen('{', &format!(r#"{{"exp":{},"#, now + 9999), 1);
    forge.refused("a claim twice", &forge.signed(&forge.header.to_string(), &doubled)).await;
}

#[tokio::test]
async fn damaged_tokens_are_refused() {
    let forge = Forge::new().await;
    let parts: Vec<&str> = forge.good.split('.').collect();
    for damaged in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        parts[..2].join("."),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.x", forge.good),
        format!("{}x", forge.good),
        format!("{} x", forge.good),
        forge.good[..forge.good.len() - 2].to_owned(),
        format!("{}.{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[1], parts[2]),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}", forge.good, "A".repeat(100_000)),
        forge.with_claim("padding", json!("x".repeat(1_000_000))),
        forge.signed("[]", "{}"),
        forge.signed(&forge.header.to_string(), "[]"),
        forge.signed(&forge.header.to_string(), "\u{0}"),
    ] {
        forge.refused(&damaged.chars().take(60).collect::<String>(), &damaged).await;
    }
    let twice = [("authorization", format!("Bearer {}", forge.good)), ("authorization", "Bearer x".to_owned())];
    let twice: Vec<(&str, &str)> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(forge.service.get("/api/v1/auth/me", &twice).await.status, StatusCode::UNAUTHORIZED);
    let admin = [("authorization", format!("Bearer {}", forge.good)), ("x-hasura-role", "admin".to_owned())];
    let admin: Vec<(&str, &str)> = admin.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(forge.service.get("/api/v1/auth/me", &admin).await.status, StatusCode::FORBIDDEN);
}
