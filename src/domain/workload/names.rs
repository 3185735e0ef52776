//! Names of namespaces and objects in a cluster.

use uuid::Uuid;

use crate::domain::{Error, Result};

/// The longest DNS label (RFC 1123).
const LONGEST_LABEL: usize = 63;
/// The longest name of a workload: its objects append up to 22 characters.
const LONGEST_WORKLOAD: usize = 40;

/// What objects beside a workload's own append to its name: no workload's name ends so, or one application's objects would
/// be taken for another's.
const BESIDE: [&str; 3] = ["-green", "-canary", "-preview"];

/// Whether text is a DNS label: 1 to 63 characters of a-z, 0-9 and `-`, and no `-` at either end.
pub fn is_label(text: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Refuses a name that is no DNS label.
///
/// # Errors
/// `invalid-input` that names the field.
pub fn label(field: &str, text: &str) -> Result<()> {
    if is_label(text) {
        return Ok(());
    }
    let message =
        format!("{field}: a name has 1 to 63 characters of a-z, 0-9 and `-`, and begins and ends with none of `-`");
    Err(Error::invalid(field, message))
}

/// The namespace of a project's environment. Two projects or environments never share one: the whole id is in it.
pub fn namespace(project: Uuid, environment: &str) -> String {
    format!("env-{environment}-{}", short(project))
}

/// The namespace of a preview environment, which it has to itself.
pub fn preview_namespace(preview: Uuid, name: &str) -> String {
    format!("preview-{}-{}", cut(name, 28), short(preview))
}

/// The name of an application's objects in its namespace: its own name, if that can be a Service's (RFC 1035),
/// leaves room for what is appended, and does not look as if it were.
pub fn workload(application: &str) -> String {
    let own = application.len() <= LONGEST_WORKLOAD && application.starts_with(|c: char| c.is_ascii_lowercase());
    let name = if own { application.to_owned() } else { format!("app-{}", cut(application, LONGEST_WORKLOAD - 4)) };
    if BESIDE.iter().any(|end| name.ends_with(end)) {
        format!("{}-app", cut(&name, LONGEST_WORKLOAD - 4))
    } else {
        name
    }
}

/// The same for an application whose plain name belongs to another one's objects.
pub fn distinct_workload(application: &str, id: Uuid) -> String {
    let short = short(id);
    format!("{}-{}", cut(&workload(application), LONGEST_WORKLOAD - 11), short.get(..10).unwrap_or(&short))
}

fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text).trim_end_matches('-')
}

/// The whole of an id in 25 characters of a-z and 0-9.
fn short(id: Uuid) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = id.as_u128();
    let mut text = [b'0'; 25];
    for place in text.iter_mut().rev() {
        *place = DIGITS[usize::try_from(rest % 36).unwrap_or(0)];
        rest /= 36;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// Whether text is the name of an environment variable: letters, digits and `_`, and no digit first.
pub fn is_variable(text: &str) -> bool {
    text.len() <= 255
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_and_differ_where_their_owners_do() {
        let (one, two) = (Uuid::from_u128(1), Uuid::max());
        let longest = "a".repeat(32);
        for name in [namespace(two, &longest), preview_namespace(two, &"b".repeat(63)), namespace(one, "x")] {
            assert!(is_label(&name), "{name}");
        }
        assert_ne!(namespace(one, "production"), namespace(two, "production"));
        assert_ne!(namespace(one, "production"), namespace(one, "staging"));
        assert_eq!(short(Uuid::nil()).len(), 25);
        assert_eq!(short(two), "f5lxx1zz5pnorynqglhzmsp33");
        let named =
            [("api", "api"), ("2nd", "app-2nd"), ("api-canary", "api-canary-app"), ("3-green", "app-3-green-app")];
        for (application, wanted) in named {
            assert_eq!(workload(application), wanted);
        }
        let long = format!("{}-{}", "a".repeat(35), "b".repeat(20));
        assert!(workload(&long).len() <= LONGEST_WORKLOAD && is_label(&workload(&long)));
        let distinct = distinct_workload(&long, two);
        assert!(distinct.len() <= LONGEST_WORKLOAD && is_label(&distinct), "{distinct}");
        for wrong in ["", "-a", "a-", "A", "a_b", "a.b", "..", "$(cmd)", "ä", "{{x}}", &"a".repeat(64)] {
            assert_eq!(label("name", wrong).unwrap_err().field(), Some("name"), "{wrong}");
        }
        for wrong in ["", "1A", "A=B", "A B", "A-B", "Ä", "A\n", &"A".repeat(256)] {
            assert!(!is_variable(wrong), "{wrong}");
        }
        assert!(is_variable("_A1"));
    }
}
