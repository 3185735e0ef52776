//! What somebody may have meant who mistyped a name.

/// The question after a name that nothing has: ` did you mean "hello"?`, where a name is near enough.
pub fn meant<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let text = text.to_lowercase();
    let near = names.into_iter().map(|name| {
        let lower = name.to_lowercase();
        // One letter too many, too few or out of its place.
        let one = text.len() > 2 && strsim::damerau_levenshtein(&text, &lower) == 1;
        (if one { 1.0 } else { strsim::jaro_winkler(&text, &lower) }, name)
    });
    let best = near.filter(|(near, _)| *near > 0.8).max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.map(|(_, name)| format!(" did you mean {name:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_neighbour_and_another_none() {
        let names = ["hello", "api", "My Shop"];
        assert_eq!(meant("helo", names), " did you mean \"hello\"?");
        assert_eq!(meant("aip", names), " did you mean \"api\"?");
        assert_eq!(meant("my shopp", names), " did you mean \"My Shop\"?");
        assert_eq!(meant("zzzzz", names), "");
        assert_eq!(meant("x", []), "");
    }
}
