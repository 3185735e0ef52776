//! The `path` argument of JSON columns: `a.b[0]["c d"]`, with or without a leading `$`.

/// The steps of a path.
pub fn parse(path: &str) -> Result<Vec<String>, String> {
    let fail = || {
        format!(
            "parse json path error: {path}. Accept letters, digits, underscore (_) or hyphen (-) only. Use quotes enclosed in bracket ([\"...\"]) if there is any special character"
        )
    };
    let mut steps = Vec::new();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut first = true;
    while !rest.is_empty() {
        // `a.["b"]` means `a["b"]`.
        if let Some(bracket) = rest.strip_prefix('.').filter(|after| after.starts_with('[')) {
            rest = bracket;
        }
        if let Some(inner) = rest.strip_prefix('[') {
            let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (step, after) = match quote {
                Some(quote) => {
                    let inner = inner.get(1..).ok_or_else(fail)?;
                    let close = format!("{quote}]");
                    inner.split_once(&close).ok_or_else(fail)?
                }
                None => {
                    let (step, after) = inner.split_once(']').ok_or_else(fail)?;
                    if step.is_empty() || !step.bytes().all(|byte| byte.is_ascii_digit()) {
                        return Err(fail());
                    }
                    (step, after)
                }
            };
            steps.push(step.to_owned());
            rest = after;
        } else {
            let name = match rest.strip_prefix('.') {
                Some(name) => name,
                None if first => rest,
                None => return Err(fail()),
            };
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (step, after) = name.split_at(end);
            let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
            if step.is_empty() || !step.chars().all(fits) {
                return Err(fail());
            }
            steps.push(step.to_owned());
            rest = after;
        }
        first = false;
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(parse("$.a.b[0][\"c d\"]").unwrap(), ["a", "b", "0", "c d"]);
        assert_eq!(parse("a").unwrap(), ["a"]);
        assert_eq!(parse("a[0].[\"你好\"]").unwrap(), ["a", "0", "你好"]);
        assert_eq!(parse("$").unwrap(), [""; 0]);
        for bad in ["a[", "a..b", "a b", "[x]", "['a\"]", "a["] {
            assert!(parse(bad).is_err_and(|message| message.contains(bad)), "{bad}");
        }
    }
}
