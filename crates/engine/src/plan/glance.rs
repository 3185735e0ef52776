//! A look at a document's bytes before it is parsed: one that goes beyond what may be asked costs a glance, not a parse.

use super::bounds::Bounds;
use crate::error::{ErrorCode, GraphqlError};
use crate::options::Limits;

/// What of a document goes beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Deeper brackets than the parser follows for anyone.
    Parser,
    /// More than so many tokens.
    Tokens(usize),
    /// More than so many aliases.
    Aliases(usize),
    /// More than so many directives.
    Directives(usize),
}

impl From<Beyond> for GraphqlError {
    fn from(beyond: Beyond) -> Self {
        let (code, what, most) = match beyond {
            Beyond::Parser => return Self::validation("$.query", "not a valid graphql query"),
            Beyond::Tokens(most) => (ErrorCode::ExceededTokenLimit, "tokens", most),
            Beyond::Aliases(most) => (ErrorCode::ExceededAliasLimit, "aliases", most),
            Beyond::Directives(most) => (ErrorCode::ExceededDirectiveLimit, "directives", most),
        };
        Self::new(code, format!("the document has over {most} {what}; at most {most} are allowed"))
    }
}

/// Looks until something goes beyond. Text that is no GraphQL is left to the parser.
pub(super) fn look(text: &str, limits: &Limits, bounds: Option<&Bounds>) -> Option<Beyond> {
    let mut seen = Seen::default();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                rest = after;
                continue;
            }
            b'#' => {
                rest =
                    after.iter().position(|byte| *byte == b'\n').and_then(|end| after.get(end..)).unwrap_or_default();
                continue;
            }
            b'"' => string(after),
            b'.' => after.strip_prefix(b"..").unwrap_or(after),
            byte if word(*byte) => {
                // The point of a number; what it joins to a name is counted too low, which the parser mends.
                let end = after.iter().position(|byte| !word(*byte) && *byte != b'.').unwrap_or(after.len());
                after.get(end..).unwrap_or_default()
            }
            other => {
                seen.punctuator(*other);
                after
            }
        };
        seen.tokens += 1;
        if seen.depth > limits.recursion {
            return Some(Beyond::Parser);
        }
        if let Some(bounds) = bounds {
            if seen.tokens > bounds.tokens {
                return Some(Beyond::Tokens(bounds.tokens));
            }
            if seen.aliases > bounds.aliases {
                return Some(Beyond::Aliases(bounds.aliases));
            }
            if seen.directives > bounds.directives {
                return Some(Beyond::Directives(bounds.directives));
            }
        }
    }
    None
}

/// Whether a document mentions a root field of introspection, be it only in a string or a comment.
pub fn introspects(text: &str) -> bool {
    let ends = |rest: &str| rest.bytes().next().is_none_or(|byte| !word(byte));
    ["__schema", "__type"]
        .iter()
        .any(|name| text.match_indices(name).any(|(at, _)| ends(text.get(at + name.len()..).unwrap_or_default())))
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    tokens: usize,
    depth: usize,
    /// Of round brackets: a colon outside them stands after an alias.
    arguments: usize,
    aliases: usize,
    directives: usize,
}

impl Seen {
    fn punctuator(&mut self, byte: u8) {
        match byte {
            b'(' => {
                self.arguments += 1;
                self.depth += 1;
            }
            b')' => {
                self.arguments = self.arguments.saturating_sub(1);
                self.depth = self.depth.saturating_sub(1);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' if self.arguments == 0 => self.aliases += 1,
            b'@' if self.arguments == 0 => self.directives += 1,
            _ => {}
        }
    }
}

/// What stands after a string whose first quote was taken.
fn string(after: &[u8]) -> &[u8] {
    if let Some(block) = after.strip_prefix(b"\"\"") {
        let mut rest = block;
        while let [_, next @ ..] = rest {
            if let Some(escaped) = rest.strip_prefix(br#"\""""#) {
                rest = escaped;
            } else if let Some(end) = rest.strip_prefix(br#"""""#) {
                return end;
            } else {
                rest = next;
            }
        }
        return rest;
    }
    let mut rest = after;
    while let [byte, next @ ..] = rest {
        rest = match byte {
            b'\\' => next.get(1..).unwrap_or_default(),
            b'"' | b'\n' => return next,
            _ => next,
        };
    }
    rest
}

/// Whether a byte belongs to a name or a number.
fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds =
        Bounds { tokens: 50, depth: 9, nodes: 99, rows: u64::MAX, root_fields: 9, aliases: 2, directives: 2 };

    fn at(text: &str) -> Option<Beyond> {
        look(text, &Limits { recursion: 5, ..Limits::default() }, Some(&BOUNDS))
    }

    #[test]
    fn what_goes_beyond_is_seen_where_it_stands() {
        assert_eq!(at("{ a: x b: y }"), None);
        assert_eq!(at("{ a: x b: y c: z }"), Some(Beyond::Aliases(2)));
        assert_eq!(at("{ x @skip(if: true) @skip(if: true) @skip(if: true) }"), Some(Beyond::Directives(2)));
        assert_eq!(at("{ a { b { c { d { e { f } } } } } }"), Some(Beyond::Parser));
        assert_eq!(at(&"x ".repeat(50)), None);
        assert_eq!(at(&"x ".repeat(51)), Some(Beyond::Tokens(50)));
    }

    #[test]
    fn colons_of_arguments_and_what_stands_in_strings_and_comments_do_not_count() {
        assert_eq!(at("query ($a: Int, $b: Int, $c: Int) { x(a: {b: $a, c: $b}, d: $c) }"), None);
        assert_eq!(at(r#"{ x(a: "b: {{{{{{ \" @a @b @c d:") }"#), None);
        assert_eq!(at("{ x(a: \"\"\"b: {{{{{{ \" @a @b @c \\\"\"\" d: e:\"\"\") }"), None);
        assert_eq!(at("{ x # a: b: c: {{{{{{ @a @b @c\n }"), None);
        assert_eq!(at("{ ...a ...b x(n: -1.5e3) }"), None);
    }

    #[test]
    fn nobody_but_the_parser_bounds_who_has_no_bounds() {
        let limits = Limits { tokens: 50, recursion: 5, ..Limits::default() };
        assert_eq!(look("{ a: x b: y c: z d: z e: z }", &limits, None), None);
    }

    #[test]
    fn introspection_is_told_from_type_names() {
        for text in ["{__schema{types{name}}}", "{ a: __type(name: \"x\") { name } }", "{ __type # x\n (name: 1) }"] {
            assert!(introspects(text), "{text}");
        }
        assert!(!introspects("{ __typename things { __typename __types __schemas } }"));
    }

    #[test]
    fn text_that_ends_anywhere_is_left_to_the_parser() {
        let text = "{ a(x: \"b\\\"\", y: \"\"\"c\"\"\") ...d # e\n é }";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert_eq!(at(&text[..end]), None);
        }
    }
}
