//! Who asks: a role and session variables, whose names are case-insensitive.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The role that sees and may do everything.
pub const ADMIN: &str = "admin";

/// Who asks. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    role: Arc<str>,
    variables: Arc<BTreeMap<String, String>>,
    backend: bool,
}

impl Session {
    /// A session of a role with its variables; names are folded to lower case and `x-hasura-role` is set.
    pub fn new<N: AsRef<str>, V: Into<String>>(role: &str, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut folded: BTreeMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.into())).collect();
        folded.insert("x-hasura-role".to_owned(), role.to_owned());
        Self { role: role.into(), variables: Arc::new(folded), backend: false }
    }

    /// The admin without further variables.
    pub fn admin() -> Self {
        Self::new(ADMIN, [] as [(&str, &str); 0])
    }

    /// The same session with mutations that are for backends only (`x-hasura-use-backend-only-permissions`, which
    /// counts only next to the admin secret).
    pub fn with_backend_permissions(mut self, backend: bool) -> Self {
        self.backend = backend;
        self
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Whether the role is [`ADMIN`].
    pub fn is_admin(&self) -> bool {
        &*self.role == ADMIN
    }

    /// Whether mutations for backends only are offered.
    pub fn has_backend_permissions(&self) -> bool {
        self.backend
    }

    /// A variable by its name in any case.
    pub fn variable(&self, name: &str) -> Option<&str> {
        match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => self.variables.get(&name.to_ascii_lowercase()),
            false => self.variables.get(name),
        }
        .map(String::as_str)
    }

    /// All variables, names in lower case and in order, the role among them.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The variables as a JSON object, as `hasura.user`, actions and session arguments carry them.
    pub fn to_json(&self) -> String {
        // A map of strings always serialises.
        serde_json::to_string(&*self.variables).unwrap_or_default()
    }
}

/// Whether a value of a permission names a session variable, as Hasura tells: it begins with `x-hasura-` in any case.
pub fn is_session_variable(text: &str) -> bool {
    text.get(..9).is_some_and(|prefix| prefix.eq_ignore_ascii_case("x-hasura-")) && text.len() > 9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_insensitive_and_the_role_is_a_variable() {
        let session = Session::new("user", [("X-Hasura-User-Id", "7")]);
        assert_eq!(session.variable("x-hasura-USER-id"), Some("7"));
        assert_eq!(session.variable("x-hasura-role"), Some("user"));
        assert_eq!(session.to_json(), r#"{"x-hasura-role":"user","x-hasura-user-id":"7"}"#);
    }

    #[test]
    fn a_session_variable_is_told_from_a_literal() {
        assert!(is_session_variable("X-Hasura-User-Id") && is_session_variable("x-hasura-user-id"));
        assert!(
            !is_session_variable("x-hasura-") && !is_session_variable("xhasura") && !is_session_variable("é-hasura-x")
        );
    }
}
