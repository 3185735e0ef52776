//! Texts of others, made short enough to be shown.

/// The first line of a text, of at most so many characters; what is longer ends at a word, with an ellipsis.
pub fn first_line(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let Some((end, _)) = line.char_indices().nth(most) else { return line.to_owned() };
    let cut = line.get(..end).unwrap_or(line);
    // A text without blanks is cut where it has to be.
    let whole = cut.rfind(char::is_whitespace).and_then(|blank| cut.get(..blank)).unwrap_or(cut);
    format!("{} …", whole.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_cut_where_there_are_words() {
        assert_eq!(first_line("all of it\nand more", 20), "all of it");
        assert_eq!(first_line("the manifest was not found", 20), "the manifest was …");
        assert_eq!(first_line("ääääääää", 3), "äää …");
        assert_eq!(first_line("", 3), "");
    }
}
