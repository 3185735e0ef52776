//! URL templates of endpoints: `segment/:variable/segment`.

use percent_encoding::percent_decode_str;

use crate::metadata::RestEndpoint;

/// The variables of a path that fits the template, decoded; nothing when it does not fit.
pub(super) fn bind(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != given.len() {
        return None;
    }
    let mut bound = Vec::new();
    for (wanted, given) in wanted.iter().zip(given) {
        let given = percent_decode_str(given).decode_utf8().ok()?;
        match wanted.strip_prefix(':') {
            Some(name) => bound.push((name.to_owned(), given.into_owned())),
            None if *wanted == given => {}
            None => return None,
        }
    }
    Some(bound)
}

/// Refuses a template with empty segments, unnamed or repeated variables.
pub(crate) fn check(template: &str) -> Result<(), String> {
    if template.split('/').any(|segment| segment.is_empty() || segment == ":") {
        return Err(format!("Empty segments or unnamed variables are not allowed: {template}"));
    }
    let names: Vec<&str> = template.split('/').filter_map(|segment| segment.strip_prefix(':')).collect();
    let mut seen = std::collections::HashSet::new();
    match names.iter().all(|name| seen.insert(*name)) {
        true => Ok(()),
        false => Err(format!("Duplicate variables found in endpoint path: {template}")),
    }
}

/// The endpoints of which some request would match several.
pub(crate) fn ambiguous(endpoints: &[RestEndpoint]) -> Vec<&RestEndpoint> {
    let overlap = |a: &RestEndpoint, b: &RestEndpoint| {
        let (left, right): (Vec<_>, Vec<_>) = (a.url.split('/').collect(), b.url.split('/').collect());
        a.methods.iter().any(|method| b.methods.contains(method))
            && left.len() == right.len()
            && left.iter().zip(right).all(|(l, r)| l.starts_with(':') || r.starts_with(':') || *l == r)
    };
    endpoints
        .iter()
        .filter(|endpoint| endpoints.iter().any(|other| other.name != endpoint.name && overlap(endpoint, other)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_bind_decoded_segments() {
        assert_eq!(bind("v1/apps/:slug/x", "v1/apps/a%20b/x"), Some(vec![("slug".to_owned(), "a b".to_owned())]));
        assert_eq!(bind("v1/apps/:slug", "v1/apps/a/b"), None);
        assert_eq!(bind("v1/apps", "v1/other"), None);
    }

    #[test]
    fn malformed_templates_are_refused() {
        for template in ["/x/", "foo//bar", "foo/", "foo/:/bar", ""] {
            assert!(check(template).is_err(), "{template}");
        }
        assert_eq!(
            check("foo/:id/bar/:id"),
            Err("Duplicate variables found in endpoint path: foo/:id/bar/:id".to_owned())
        );
        assert_eq!(check("foo/:id/bar/:other"), Ok(()));
    }
}
