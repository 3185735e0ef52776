//! Texts as WordPress keeps them: a site's title with entities for the characters that mean something in HTML
//! (`sanitize_option`, `esc_html`).

/// A text with entities; what is an entity already is left.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (place, c) in text.char_indices() {
        match c {
            '&' if is_entity(text.get(place + 1..).unwrap_or_default()) => out.push('&'),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#039;"),
            _ => out.push(c),
        }
    }
    out
}

fn is_entity(rest: &str) -> bool {
    let Some((name, _)) = rest.split_once(';') else { return false };
    match name.strip_prefix('#') {
        Some(number) => number.parse::<u32>().is_ok_and(|code| code >= 32 && char::from_u32(code).is_some()),
        None => matches!(name, "amp" | "lt" | "gt" | "quot" | "nbsp" | "copy" | "reg" | "euro" | "eacute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_kept_with_entities() {
        assert_eq!(escaped("Tom & Jerry's <b>"), "Tom &amp; Jerry&#039;s &lt;b&gt;");
        assert_eq!(escaped("a &amp; &foo; &#65;"), "a &amp; &amp;foo; &#65;");
    }
}
