//! The parser: recursive descent over the characters, as deep as [`DEEPEST`].

use serde_json::Value;

use super::error::{Code, KritiError, Span};
use super::functions;
use super::tree::{Kind, Node, Operator, Template};

/// Deepest nesting of a template.
const DEEPEST: usize = 64;
/// Longest way down a parsed template, chains of operators and lookups included.
const HIGHEST: usize = 128;
/// Longest template, in bytes.
const LONGEST: usize = 1024 * 1024;

type Parsed<T = Node> = Result<T, KritiError>;

/// Operators by how loosely they bind, loosest first.
const OPERATORS: [&[(&str, Operator)]; 4] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("in", Operator::In),
    ],
    &[("??", Operator::Default)],
];

/// Words that are no names.
const KEYWORDS: [&str; 9] = ["if", "elif", "else", "end", "range", "in", "true", "false", "null"];

/// Parses a whole template.
pub(super) fn template(source: &str) -> Parsed<Template> {
    let mut parser = Parser { source, at: 0, depth: 0, binders: Vec::new() };
    if source.len() > LONGEST {
        let message = format!("the template is longer than {LONGEST} bytes");
        return Err(KritiError::new(source, &(0..0), Code::Limit, message));
    }
    let root = parser.expression()?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(Template { source: source.to_owned(), root }),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    depth: usize,
    /// Names that loops around have bound.
    binders: Vec<String>,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Passes white space and comments, which go from `#` to the end of the line.
    fn skip_space(&mut self) {
        loop {
            match self.peek() {
                Some(c) if c.is_whitespace() => self.at += c.len_utf8(),
                Some('#') => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    /// Takes a symbol if it is next, after white space.
    fn takes(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The name that is next, after white space; it is not taken.
    fn word(&mut self) -> Option<String> {
        self.skip_space();
        let rest = self.rest();
        let start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
        let more = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
        let mut characters = rest.chars();
        if !characters.next().is_some_and(start) {
            return None;
        }
        let end = rest.find(|c| !more(c)).unwrap_or(rest.len());
        rest.get(..end).map(str::to_owned)
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = self.word().is_some_and(|next| next == word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// Takes `{{ word`, the opening of a statement, if it is next.
    fn takes_statement(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.takes("{{") && self.takes_word(word) {
            return true;
        }
        self.at = before;
        false
    }

    fn error(&self, span: &Span, code: Code, message: impl Into<String>) -> KritiError {
        KritiError::new(self.source, span, code, message)
    }

    /// That what is next should not be here.
    fn unexpected(&mut self) -> KritiError {
        self.skip_space();
        let start = self.at;
        let Some(first) = self.peek() else {
            return self.error(&(start..start), Code::Parse, "ParseError: Empty token stream.");
        };
        let symbols = ["{{", "}}", ":=", "==", "!=", ">=", "<=", "&&", "||", "??"];
        let token = match self.word() {
            Some(word) => word,
            None => match symbols.iter().find(|symbol| self.rest().starts_with(*symbol)) {
                Some(symbol) => (*symbol).to_owned(),
                None => first.to_string(),
            },
        };
        let span = start..start + token.len();
        if token.chars().all(|c| c.is_ascii_alphanumeric() || "_$-\"'{}[]().,:=!<>&|?".contains(c)) {
            self.error(&span, Code::Parse, format!("Unexpected token '{token}'."))
        } else {
            self.error(&span, Code::Lex, format!("Invalid Lexeme: '{token}'"))
        }
    }

    /// A node, unless it is higher than is allowed.
    fn node(&self, span: Span, kind: Kind) -> Parsed {
        let node = Node::new(span, kind);
        if node.height <= HIGHEST {
            return Ok(node);
        }
        Err(self.error(&node.span, Code::Limit, format!("the template holds a chain of more than {HIGHEST} links")))
    }

    /// Goes one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEEPEST {
            let span = self.at..self.at;
            return Err(self.error(&span, Code::Limit, format!("the template is nested deeper than {DEEPEST} levels")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Parsed {
        self.nested(|parser| parser.binary(0))
    }

    fn binary(&mut self, level: usize) -> Parsed {
        let Some(operators) = OPERATORS.get(level) else { return self.application() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.binary(level + 1)?;
            let span = left.span.start..right.span.end;
            left = self.node(span, Kind::Binary { operator, left: Box::new(left), right: Box::new(right) })?;
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[(&str, Operator)]) -> Option<Operator> {
        let found = operators.iter().find(|(symbol, _)| match *symbol {
            "in" => self.takes_word("in"),
            symbol => self.takes(symbol),
        });
        found.map(|(_, operator)| *operator)
    }

    /// A function with its argument, or a value.
    fn application(&mut self) -> Parsed {
        let Some(name) = self.word() else { return self.path() };
        if KEYWORDS.contains(&name.as_str()) || name.starts_with('$') || self.binders.contains(&name) {
            return self.path();
        }
        let start = self.at;
        self.at += name.len();
        if !(functions::exists(&name) || self.rest().starts_with([' ', '\t', '\n', '\r', '('])) || !self.starts_value()
        {
            self.at = start;
            return self.path();
        }
        let argument = self.nested(Self::application)?;
        let span = start..argument.span.end;
        self.node(span, Kind::Call { function: name, argument: Box::new(argument) })
    }

    /// Whether a value can begin here.
    fn starts_value(&mut self) -> bool {
        match self.word() {
            Some(word) => !["if", "elif", "else", "end", "range", "in"].contains(&word.as_str()),
            None => self.peek().is_some_and(|c| c.is_ascii_digit() || matches!(c, '"' | '(' | '[' | '{' | '-' | '\'')),
        }
    }

    /// A value with what is looked up in it.
    fn path(&mut self) -> Parsed {
        let mut node = self.atom()?;
        loop {
            let before = self.at;
            self.skip_space();
            let optional = self.rest().starts_with("?.") || self.rest().starts_with("?[");
            if optional {
                self.at += 1;
            }
            let Some(key) = self.lookup()? else {
                self.at = before;
                return Ok(node);
            };
            let span = node.span.start..self.at;
            let kind = match node {
                Node { kind: Kind::OptionalFields { of, mut keys }, .. } => {
                    keys.push(key);
                    Kind::OptionalFields { of, keys }
                }
                of if optional => Kind::OptionalFields { of: Box::new(of), keys: vec![key] },
                of => Kind::Field { of: Box::new(of), key: Box::new(key) },
            };
            node = self.node(span, kind)?;
        }
    }

    /// `.name`, `[0]`, `['name']` or `[expression]`.
    fn lookup(&mut self) -> Parsed<Option<Node>> {
        let start = self.at;
        if self.takes(".") {
            let Some(name) = self.word() else { return Err(self.unexpected()) };
            self.at += name.len();
            return Ok(Some(Node::new(start..self.at, Kind::Literal(name.into()))));
        }
        if !self.takes("[") {
            return Ok(None);
        }
        let key = self.expression()?;
        self.expect("]")?;
        Ok(Some(key))
    }

    fn atom(&mut self) -> Parsed {
        self.skip_space();
        let start = self.at;
        let kind = match self.peek() {
            Some('"') => Kind::Text(self.text('"', true)?),
            Some('\'') => Kind::Text(self.text('\'', false)?),
            Some('[') => self.array()?,
            Some('(') => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Some('{') if self.rest().starts_with("{{") => return self.statement(),
            Some('{') => self.object()?,
            Some(c) if c == '-' || c.is_ascii_digit() => Kind::Literal(self.number()?),
            _ => match self.word() {
                Some(word) => self.named(word)?,
                None => return Err(self.unexpected()),
            },
        };
        self.node(start..self.at, kind)
    }

    fn named(&mut self, word: String) -> Parsed<Kind> {
        let kind = match word.as_str() {
            "true" => Kind::Literal(true.into()),
            "false" => Kind::Literal(false.into()),
            "null" => Kind::Literal(Value::Null),
            other if KEYWORDS.contains(&other) => return Err(self.unexpected()),
            _ => Kind::Variable(word.clone()),
        };
        self.at += word.len();
        Ok(kind)
    }

    fn number(&mut self) -> Parsed<Value> {
        let start = self.at;
        let rest = self.rest();
        let mut previous = ' ';
        let end = rest.find(|c: char| {
            let exponent = matches!(previous, 'e' | 'E');
            let fits = c.is_ascii_digit()
                || matches!(c, '.' | 'e' | 'E')
                || (c == '-' && (previous == ' ' || exponent))
                || (c == '+' && exponent);
            previous = c;
            !fits
        });
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default().to_owned();
        let value =
            crate::json::read(text.as_bytes()).or_else(|error| text.parse::<i64>().map(Value::from).map_err(|_| error));
        let value = value.map_err(|_| {
            let span = start..start + text.len();
            self.error(&span, Code::Lex, format!("Invalid Lexeme: '{text}'"))
        })?;
        self.at += text.len();
        Ok(value)
    }

    fn array(&mut self) -> Parsed<Kind> {
        self.expect("[")?;
        let mut items = Vec::new();
        if self.takes("]") {
            return Ok(Kind::Array(items));
        }
        loop {
            items.push(self.expression()?);
            if !self.takes(",") {
                self.expect("]")?;
                return Ok(Kind::Array(items));
            }
        }
    }

    fn object(&mut self) -> Parsed<Kind> {
        self.expect("{")?;
        let mut fields = Vec::new();
        if self.takes("}") {
            return Ok(Kind::Object(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some('"') {
                return Err(self.unexpected());
            }
            let key = self.key()?;
            self.expect(":")?;
            fields.push((key, self.expression()?));
            if !self.takes(",") {
                self.expect("}")?;
                return Ok(Kind::Object(fields));
            }
        }
    }

    /// The name of an object's field: a string without expressions.
    fn key(&mut self) -> Parsed<String> {
        let start = self.at;
        let parts = self.text('"', false)?;
        match parts.as_slice() {
            [] => Ok(String::new()),
            [Node { kind: Kind::Literal(Value::String(key)), .. }] => Ok(key.clone()),
            _ => Err(self.error(&(start..self.at), Code::Parse, "the name of a field cannot be an expression")),
        }
    }

    /// The parts of a quoted string.
    fn text(&mut self, quote: char, expressions: bool) -> Parsed<Vec<Node>> {
        let (mut parts, mut literal) = (Vec::new(), String::new());
        self.at += quote.len_utf8();
        let mut start = self.at;
        loop {
            if expressions && self.rest().starts_with("{{") {
                self.flush(&mut parts, &mut literal, start);
                parts.push(self.nested(Self::statement)?);
                start = self.at;
                continue;
            }
            match self.bump() {
                None => {
                    let span = self.at..self.at;
                    return Err(self.error(&span, Code::Parse, "ParseError: Empty token stream."));
                }
                Some(c) if c == quote => {
                    let end = self.at;
                    self.at -= quote.len_utf8();
                    self.flush(&mut parts, &mut literal, start);
                    self.at = end;
                    return Ok(parts);
                }
                Some('\\') => self.escape(&mut literal),
                Some(c) => literal.push(c),
            }
        }
    }

    fn flush(&self, parts: &mut Vec<Node>, literal: &mut String, start: usize) {
        if !literal.is_empty() {
            let value = Value::from(std::mem::take(literal));
            parts.push(Node::new(start..self.at, Kind::Literal(value)));
        }
    }

    /// What follows a backslash, as in JSON; anything else stays as it is written.
    fn escape(&mut self, literal: &mut String) {
        let simple = match self.peek() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(c @ ('"' | '\'' | '\\' | '/' | '`' | '{' | '}')) => c,
            Some('u') => match self.unicode() {
                Some(c) => return literal.push(c),
                None => return literal.push('\\'),
            },
            _ => return literal.push('\\'),
        };
        self.at += 1;
        literal.push(simple);
    }

    /// `uXXXX`, or two of them that belong together.
    fn unicode(&mut self) -> Option<char> {
        let unit = |text: &str| u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok();
        let rest = self.rest();
        let first = unit(rest)?;
        let second = rest.get(5..).and_then(|rest| rest.strip_prefix('\\')).and_then(unit);
        let pair: Vec<u16> = std::iter::once(first).chain(second).collect();
        let mut decoded = char::decode_utf16(pair);
        let found = decoded.next()?.ok()?;
        self.at += if found.len_utf16() == 2 { 11 } else { 5 };
        Some(found)
    }

    /// `{{ if }}`, `{{ range }}` or `{{ expression }}`.
    fn statement(&mut self) -> Parsed {
        let start = self.at;
        if self.takes_statement("if") {
            return self.conditional(start);
        }
        if self.takes_statement("range") {
            return self.range(start);
        }
        self.expect("{{")?;
        let inner = self.expression()?;
        self.expect("}}")?;
        Ok(inner)
    }

    fn conditional(&mut self, start: usize) -> Parsed {
        let mut branches = Vec::new();
        loop {
            let condition = self.expression()?;
            self.expect("}}")?;
            branches.push((condition, self.expression()?));
            if !self.takes_statement("elif") {
                break;
            }
        }
        if !self.takes_statement("else") {
            return Err(self.after_braces());
        }
        self.expect("}}")?;
        let otherwise = Box::new(self.expression()?);
        self.end()?;
        self.node(start..self.at, Kind::If { branches, otherwise })
    }

    fn end(&mut self) -> Parsed<()> {
        if !self.takes_statement("end") {
            return Err(self.after_braces());
        }
        self.expect("}}")
    }

    /// What is unexpected: the word behind opening braces, if there are some.
    fn after_braces(&mut self) -> KritiError {
        self.takes("{{");
        self.unexpected()
    }

    fn range(&mut self, start: usize) -> Parsed {
        let index = self.binder()?;
        self.expect(",")?;
        let item = self.binder()?.unwrap_or_else(|| "_".to_owned());
        self.expect(":=")?;
        let list = Box::new(self.expression()?);
        self.expect("}}")?;
        let before = self.binders.len();
        self.binders.extend(index.iter().cloned().chain([item.clone()]));
        let body = self.expression();
        self.binders.truncate(before);
        let body = Box::new(body?);
        self.end()?;
        self.node(start..self.at, Kind::Range { index, item, list, body })
    }

    /// A name that a loop binds; `_` binds none.
    fn binder(&mut self) -> Parsed<Option<String>> {
        match self.word() {
            Some(name) if !KEYWORDS.contains(&name.as_str()) => {
                self.at += name.len();
                Ok((name != "_").then_some(name))
            }
            _ => Err(self.unexpected()),
        }
    }
}
