//! Who is calling: JWT and JWKS, passwords, refresh tokens, action secret → [`crate::domain::Actor`].
