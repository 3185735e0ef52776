use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::outbound::Outbound;

const KEY: &str = "0123456789abcdef0123456789abcdef-test";
const NAMESPACE: &str = "https://hasura.io/jwt/claims";

fn authenticator(config: Value, unauthorized_role: Option<&str>) -> Authenticator {
    let config: JwtConfig = serde_json::from_value(config).unwrap();
    let verifier = JwtVerifier::new(config, Outbound::new([]).unwrap().http).unwrap();
    Authenticator::new(Some("secret".into()), vec![verifier], unauthorized_role.map(Into::into))
}

fn hs256() -> Value {
    json!({"type": "HS256", "key": KEY, "audience": "northstack", "issuer": "https://northstack.test"})
}

fn claims() -> Value {
    json!({
        "iss": "https://northstack.test", "aud": "northstack", "exp": 4_102_444_800i64,
        NAMESPACE: {
            "x-hasura-allowed-roles": ["user", "viewer"], "x-hasura-default-role": "user",
            "x-hasura-user-id": "u1",
        },
    })
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(key);
        } else {
            claims[key] = value.clone();
        }
    }
    claims
}

fn sign(claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(KEY.as_bytes())).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn bearer(token: &str) -> HeaderMap {
    headers(&[("authorization", &format!("Bearer {token}"))])
}

async fn refusal(authenticator: &Authenticator, headers: &HeaderMap) -> (&'static str, String) {
    let error = authenticator.authenticate(headers).await.unwrap_err();
    (error.code.as_str(), error.message)
}

#[tokio::test]
async fn a_valid_token_gives_role_and_variables() {
    let auth = authenticator(hs256(), None);
    let identity = auth.authenticate(&bearer(&sign(&claims()))).await.unwrap();
    assert_eq!(identity.session.role(), "user");
    assert_eq!(identity.session.variable("x-hasura-user-id"), Some("u1"));
    assert_eq!(identity.expires_at, Some(4_102_444_800));
    let mut chosen = bearer(&sign(&claims()));
    chosen.insert("x-hasura-role", HeaderValue::from_static("viewer"));
    chosen.insert("x-hasura-user-id", HeaderValue::from_static("somebody-else"));
    let identity = auth.authenticate(&chosen).await.unwrap();
    assert_eq!(identity.session.role(), "viewer");
    assert_eq!(identity.session.variable("x-hasura-user-id"), Some("u1"), "header variables are not taken");
    chosen.insert("x-hasura-role", HeaderValue::from_static("admin"));
    assert_eq!(refusal(&auth, &chosen).await, ("access-denied", "Your requested role is not in allowed roles".into()));
}

