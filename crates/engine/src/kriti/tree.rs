//! A parsed template.

use serde_json::Value;

use super::error::Span;

/// A parsed template; see [`Template::parse`].
#[derive(Debug, Clone)]
pub struct Template {
    pub(super) source: String,
    pub(super) root: Node,
}

/// A part of a template and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub span: Span,
    pub kind: Kind,
    /// Nodes on the longest way down, itself included.
    pub height: usize,
}

impl Node {
    pub fn new(span: Span, kind: Kind) -> Self {
        let height = 1 + kind.children().map(|child| child.height).max().unwrap_or(0);
        Self { span, kind, height }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Literal(Value),
    /// A string with expressions in it.
    Text(Vec<Node>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
    Variable(String),
    Field {
        of: Box<Node>,
        key: Box<Node>,
    },
    /// From the first `?` of a path on: whatever is missing makes it null.
    OptionalFields {
        of: Box<Node>,
        keys: Vec<Node>,
    },
    If {
        branches: Vec<(Node, Node)>,
        otherwise: Box<Node>,
    },
    Range {
        index: Option<String>,
        item: String,
        list: Box<Node>,
        body: Box<Node>,
    },
    Call {
        function: String,
        argument: Box<Node>,
    },
    Binary {
        operator: Operator,
        left: Box<Node>,
        right: Box<Node>,
    },
}

impl Kind {
    fn children(&self) -> Box<dyn Iterator<Item = &Node> + '_> {
        let pair = |left, right| Box::new([left, right].into_iter());
        match self {
            Self::Literal(_) | Self::Variable(_) => Box::new(std::iter::empty()),
            Self::Text(parts) | Self::Array(parts) => Box::new(parts.iter()),
            Self::Object(fields) => Box::new(fields.iter().map(|(_, value)| value)),
            Self::Field { of, key } => pair(&**of, &**key),
            Self::OptionalFields { of, keys } => Box::new(std::iter::once(&**of).chain(keys)),
            Self::If { branches, otherwise } => Box::new(
                branches.iter().flat_map(|(condition, then)| [condition, then]).chain(std::iter::once(&**otherwise)),
            ),
            Self::Range { list, body, .. } => pair(&**list, &**body),
            Self::Call { argument, .. } => Box::new(std::iter::once(&**argument)),
            Self::Binary { left, right, .. } => pair(&**left, &**right),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Default,
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}
