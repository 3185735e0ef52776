//! Queries, and how GraphQL writes them.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::expression::Exp;
use super::model::Model;

/// By what rows are ordered.
#[derive(Debug, Clone)]
pub enum Target {
    Column(usize),
    Related(usize, Box<Target>),
    Count(usize),
    Extreme(usize, &'static str, usize),
}

/// Arguments that choose, order and cut rows.
#[derive(Debug, Clone, Default)]
pub struct Args {
    pub filter: Option<Exp>,
    /// Whether the filter goes as a variable rather than in the document.
    pub variable: bool,
    pub order: Vec<(Target, &'static str)>,
    pub distinct: Option<usize>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
}

/// A field of a row, with its response key.
#[derive(Debug, Clone)]
pub struct Field {
    pub key: Option<String>,
    pub what: What,
}

/// What a field of a row asks for.
#[derive(Debug, Clone)]
pub enum What {
    Typename,
    Column(usize),
    Object(usize, Vec<Field>),
    Array(usize, Args, Vec<Field>),
    Aggregate(usize, Args, Aggregate),
}

/// What is asked of an aggregate.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Columns that are counted, and whether equal values count once.
    pub counts: Vec<(Vec<usize>, bool)>,
    /// Functions with their columns.
    pub functions: Vec<(&'static str, Vec<usize>)>,
    pub nodes: Option<Vec<Field>>,
}

/// A root field.
#[derive(Debug, Clone)]
pub enum Root {
    List(usize, Args, Vec<Field>),
    ByKey(usize, i64, Vec<Field>),
    Aggregate(usize, Args, Aggregate),
}

/// Writes a document and gathers its variables.
pub struct Writer<'m> {
    model: &'m Model,
    text: String,
    declared: Vec<String>,
    pub variables: Map<String, Value>,
}

/// A query of several root fields, `r0`, `r1` and so on, with its variables.
pub fn document(model: &Model, roots: &[Root]) -> (String, Value) {
    let mut writer = Writer::new(model);
    for (index, root) in roots.iter().enumerate() {
        writer.root(index, root);
    }
    writer.finish("query")
}

impl<'m> Writer<'m> {
    pub fn new(model: &'m Model) -> Self {
        Self { model, text: String::new(), declared: Vec::new(), variables: Map::new() }
    }

    /// The document and its variables.
    pub fn finish(self, kind: &str) -> (String, Value) {
        let declared = match self.declared.is_empty() {
            true => String::new(),
            false => format!("({})", self.declared.join(", ")),
        };
        (format!("{kind} {declared} {{ {} }}", self.text), self.variables.into())
    }

    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A value as a new variable of a type, or as it stands in the document.
    pub fn value(&mut self, value: &Value, ty: Option<String>) -> String {
        let Some(ty) = ty else { return literal(value) };
        let name = format!("v{}", self.declared.len());
        self.declared.push(format!("${name}: {ty}"));
        self.variables.insert(name.clone(), value.clone());
        format!("${name}")
    }

    fn root(&mut self, index: usize, root: &Root) {
        let (Root::List(table, ..) | Root::ByKey(table, ..) | Root::Aggregate(table, ..)) = root;
        let name = self.model.tables[*table].name.clone();
        match root {
            Root::List(table, args, fields) => {
                write!(self.text, "r{index}: {name}").unwrap();
                self.args(*table, args);
                self.fields(*table, fields);
            }
            Root::ByKey(table, id, fields) => {
                write!(self.text, "r{index}: {name}_by_pk(id: {id})").unwrap();
                self.fields(*table, fields);
            }
            Root::Aggregate(table, args, aggregate) => {
                write!(self.text, "r{index}: {name}_aggregate").unwrap();
                self.args(*table, args);
                self.aggregate(*table, aggregate);
            }
        }
    }