#[tokio::test]
async fn tokens_are_refused_in_the_recorded_words() {
    let auth = authenticator(hs256(), None);
    let jwt = |why: &str| ("invalid-jwt", format!("Could not verify JWT: {why}"));
    let other_key = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims(),
        &EncodingKey::from_secret(b"another key that is long enough too"),
    )
    .unwrap();
    let hs512 =
        jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims(), &EncodingKey::from_secret(KEY.as_bytes()))
            .unwrap();
    let claims_with = |claims: Value| with(json!({ NAMESPACE: claims }));
    let cases = [
        (sign(&with(json!({"exp": 1}))), jwt("JWTExpired")),
        (sign(&with(json!({"nbf": 4_102_444_000i64}))), jwt("JWTNotYetValid")),
        (sign(&with(json!({"aud": "other"}))), jwt("JWTNotInAudience")),
        (sign(&with(json!({"iss": "other"}))), jwt("JWTNotInIssuer")),
        (other_key, jwt("JWSError JWSInvalidSignature")),
        (hs512, jwt("JWSError JWSInvalidSignature")),
        ("abc".into(), jwt("JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts; got 1)")),
        (sign(&with(json!({NAMESPACE: null}))), ("jwt-invalid-claims", format!("claims key: '{NAMESPACE}' not found"))),
        (
            sign(&claims_with(json!({"x-hasura-allowed-roles": ["user"]}))),
            ("jwt-missing-role-claims", "JWT claim does not contain \"x-hasura-default-role\"".into()),
        ),
        (
            sign(&claims_with(json!({"x-hasura-default-role": "user"}))),
            ("jwt-missing-role-claims", "JWT claim does not contain \"x-hasura-allowed-roles\"".into()),
        ),
        (
            sign(&claims_with(json!({"x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "ghost"}))),
            ("access-denied", "Your requested role is not in allowed roles".into()),
        ),
        (
            sign(&claims_with(json!({"x-hasura-allowed-roles": [""], "x-hasura-default-role": "user"}))),
            ("jwt-invalid-claims", "invalid \"x-hasura-allowed-roles\"; should be a list of roles".into()),
        ),
        (
            sign(&claims_with(json!({"x-hasura-allowed-roles": ["user"], "x-hasura-default-role": ""}))),
            ("jwt-invalid-claims", "invalid \"x-hasura-default-role\"; should be a role".into()),
        ),
        (
            sign(&claims_with(json!("{}"))),
            ("jwt-invalid-claims", "expecting a json object when claims_format is json".into()),
        ),
        (
            sign(&claims_with(json!({
                "x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "user", "x-hasura-user-id": 5,
            }))),
            (
                "jwt-invalid-claims",
                "x-hasura-* claims: parsing Text failed, expected String, but encountered Number".into(),
            ),
        ),
    ];
    for (token, expected) in cases {
        assert_eq!(refusal(&auth, &bearer(&token)).await, expected, "{token}");
    }
}

#[tokio::test]
async fn tokens_without_exp_or_audience_pass_as_recorded() {
    let auth = authenticator(hs256(), None);
    for changes in [json!({"exp": null}), json!({"aud": null}), json!({"aud": ["x", "northstack"]})] {
        assert!(auth.authenticate(&bearer(&sign(&with(changes)))).await.is_ok());
    }
}

#[tokio::test]
async fn forged_headers_are_refused() {
    use base64::Engine as _;
    let auth = authenticator(hs256(), None);
    let encode = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let good = sign(&claims());
    let signature = good.rsplit('.').next().unwrap();
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None"}),
        json!({"alg": "nOnE"}),
        json!({"alg": "RS256"}),
        json!({"alg": "HS256", "crit": ["x"]}),
        json!({"alg": "HS256", "enc": "A256GCM"}),
        json!({"alg": 5}),
        json!({}),
        json!([]),
    ] {
        for signature in ["", signature] {
            let token = format!("{}.{}.{signature}", encode(&header), encode(&claims()));
            assert_eq!(refusal(&auth, &bearer(&token)).await.0, "invalid-jwt", "{header}");
        }
    }
    for token in [format!("{good}x"), format!("{good}."), good[..good.len() - 3].to_owned(), "a".repeat(100_000)] {
        assert_eq!(refusal(&auth, &bearer(&token)).await.0, "invalid-jwt");
    }
}

#[tokio::test]
async fn numeric_dates_of_other_kinds_are_refused() {
    let auth = authenticator(hs256(), None);
    for exp in [json!("4102444800"), json!([]), json!({}), json!(true), json!(-5)] {
        assert_eq!(refusal(&auth, &bearer(&sign(&with(json!({"exp": exp}))))).await.0, "invalid-jwt");
    }
    assert!(auth.authenticate(&bearer(&sign(&with(json!({"exp": 4_102_444_800.5}))))).await.is_ok());
}

#[tokio::test]
async fn the_authorization_header_must_be_bearer() {
    let auth = authenticator(hs256(), Some("anonymous"));
    let token = sign(&claims());
    for value in [format!("Basic {token}"), format!("bearer {token}"), "Bearer ".into(), token] {
        assert_eq!(
            refusal(&auth, &headers(&[("authorization", &value)])).await,
            ("invalid-headers", "Malformed Authorization header".into())
        );
    }
}

#[tokio::test]
async fn the_admin_secret_decides_before_any_token() {
    let auth = authenticator(hs256(), None);
    let right = headers(&[
        ("x-hasura-admin-secret", "secret"),
        ("authorization", "Bearer bad"),
        ("x-hasura-role", "user"),
        ("X-Hasura-User-Id", "u9"),
    ]);
    let identity = auth.authenticate(&right).await.unwrap();
    assert!(identity.by_admin_secret);
    assert_eq!((identity.session.role(), identity.session.variable("x-hasura-user-id")), ("user", Some("u9")));
    assert!(!identity.session.variables().contains_key("x-hasura-admin-secret"));
    let wrong =
        headers(&[("x-hasura-admin-secret", "wrong"), ("authorization", &format!("Bearer {}", sign(&claims())))]);
    assert_eq!(
        refusal(&auth, &wrong).await,
        ("access-denied", "invalid \"x-hasura-admin-secret\"/\"x-hasura-access-key\"".into())
    );
}

#[tokio::test]
async fn while_the_admin_secret_is_changed_both_are_the_admins() {
    let auth = Authenticator::new(["old-secret", "new-secret"].map(str::to_owned), Vec::new(), None);
    for right in ["old-secret", "new-secret"] {
        let identity = auth.authenticate(&headers(&[("x-hasura-admin-secret", right)])).await.unwrap();
        assert!(identity.by_admin_secret);
    }
    for wrong in ["", "old-secretnew-secret", "old-secre"] {
        let given = headers(&[("x-hasura-admin-secret", wrong)]);
        assert_eq!(refusal(&auth, &given).await.0, "access-denied", "{wrong}");
    }
}

/// A token under a key id, signed by the Ed25519 key of a seed; and that key as a JWK under an id.
fn signed_under(kid: Option<&str>, seed: u8) -> String {
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).to_pkcs8_der().unwrap();
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_ed_der(key.as_bytes())).unwrap()
}

