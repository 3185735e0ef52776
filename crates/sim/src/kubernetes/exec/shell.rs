//! A small POSIX shell: words with quotes and variables, `;`, newlines, `&&`, `||`, `!`, pipes, and redirections to
//! `/dev/null`, `&1` and `&2`. What it does not know it refuses as a syntax error, with exit code 2.

use std::collections::BTreeMap;

/// One piece of a script.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// `;` or a newline.
    Next,
    And,
    Or,
    Pipe,
    /// Which stream goes where: `(2, "/dev/null")`, `(1, "&2")`.
    Redirect(u8, String),
}

/// When a pipeline runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Succeeded,
    Failed,
}

/// A command with its redirections.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Command {
    pub(super) words: Vec<String>,
    pub(super) redirects: Vec<(u8, String)>,
}

/// Commands joined by pipes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    pub(super) when: When,
    pub(super) commands: Vec<Command>,
}

const RESERVED: &[&str] =
    &["if", "then", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "{", "}"];

/// Reads a script; words keep `\u{1}NAME\u{2}` where a variable is to be filled in when the command runs.
pub(super) fn parse(script: &str) -> Result<Vec<Pipeline>, String> {
    let mut pipelines = Vec::new();
    let mut current = Pipeline { when: When::Always, commands: vec![Command::default()] };
    for token in tokens(script)? {
        match token {
            Token::Word(word) => {
                let command = last(&mut current);
                if command.words.is_empty() && RESERVED.contains(&word.as_str()) {
                    return Err(format!("sh: syntax error: unexpected {word:?}"));
                }
                command.words.push(word);
            }
            Token::Redirect(stream, to) => last(&mut current).redirects.push((stream, to)),
            Token::Pipe => current.commands.push(Command::default()),
            Token::Next => finish(&mut pipelines, &mut current, When::Always),
            Token::And => finish(&mut pipelines, &mut current, When::Succeeded),
            Token::Or => finish(&mut pipelines, &mut current, When::Failed),
        }
    }
    finish(&mut pipelines, &mut current, When::Always);
    Ok(pipelines)
}

fn last(pipeline: &mut Pipeline) -> &mut Command {
    if pipeline.commands.is_empty() {
        pipeline.commands.push(Command::default());
    }
    let index = pipeline.commands.len() - 1;
    &mut pipeline.commands[index]
}

fn finish(done: &mut Vec<Pipeline>, current: &mut Pipeline, when: When) {
    let fresh = Pipeline { when, commands: vec![Command::default()] };
    let old = std::mem::replace(current, fresh);
    if old.commands.iter().any(|command| !command.words.is_empty()) {
        done.push(old);
    }
}

fn tokens(script: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' => {}
            '\n' | ';' => tokens.push(Token::Next),
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '&' if chars.next_if_eq(&'&').is_some() => tokens.push(Token::And),
            '&' | '(' | ')' | '<' | '`' => return Err(format!("sh: syntax error: unexpected \"{c}\"")),
            '|' if chars.next_if_eq(&'|').is_some() => tokens.push(Token::Or),
            '|' => tokens.push(Token::Pipe),
            '>' => tokens.push(Token::Redirect(1, target(&mut chars)?)),
            '1' | '2' if chars.peek() == Some(&'>') => {
                chars.next();
                let stream = if c == '2' { 2 } else { 1 };
                tokens.push(Token::Redirect(stream, target(&mut chars)?));
            }
            _ => tokens.push(Token::Word(word(c, &mut chars)?)),
        }
    }
    Ok(tokens)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn target(chars: &mut Chars<'_>) -> Result<String, String> {
    while chars.next_if(|c| matches!(c, '>' | ' ')).is_some() {}
    if chars.next_if_eq(&'&').is_some() {
        let stream = chars.next().ok_or("sh: syntax error: unexpected end of file")?;
        return Ok(format!("&{stream}"));
    }
    let first = chars.next().ok_or("sh: syntax error: unexpected end of file")?;
    word(first, chars)
}

fn word(first: char, chars: &mut Chars<'_>) -> Result<String, String> {
    let mut word = String::new();
    let mut next = Some(first);
    while let Some(c) = next {
        match c {
            '\'' => loop {
                match chars.next() {
                    Some('\'') => break,
                    Some(c) => word.push(c),
                    None => return Err("sh: syntax error: unterminated quoted string".to_owned()),
                }
            },
            '"' => quoted(chars, &mut word)?,
            '\\' => {
                if let Some(escaped) = chars.next()
                    && escaped != '\n'
                {
                    word.push(escaped);
                }
            }
            '$' => variable(chars, &mut word)?,
            _ => word.push(c),
        }
        next = chars.next_if(|c| !matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '>' | '<' | '(' | ')'));
    }
    Ok(word)
}

fn quoted(chars: &mut Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => {}
            },
            Some('$') => variable(chars, word)?,
            Some(c) => word.push(c),
            None => return Err("sh: syntax error: unterminated quoted string".to_owned()),
        }
    }
}

fn variable(chars: &mut Chars<'_>, word: &mut String) -> Result<(), String> {
    if chars.peek() == Some(&'(') {
        return Err("sh: syntax error: command substitution is not known here".to_owned());
    }
    let braced = chars.next_if_eq(&'{').is_some();
    let mut name = String::new();
    if !braced && let Some(special) = chars.next_if(|c| matches!(c, '?' | '$' | '#' | '@')) {
        name.push(special);
    } else {
        while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
    }
    if braced && chars.next() != Some('}') {
        return Err("sh: syntax error: bad substitution".to_owned());
    }
    if name.is_empty() {
        word.push('$');
    } else {
        word.push('\u{1}');
        word.push_str(&name);
        word.push('\u{2}');
    }
    Ok(())
}

/// Fills in the variables of a word; `code` is that of the last command.
pub(super) fn fill(word: &str, env: &BTreeMap<String, String>, code: i64) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('\u{1}') {
        out.push_str(before);
        let (name, tail) = after.split_once('\u{2}').unwrap_or((after, ""));
        match name {
            "?" => out.push_str(&code.to_string()),
            "$" => out.push('1'),
            _ => out.push_str(env.get(name).map_or("", String::as_str)),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<Vec<String>> {
        let parsed = parse(script).unwrap();
        parsed.into_iter().flat_map(|pipeline| pipeline.commands).map(|command| command.words).collect()
    }

    #[test]
    fn words_keep_their_quotes_content() {
        assert_eq!(words(r#"echo 'a b' "c \"d\"" e\ f"#), [["echo", "a b", "c \"d\"", "e f"]]);
    }

    #[test]
    fn connectors_say_when_a_command_runs() {
        let parsed = parse("test -f x && echo yes || echo no; true").unwrap();
        let when: Vec<When> = parsed.iter().map(|pipeline| pipeline.when).collect();
        assert_eq!(when, [When::Always, When::Succeeded, When::Failed, When::Always]);
    }

    #[test]
    fn what_is_not_known_is_a_syntax_error() {
        assert!(parse("echo $(date)").is_err());
        assert!(parse("if true; then echo; fi").is_err());
        assert!(parse("echo 'open").is_err());
    }

    #[test]
    fn variables_are_filled_in_late() {
        let parsed = parse("echo \"$NAME is ${NAME}\" '$NAME' $?").unwrap();
        let env = BTreeMap::from([("NAME".to_owned(), "x".to_owned())]);
        let filled: Vec<String> = parsed[0].commands[0].words.iter().map(|word| fill(word, &env, 3)).collect();
        assert_eq!(filled, ["echo", "x is x", "$NAME", "3"]);
    }
}
