//! What a visitor reads on a page of WordPress, which writes text otherwise than it was given: `&` as an entity, quotes
//! and dashes as typographers do.

/// Text with HTML's entities replaced by what they stand for, as far as WordPress writes them.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let entity = after.get(1..).and_then(|after| after.split_once(';'));
        match entity.and_then(|(name, tail)| Some((meaning(name)?, tail))) {
            Some((character, tail)) => {
                out.push(character);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

fn meaning(entity: &str) -> Option<char> {
    let number = match entity.strip_prefix('#') {
        None => {
            return match entity {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                "nbsp" => Some('\u{a0}'),
                _ => None,
            };
        }
        Some(number) => number,
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok(),
        None => number.parse().ok(),
    };
    code.and_then(char::from_u32).filter(|character| !character.is_control())
}

/// Whether a page shows a text: by its letters and digits, for the signs between them are set anew.
pub(super) fn shows(page: &str, text: &str) -> bool {
    letters(&decoded(page)).contains(&letters(&decoded(text)))
}

fn letters(text: &str) -> String {
    // WordPress makes `9x9` of `9×9`, and `™` of `(tm)`.
    let text = text.replace('\u{d7}', "x").replace('\u{2122}', "tm");
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_become_what_they_stand_for() {
        assert_eq!(decoded("Tom &amp; Jerry&#039;s &#x1F600; &lt;b&gt;"), "Tom & Jerry's \u{1f600} <b>");
        // What is no entity of WordPress's stays, and nothing is replaced twice.
        assert_eq!(decoded("a & b; &foo; &#7; &amp;lt; &"), "a & b; &foo; &#7; &lt; &");
    }

    #[test]
    fn a_name_is_found_however_it_is_set() {
        let page = "<title>Tom &amp; Jerry&#8217;s &#8211; 9&#215;9 &#8220;Best&#8221; WordPress&#8482;</title>";
        for name in ["Tom & Jerry's", "9x9 \"best\"", "Wordpress (tm)", "Jerry's -- 9x9", "\u{1f600}\u{1f600}"] {
            assert!(shows(page, name), "{name}");
        }
        assert!(!shows(page, "Tim & Jerry's"));
    }
}
