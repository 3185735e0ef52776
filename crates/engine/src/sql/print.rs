//! Prints the tree.

use super::tree::*;
use crate::metadata::QualifiedName;

/// How parameters print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// `$1`, `$2` ...
    Direct,
    /// Elements of arrays of texts, [`PACKED`] in each: more values than a statement takes parameters.
    Packed,
    /// Columns `p1`, `p2` ... of the table of this alias: a row for each member of a multiplexed subscription.
    Columns(Alias),
}

/// Most parameters of one statement in PostgreSQL's protocol.
pub const MOST_PARAMETERS: usize = 65_535;
/// Values in one array where there are more. An element is found by walking to it, so an array is kept short.
pub const PACKED: usize = 1_000;

impl Parameters {
    /// How a statement refers to so many values.
    pub fn of(count: usize) -> Self {
        if count > MOST_PARAMETERS { Self::Packed } else { Self::Direct }
    }
}

/// Prints a statement.
pub fn print(statement: &Statement, parameters: Parameters) -> String {
    let mut printer = Printer { text: String::with_capacity(512), parameters };
    printer.statement(statement);
    printer.text
}

struct Printer {
    text: String,
    parameters: Parameters,
}

impl Printer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn name(&mut self, name: &str) {
        self.text.push('"');
        for character in name.chars() {
            if character == '"' {
                self.text.push('"');
            }
            self.text.push(character);
        }
        self.text.push('"');
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.text.push_str(itoa::Buffer::new().format(number));
    }

    fn qualified(&mut self, name: &QualifiedName) {
        self.name(&name.schema);
        self.put(".");
        self.name(&name.name);
    }

    fn alias(&mut self, alias: Alias) {
        self.put("\"t");
        self.number(alias.0);
        self.put("\"");
    }

    fn list<T>(&mut self, items: &[T], separator: &str, mut each: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.put(separator);
            }
            each(self, item);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Select(select) => self.select(select),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => {
                self.put("UPDATE ");
                self.qualified(&update.table);
                self.put(" AS ");
                self.alias(update.alias);
                self.put(" SET ");
                self.assignments(&update.set);
                self.filter(&update.filter);
                self.returning(&update.returning);
            }
            Statement::Delete(delete) => {
                self.put("DELETE FROM ");
                self.qualified(&delete.table);
                self.put(" AS ");
                self.alias(delete.alias);
                self.filter(&delete.filter);
                self.returning(&delete.returning);
            }
        }
    }

    fn assignments(&mut self, set: &[(String, Expr)]) {
        self.list(set, ", ", |printer, (column, value)| {
            printer.name(column);
            printer.put(" = ");
            printer.expr(value);
        });
    }

    fn filter(&mut self, filter: &Option<Expr>) {
        if let Some(filter) = filter {
            self.put(" WHERE ");
            self.expr(filter);
        }
    }

    fn returning(&mut self, returning: &[Expr]) {
        if !returning.is_empty() {
            self.put(" RETURNING ");
            self.list(returning, ", ", Self::expr);
        }
    }

    fn insert(&mut self, insert: &Insert) {
        self.put("INSERT INTO ");
        self.qualified(&insert.table);
        self.put(" AS ");
        self.alias(insert.alias);
        if insert.columns.is_empty() {
            self.put(" DEFAULT VALUES");
        } else {
            self.put(" (");
            self.list(&insert.columns, ", ", |printer, column| printer.name(column));
            self.put(") VALUES ");
            self.list(&insert.rows, ", ", |printer, row| {
                printer.put("(");
                printer.list(row, ", ", |printer, value| match value {
                    Some(value) => printer.expr(value),
                    None => printer.put("DEFAULT"),
                });
                printer.put(")");
            });
        }
        if let Some(conflict) = &insert.conflict {
            self.put(" ON CONFLICT ON CONSTRAINT ");
            self.name(&conflict.constraint);
            if conflict.set.is_empty() {
                self.put(" DO NOTHING");
            } else {
                self.put(" DO UPDATE SET ");
                self.assignments(&conflict.set);
                self.filter(&conflict.filter);
            }
        }
        self.returning(&insert.returning);
    }

    fn select(&mut self, select: &Select) {
        self.put("SELECT ");
        if !select.distinct.is_empty() {
            self.put("DISTINCT ON (");
            self.list(&select.distinct, ", ", Self::expr);
            self.put(") ");
        }
        if let Some(alias) = select.star {
            self.alias(alias);
            self.put(".*");
            if !select.outputs.is_empty() {
                self.put(", ");
            }
        } else if select.outputs.is_empty() {
            self.put("1");
        }
        self.list(&select.outputs, ", ", |printer, (expr, name)| {
            printer.expr(expr);
            if let Some(name) = name {
                printer.put(" AS ");
                printer.name(name);
            }
        });
        if let Some(from) = &select.from {
            self.put(" FROM ");
            self.from(from, false);
        }
        for join in &select.joins {
            self.put(" LEFT JOIN ");
            self.from(&join.from, join.lateral);
            self.put(" ON ");
            self.expr(&join.on);
        }
        self.filter(&select.filter);
        if !select.order.is_empty() {
            self.put(" ORDER BY ");
            self.list(&select.order, ", ", |printer, order| {
                printer.expr(&order.expr);
                printer.put(" ");
                printer.put(order.direction);
            });
        }
        if let Some(limit) = &select.limit {
            self.put(" LIMIT ");
            self.expr(limit);
        }
        if let Some(offset) = &select.offset {
            self.put(" OFFSET ");
            self.expr(offset);
        }
    }

    fn from(&mut self, from: &From, lateral: bool) {
        if lateral {
            self.put("LATERAL ");
        }
        match &from.origin {
            Origin::Table(table) => {
                self.qualified(table);
                self.put(" AS ");
                self.alias(from.alias);
            }
            Origin::Function(function, arguments) => {
                self.call(function, arguments);
                self.put(" AS ");
                self.alias(from.alias);
            }
            Origin::Select(select) => {
                self.put("(");
                self.select(select);
                self.put(") AS ");
                self.alias(from.alias);
            }
            Origin::Rows(rows) => {
                self.put("unnest(");
                self.expr(rows);
                self.put(") AS ");
                self.alias(from.alias);
            }
            Origin::Unnest(columns) => {
                self.put("unnest(");
                self.list(columns, ", ", |printer, (expr, _)| printer.expr(expr));
                self.put(") AS ");
                self.alias(from.alias);
                self.put("(");
                self.list(columns, ", ", |printer, (_, name)| printer.name(name));
                self.put(")");
            }
        }
    }

    fn call(&mut self, function: &QualifiedName, arguments: &[(Option<String>, Expr)]) {
        self.qualified(function);
        self.put("(");
        self.list(arguments, ", ", |printer, (name, value)| {
            if let Some(name) = name {
                printer.name(name);
                printer.put(" => ");
            }
            printer.expr(value);
        });
        self.put(")");
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Column(alias, column) => {
                self.alias(*alias);
                self.put(".");
                self.name(column);
            }
            Expr::Whole(alias) => self.alias(*alias),
            Expr::Excluded(column) => {
                self.put("excluded.");
                self.name(column);
            }
            Expr::Bare(column) => self.name(column),
            Expr::Param(place, ty) => {
                self.put("(");
                match self.parameters {
                    Parameters::Direct => {
                        self.put("$");
                        self.number(place + 1);
                    }
                    Parameters::Packed => {
                        self.put("($");
                        self.number(place / PACKED + 1);
                        self.put("::text[])[");
                        self.number(place % PACKED + 1);
                        self.put("]");
                    }
                    Parameters::Columns(alias) => {
                        self.alias(alias);
                        self.put(".\"p");
                        self.number(place + 1);
                        self.put("\"");
                    }
                }
                self.put(")::");
                self.put(ty);
            }
            Expr::Array(place) => {
                self.put("$");
                self.number(place + 1);
                self.put("::text[]");
            }
            Expr::Fixed(text) => self.put(text),
            Expr::Number(number) => self.number(*number),
            Expr::Call(function, arguments) => {
                self.put(function);
                self.put("(");
                self.list(arguments, ", ", Self::expr);
                self.put(")");
            }
            Expr::Function(function, arguments) => self.call(function, arguments),
            Expr::Aggregate(function, distinct, arguments, filter) => {
                self.put(function);
                self.put("(");
                if *distinct {
                    self.put("DISTINCT ");
                }
                match arguments.is_empty() {
                    true => self.put("*"),
                    false => self.list(arguments, ", ", Self::expr),
                }
                self.put(")");
                if let Some(filter) = filter {
                    self.put(" FILTER (WHERE ");
                    self.expr(filter);
                    self.put(")");
                }
            }
            Expr::Binary(left, operator, right) => {
                self.put("(");
                self.expr(left);
                self.put(" ");
                self.put(operator);
                self.put(" ");
                self.expr(right);
                self.put(")");
            }
            Expr::Postfix(operand, operator) => {
                self.put("(");
                self.expr(operand);
                self.put(" ");
                self.put(operator);
                self.put(")");
            }
            Expr::And(parts) | Expr::Or(parts) if parts.is_empty() => {
                self.put(if matches!(expr, Expr::And(_)) { "TRUE" } else { "FALSE" });
            }
            Expr::And(parts) => self.joined(parts, " AND "),
            Expr::Or(parts) => self.joined(parts, " OR "),
            Expr::Not(inner) => {
                self.put("(NOT ");
                self.expr(inner);
                self.put(")");
            }
            Expr::Exists(select) => self.nested("EXISTS (", select),
            Expr::Scalar(select) => self.nested("(", select),
            Expr::ArrayOf(select) => self.nested("ARRAY(", select),
            Expr::Row(values) => {
                self.put("ROW(");
                self.list(values, ", ", Self::expr);
                self.put(")");
            }
            Expr::Cast(inner, ty) => {
                self.put("(");
                self.expr(inner);
                self.put(")::");
                self.put(ty);
            }
            Expr::Case(branches, otherwise) => {
                self.put("CASE");
                for (condition, value) in branches {
                    self.put(" WHEN ");
                    self.expr(condition);
                    self.put(" THEN ");
                    self.expr(value);
                }
                if let Some(otherwise) = otherwise {
                    self.put(" ELSE ");
                    self.expr(otherwise);
                }
                self.put(" END");
            }
        }
    }

    fn joined(&mut self, parts: &[Expr], separator: &str) {
        self.put("(");
        self.list(parts, separator, Self::expr);
        self.put(")");
    }

    fn nested(&mut self, open: &str, select: &Select) {
        self.put(open);
        self.select(select);
        self.put(")");
    }
}