    fn args(&mut self, table: usize, args: &Args) {
        let mut parts = Vec::new();
        let here = &self.model.tables[table];
        if let Some(filter) = &args.filter {
            let json = filter.to_json(self.model, table);
            let ty = args.variable.then(|| format!("{}_bool_exp", here.name));
            parts.push(format!("where: {}", self.value(&json, ty)));
        }
        if !args.order.is_empty() {
            let items: Vec<String> =
                args.order.iter().map(|(target, direction)| self.target(table, target, direction)).collect();
            parts.push(format!("order_by: [{}]", items.join(", ")));
        }
        if let Some(column) = args.distinct {
            parts.push(format!("distinct_on: {}", here.columns[column].name));
        }
        for (name, value) in [("limit", args.limit), ("offset", args.offset)] {
            if let Some(value) = value {
                parts.push(format!("{name}: {value}"));
            }
        }
        if !parts.is_empty() {
            write!(self.text, "({})", parts.join(", ")).unwrap();
        }
    }

    fn target(&self, table: usize, target: &Target, direction: &str) -> String {
        let here = &self.model.tables[table];
        match target {
            Target::Column(column) => format!("{{{}: {direction}}}", here.columns[*column].name),
            Target::Related(place, inner) => {
                let relationship = &here.relationships[*place];
                format!("{{{}: {}}}", relationship.name, self.target(relationship.table, inner, direction))
            }
            Target::Count(place) => {
                format!("{{{}_aggregate: {{count: {direction}}}}}", here.relationships[*place].name)
            }
            Target::Extreme(place, function, column) => {
                let relationship = &here.relationships[*place];
                let column = &self.model.tables[relationship.table].columns[*column].name;
                format!("{{{}_aggregate: {{{function}: {{{column}: {direction}}}}}}}", relationship.name)
            }
        }
    }

    /// A selection of a row's fields.
    pub fn fields(&mut self, table: usize, fields: &[Field]) {
        self.push(" { ");
        for field in fields {
            let here = &self.model.tables[table];
            if let Some(key) = &field.key {
                write!(self.text, "{key}: ").unwrap();
            }
            match &field.what {
                What::Typename => self.push("__typename"),
                What::Column(column) => self.text.push_str(&here.columns[*column].name),
                What::Object(place, fields) => {
                    let relationship = &here.relationships[*place];
                    self.text.push_str(&relationship.name);
                    self.fields(relationship.table, fields);
                }
                What::Array(place, args, fields) => {
                    let relationship = &here.relationships[*place];
                    self.text.push_str(&relationship.name);
                    self.args(relationship.table, args);
                    self.fields(relationship.table, fields);
                }
                What::Aggregate(place, args, aggregate) => {
                    let relationship = &here.relationships[*place];
                    write!(self.text, "{}_aggregate", relationship.name).unwrap();
                    self.args(relationship.table, args);
                    self.aggregate(relationship.table, aggregate);
                }
            }
            self.push(" ");
        }
        self.push("} ");
    }

    fn aggregate(&mut self, table: usize, aggregate: &Aggregate) {
        let name = |column: &usize| self.model.tables[table].columns[*column].name.as_str();
        let mut inner = String::new();
        for (index, (columns, distinct)) in aggregate.counts.iter().enumerate() {
            let columns: Vec<&str> = columns.iter().map(name).collect();
            let args = match columns.is_empty() {
                true => String::new(),
                false => format!("(columns: [{}], distinct: {distinct})", columns.join(", ")),
            };
            write!(inner, "c{index}: count{args} ").unwrap();
        }
        for (function, columns) in &aggregate.functions {
            let columns: Vec<&str> = columns.iter().map(name).collect();
            write!(inner, "{function} {{ {} }} ", columns.join(" ")).unwrap();
        }
        write!(self.text, " {{ aggregate {{ {inner} }} ").unwrap();
        if let Some(nodes) = &aggregate.nodes {
            self.push("nodes");
            self.fields(table, nodes);
        }
        self.push("} ");
    }
}

/// A JSON value as GraphQL writes it.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {}", literal(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}
