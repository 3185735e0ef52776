//! What a role may ask in one document: held before anything is planned, in one pass over the document.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, DirectiveList, Selection};

use super::document::{Document, Operation};
use crate::error::{ErrorCode, GraphqlError, Result};

/// What a role may ask in one document.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Tokens of the document.
    pub tokens: usize,
    /// Nesting of fields.
    pub depth: usize,
    /// Fields of the operation after fragments are spread.
    pub nodes: usize,
    /// Rows that the operation's lists may come to (see [`super::cost`]).
    pub rows: u64,
    /// Fields at the root.
    pub root_fields: usize,
    /// Aliases in the document.
    pub aliases: usize,
    /// Directives in the document.
    pub directives: usize,
}

/// Levels of selection sets, fragments spread, that are followed for anyone: later stages recurse as deep.
const LEVELS: usize = 500;

/// What an operation comes to, fragments spread.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    depth: usize,
    /// Fields after fragments are spread.
    pub nodes: usize,
    roots: usize,
}

impl Size {
    /// Measures an operation.
    ///
    /// # Errors
    /// One that is nested so deep that following it would be dangerous.
    pub fn of(operation: &Operation<'_>) -> Result<Self> {
        let mut sizes = Sizes { operation, known: HashMap::new(), level: 0 };
        sizes.of(&operation.operation.selection_set).ok_or_else(|| {
            let message = format!("selection sets are nested more than {LEVELS} deep");
            GraphqlError::new(ErrorCode::ExceededDepthLimit, message)
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            nodes: self.nodes.saturating_add(other.nodes),
            roots: self.roots.saturating_add(other.roots),
        }
    }
}

impl Bounds {
    /// Refuses an operation that goes beyond.
    ///
    /// # Errors
    /// Which bound, with the code of that bound.
    pub(super) fn hold(&self, document: &Document, size: Size) -> Result<()> {
        let mut written = Written::default();
        for definition in &document.ast.definitions {
            match definition {
                Definition::OperationDefinition(operation) => {
                    written.directives += operation.directives.len();
                    written.count(&operation.selection_set);
                }
                Definition::FragmentDefinition(fragment) => {
                    written.directives += fragment.directives.len();
                    written.count(&fragment.selection_set);
                }
                _ => {}
            }
        }
        let bounds = [
            (size.depth, self.depth, ErrorCode::ExceededDepthLimit, "fields are nested", "deep"),
            (size.nodes, self.nodes, ErrorCode::ExceededNodeLimit, "the operation selects", "fields"),
            (size.roots, self.root_fields, ErrorCode::ExceededNodeLimit, "the operation has", "root fields"),
            (written.aliases, self.aliases, ErrorCode::ExceededAliasLimit, "the document has", "aliases"),
            (written.directives, self.directives, ErrorCode::ExceededDirectiveLimit, "the document has", "directives"),
        ];
        for (asked, most, code, what, unit) in bounds {
            if asked > most {
                let asked = if asked == usize::MAX { "countless".to_owned() } else { asked.to_string() };
                return Err(GraphqlError::new(code, format!("{what} {asked} {unit}; at most {most} are allowed")));
            }
        }
        Ok(())
    }
}

/// What stands in the document as it is written.
#[derive(Default)]
struct Written {
    aliases: usize,
    directives: usize,
}

impl Written {
    // The parser bounds the depth.
    fn count(&mut self, selections: &[Selection]) {
        for selection in selections {
            let (directives, under): (&DirectiveList, &[Selection]) = match selection {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.alias.is_some());
                    (&field.directives, &field.selection_set)
                }
                Selection::InlineFragment(fragment) => (&fragment.directives, &fragment.selection_set),
                Selection::FragmentSpread(spread) => (&spread.directives, &[]),
            };
            self.directives += directives.len();
            self.count(under);
        }
    }
}

/// Sizes of selections; each fragment is measured once, however often it is spread.
struct Sizes<'a> {
    operation: &'a Operation<'a>,
    known: HashMap<&'a str, Size>,
    level: usize,
}

impl<'a> Sizes<'a> {
    /// Nothing when it is nested too deep. Fragments do not spread each other in circles: that was refused before.
    fn of(&mut self, selections: &'a [Selection]) -> Option<Size> {
        self.level += 1;
        if self.level > LEVELS {
            return None;
        }
        let mut size = Size::default();
        for selection in selections {
            size = size.and(self.one(selection)?);
        }
        self.level -= 1;
        Some(size)
    }

    fn one(&mut self, selection: &'a Selection) -> Option<Size> {
        match selection {
            Selection::Field(field) => {
                let under = self.of(&field.selection_set)?;
                Some(Size { depth: under.depth + 1, nodes: under.nodes.saturating_add(1), roots: 1 })
            }
            Selection::InlineFragment(fragment) => self.of(&fragment.selection_set),
            Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name.as_str();
                if let Some(size) = self.known.get(name) {
                    return Some(*size);
                }
                let Some(fragment) = self.operation.fragments.get(name) else { return Some(Size::default()) };
                let size = self.of(&fragment.selection_set)?;
                self.known.insert(name, size);
                Some(size)
            }
        }
    }
}