fn jwk(kid: &str, seed: u8) -> Value {
    use base64::Engine as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key();
    let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.as_bytes());
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x})
}

#[tokio::test]
async fn a_stated_set_verifies_by_the_key_that_a_token_names() {
    let auth = authenticator(json!({"jwks": {"keys": [jwk("old", 1), jwk("new", 2)]}}), None);
    for right in [signed_under(Some("old"), 1), signed_under(Some("new"), 2), signed_under(None, 2)] {
        assert!(auth.authenticate(&bearer(&right)).await.is_ok(), "{right}");
    }
    let invalid = ("invalid-jwt", "Could not verify JWT: JWSError JWSInvalidSignature".to_owned());
    for wrong in [signed_under(Some("old"), 2), signed_under(Some("other"), 1), signed_under(None, 3)] {
        assert_eq!(refusal(&auth, &bearer(&wrong)).await, invalid, "{wrong}");
    }
}

/// A token whose header and claims are written as text, signed by the Ed25519 key of a seed.
fn written(header: &str, claims: &str, seed: u8) -> String {
    use base64::Engine as _;
    use ed25519_dalek::Signer as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).sign(signed.as_bytes());
    format!("{signed}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

#[tokio::test]
async fn a_strict_verifier_takes_only_tokens_that_say_everything_once() {
    let config =
        |strict: bool| json!({"jwks": {"keys": [jwk("new", 2)]}, "issuer": "i", "audience": "a", "strict": strict});
    let hasura = format!(
        r#""{NAMESPACE}": {{"x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "user", "x-hasura-user-id": "u1"}}"#
    );
    let header = r#"{"alg":"EdDSA","kid":"new"}"#;
    let right = r#""iss": "i", "aud": "a", "sub": "u1", "exp": 4102444800"#;
    let (strict, hasuras) = (authenticator(config(true), None), authenticator(config(false), None));
    let token = |header: &str, claims: &str| bearer(&written(header, &format!("{{{claims}, {hasura}}}"), 2));
    assert!(strict.authenticate(&token(header, right)).await.is_ok());
    assert!(strict.authenticate(&token(header, &format!("{right}, \"nbf\": 5"))).await.is_ok());
    for (name, header, claims) in [
        ("no exp", header, r#""iss": "i", "aud": "a", "sub": "u1""#),
        ("no iss", header, r#""aud": "a", "sub": "u1", "exp": 4102444800"#),
        ("no aud", header, r#""iss": "i", "sub": "u1", "exp": 4102444800"#),
        ("no sub", header, r#""iss": "i", "aud": "a", "exp": 4102444800"#),
        ("another sub", header, r#""iss": "i", "aud": "a", "sub": "u2", "exp": 4102444800"#),
        ("exp twice", header, r#""exp": 5, "iss": "i", "aud": "a", "sub": "u1", "exp": 4102444800"#),
        ("exp 1e300", header, r#""iss": "i", "aud": "a", "sub": "u1", "exp": 1e300"#),
        ("a fraction", header, r#""iss": "i", "aud": "a", "sub": "u1", "exp": 4102444800.5"#),
        ("no kid", r#"{"alg":"EdDSA"}"#, right),
    ] {
        let given = token(header, claims);
        assert_eq!(refusal(&strict, &given).await.0, "invalid-jwt", "{name}");
        if name != "another sub" && name != "exp twice" {
            assert!(hasuras.authenticate(&given).await.is_ok(), "{name}: Hasura takes it");
        }
    }
    for foreign in [r#""jku":"https://x""#, r#""jwk":{}"#, r#""x5u":"https://x""#, r#""zip":"DEF""#] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"new",{foreign}}}"#);
        assert_eq!(refusal(&strict, &token(&header, right)).await.0, "invalid-jwt", "{foreign}");
    }
}

#[tokio::test]
async fn of_two_tokens_none_counts() {
    let auth = authenticator(hs256(), Some("anonymous"));
    let bearer = format!("Bearer {}", sign(&claims()));
    let several = ("invalid-headers", "Could not verify JWT: Multiple JWTs found".to_owned());
    let twice = headers_of(&[("authorization", &bearer), ("authorization", &bearer)]);
    assert_eq!(refusal(&auth, &twice).await, several);
    // One of another issuer is none of ours.
    let foreign = format!("Bearer {}", sign(&with(json!({"iss": "https://other.test"}))));
    let identity = auth.authenticate(&headers_of(&[("authorization", &foreign), ("authorization", &bearer)])).await;
    assert_eq!(identity.unwrap().session.role(), "user");
}

fn headers_of(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut all = HeaderMap::new();
    for (name, value) in pairs {
        all.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    all
}

#[tokio::test]
async fn without_credentials_the_unauthorized_role_has_no_variables() {
    let claimed = headers(&[("x-hasura-role", "user"), ("x-hasura-user-id", "u1")]);
    let identity = authenticator(hs256(), Some("anonymous")).authenticate(&claimed).await.unwrap();
    assert_eq!(identity.session.to_json(), r#"{"x-hasura-role":"anonymous"}"#);
    let auth = authenticator(hs256(), None);
    assert_eq!(
        refusal(&auth, &claimed).await,
        ("invalid-headers", "Missing 'Authorization' or 'Cookie' header in JWT authentication mode".into())
    );
    let auth = Authenticator::new(Some("secret".into()), Vec::new(), None);
    assert_eq!(refusal(&auth, &claimed).await.0, "access-denied");
}

#[tokio::test]
async fn claims_may_be_elsewhere() {
    let roles = json!({"x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "user", "X-Hasura-Team": "t"});
    let cases = [
        (json!({"claims_namespace": "c", "claims_format": "stringified_json"}), json!({"c": roles.to_string()})),
        (json!({"claims_namespace_path": "$.deep['er']"}), json!({"deep": {"er": roles}})),
        (
            json!({"claims_map": {
                "x-hasura-allowed-roles": ["user"],
                "x-hasura-default-role": {"path": "$.role", "default": "user"},
                "X-Hasura-Team": {"path": "$.team"},
            }}),
            json!({"team": "t"}),
        ),
    ];
    for (config, token) in cases {
        let mut merged = json!({"type": "HS256", "key": KEY});
        merged.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let identity = authenticator(merged, None).authenticate(&bearer(&sign(&token))).await.unwrap();
        assert_eq!(identity.session.variable("x-hasura-team"), Some("t"), "{config}");
    }
}

#[tokio::test]
async fn tokens_travel_in_cookies_and_custom_headers() {
    let token = sign(&claims());
    let mut config = hs256();
    config["header"] = json!({"type": "Cookie", "name": "session"});
    let cookie = headers(&[("cookie", &format!("a=b; session={token}; c=d"))]);
    assert!(authenticator(config.clone(), None).authenticate(&cookie).await.is_ok());
    config["header"] = json!({"type": "CustomHeader", "name": "x-token"});
    assert!(authenticator(config, None).authenticate(&headers(&[("x-token", &token)])).await.is_ok());
}

#[test]
fn bad_configurations_name_the_field() {
    let refused = |config: Value| {
        let config: JwtConfig = serde_json::from_value(config).unwrap();
        JwtVerifier::new(config, Outbound::new([]).unwrap().http).err().map(|error| error.field)
    };
    assert_eq!(refused(json!({"type": "HS256", "key": "short"})), Some("key"));
    assert_eq!(refused(json!({"type": "RS256", "key": "not pem"})), Some("key"));
    assert_eq!(refused(json!({"type": "none", "key": KEY})), Some("type"));
    assert_eq!(refused(json!({"key": KEY})), Some("type"));
    assert_eq!(refused(json!({"type": "HS256"})), Some("key"));
    assert_eq!(refused(json!({"jwk_url": "file:///etc/passwd"})), Some("jwk_url"));
    let good = jwk("one", 1);
    for set in [
        json!([good]),
        json!({"keys": []}),
        json!({"keys": [good, {"kty": "oct", "k": "AAAA"}]}),
        json!({"keys": [{}]}),
    ] {
        assert_eq!(refused(json!({"jwks": set})), Some("jwks"));
    }
    assert_eq!(refused(json!({"jwks": {"keys": [good]}, "jwk_url": "https://example.com"})), Some("key"));
    assert_eq!(refused(json!({"type": "HS256", "key": KEY, "claims_format": "xml"})), Some("claims_format"));
    assert_eq!(refused(json!({"type": "HS256", "key": KEY, "claims_map": {"user": "x"}})), Some("claims_map"));
}
