//! PostgreSQL's text form of an array, in which lists are bound as values.

/// The text of an array.
pub fn array_literal(items: impl Iterator<Item = Option<String>>) -> String {
    let mut text = String::from("{");
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        match item {
            None => text.push_str("NULL"),
            Some(item) => {
                text.push('"');
                for character in item.chars() {
                    if matches!(character, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(character);
                }
                text.push('"');
            }
        }
    }
    text.push('}');
    text
}

/// The elements of an array from its text, as [`array_literal`] writes it.
pub fn array_elements(literal: &str) -> Vec<Option<String>> {
    let mut elements = Vec::new();
    let mut characters = literal.chars();
    while let Some(character) = characters.next() {
        match character {
            'N' => elements.push(None),
            '"' => {
                let mut text = String::new();
                while let Some(inner) = characters.next() {
                    match inner {
                        '"' => break,
                        '\\' => text.extend(characters.next()),
                        other => text.push(other),
                    }
                }
                elements.push(Some(text));
            }
            _ => {}
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_of_an_array_are_those_that_were_written() {
        let elements = [Some("a"), None, Some("NULL"), Some(""), Some("\"x\\"), Some("{b,N}"), Some("é N")];
        let elements: Vec<Option<String>> = elements.map(|element| element.map(str::to_owned)).into();
        assert_eq!(array_elements(&array_literal(elements.iter().cloned())), elements);
        assert_eq!(array_elements("{}"), []);
    }
}
