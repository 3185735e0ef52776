//! What a query must answer, found by walking over the rows.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::expression::{Exp, Op, compare, every, not, order, session_value, some};
use super::model::{ID, Model, ROLES, Row, TENANTS};
use super::query::{Aggregate, Args, Field, Root, Target, What};

/// Who asks.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub role: usize,
    pub tenant: usize,
    pub number: i64,
    pub labels: Vec<String>,
}

impl Viewer {
    /// The session variables, as a request carries them.
    pub fn session(&self) -> northstack::engine::Session {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|label| format!("\"{}\"", label.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        let variables = [
            ("x-hasura-tenant", TENANTS[self.tenant].to_owned()),
            ("x-hasura-number", self.number.to_string()),
            ("x-hasura-labels", format!("{{{}}}", labels.join(","))),
        ];
        northstack::engine::Session::new(ROLES[self.role], variables)
    }
}

/// The rows as one viewer may see them.
#[derive(Clone, Copy)]
pub struct Reference<'m> {
    pub model: &'m Model,
    pub viewer: &'m Viewer,
}

/// A row with its table, and the row at which a permission began.
#[derive(Clone, Copy)]
struct At<'r> {
    table: usize,
    row: &'r Row,
    root: &'r Row,
}

impl<'m> Reference<'m> {
    /// The answer to a query.
    pub fn answer(&self, roots: &[Root]) -> Value {
        let mut data = Map::new();
        for (index, root) in roots.iter().enumerate() {
            let value = match root {
                Root::List(table, args, fields) => self.list(*table, self.rows(*table), args, fields),
                Root::ByKey(table, id, fields) => {
                    let row = self.rows(*table).into_iter().find(|row| row[ID] == *id);
                    row.filter(|row| self.sees(*table, row)).map_or(Value::Null, |row| self.object(*table, row, fields))
                }
                Root::Aggregate(table, args, aggregate) => self.aggregate(*table, self.rows(*table), args, aggregate),
            };
            data.insert(format!("r{index}"), value);
        }
        json!({"data": data})
    }

    fn rows(&self, table: usize) -> Vec<&'m Row> {
        self.model.tables[table].rows.iter().collect()
    }

    fn related(&self, table: usize, place: usize, row: &Row) -> Vec<&'m Row> {
        let relationship = &self.model.tables[table].relationships[place];
        let joined =
            |other: &&Row| compare(&row[relationship.local], Op::Eq, &other[relationship.remote]) == Some(true);
        self.rows(relationship.table).into_iter().filter(joined).collect()
    }

    /// Whether the viewer's role lets it see a row.
    pub fn sees(&self, table: usize, row: &Row) -> bool {
        let Some(permission) = self.model.permission(self.viewer.role, table) else { return false };
        self.permits(&permission.filter, table, row)
    }

    /// Whether a permission's expression holds of a row.
    pub fn permits(&self, exp: &Exp, table: usize, row: &Row) -> bool {
        self.truth(exp, At { table, row, root: row }, false) == Some(true)
    }

    /// Whether a client's expression holds of a row.
    pub fn asked(&self, exp: &Exp, table: usize, row: &Row) -> bool {
        self.truth(exp, At { table, row, root: row }, true) == Some(true)
    }

    /// The truth of an expression; a client's sees of other tables what its role may see.
    fn truth(&self, exp: &Exp, at: At<'_>, client: bool) -> Option<bool> {
        let relation = |place: usize| self.model.tables[at.table].relationships[place].table;
        let all = |table: usize, rows: Vec<&'m Row>, inner: &Exp, root: Option<&Row>| {
            let holds = |row: &&Row| {
                (!client || self.sees(table, row))
                    && self.truth(inner, At { table, row, root: root.unwrap_or(row) }, client) == Some(true)
            };
            rows.into_iter().filter(holds).count()
        };
        match exp {
            Exp::And(parts) => every(parts.iter().map(|part| self.truth(part, at, client))),
            Exp::Or(parts) => some(parts.iter().map(|part| self.truth(part, at, client))),
            Exp::Not(inner) => not(self.truth(inner, at, client)),
            // Only a permission compares with null: it asks whether there is a value.
            Exp::Compare(column, Op::Eq, Value::Null) => at.row[*column].is_null().then_some(true),
            Exp::Compare(column, Op::Neq, Value::Null) => (!at.row[*column].is_null()).then_some(true),
            Exp::Compare(column, op, value) => {
                compare(&at.row[*column], *op, &self.operand(at.table, *column, value, client))
            }
            Exp::Columns(column, op, root, other) => {
                compare(&at.row[*column], *op, if *root { &at.root[*other] } else { &at.row[*other] })
            }
            Exp::Related(place, inner) => {
                Some(all(relation(*place), self.related(at.table, *place, at.row), inner, Some(at.root)) > 0)
            }
            Exp::AtLeast(place, inner, count) => {
                let found = all(relation(*place), self.related(at.table, *place, at.row), inner, Some(at.root));
                Some(found as i64 >= *count)
            }
            Exp::Exists(table, inner) => Some(all(*table, self.rows(*table), inner, Some(at.root)) > 0),
        }
    }

    fn operand(&self, table: usize, column: usize, value: &Value, client: bool) -> Value {
        let kind = self.model.tables[table].columns[column].kind;
        match value.as_str() {
            Some("X-Hasura-Tenant") if !client => TENANTS[self.viewer.tenant].into(),
            Some("X-Hasura-Number") if !client => session_value(&self.viewer.number.to_string(), kind),
            Some("X-Hasura-Labels") if !client => json!(self.viewer.labels),
            _ => value.clone(),
        }
    }

    /// Rows that are seen and asked for, in order, without those that `distinct_on` leaves out.
    fn chosen(&self, table: usize, rows: Vec<&'m Row>, args: &Args) -> Vec<&'m Row> {
        let wanted = |row: &&Row| args.filter.as_ref().is_none_or(|filter| self.asked(filter, table, row));
        let mut rows: Vec<&Row> = rows.into_iter().filter(|row| self.sees(table, row)).filter(wanted).collect();
        rows.sort_by(|left, right| {
            let ties = args.order.iter().map(|(target, direction)| {
                directed(&self.key(table, left, target), &self.key(table, right, target), direction)
            });
            ties.fold(Ordering::Equal, Ordering::then)
        });
        if let Some(column) = args.distinct {
            rows.dedup_by(|next, kept| next[column] == kept[column]);
        }
        rows
    }

    fn key(&self, table: usize, row: &Row, target: &Target) -> Value {
        let seen = |place: usize| {
            let other = self.model.tables[table].relationships[place].table;
            let rows: Vec<&Row> =
                self.related(table, place, row).into_iter().filter(|row| self.sees(other, row)).collect();
            (other, rows)
        };
        match target {
            Target::Column(column) => row[*column].clone(),
            Target::Related(place, inner) => {
                let (other, rows) = seen(*place);
                rows.first().map_or(Value::Null, |row| self.key(other, row, inner))
            }
            Target::Count(place) => seen(*place).1.len().into(),
            Target::Extreme(place, function, column) => function_of(function, &seen(*place).1, *column),
        }
    }

    fn list(&self, table: usize, rows: Vec<&'m Row>, args: &Args, fields: &[Field]) -> Value {
        let most = self.model.permission(self.viewer.role, table).and_then(|permission| permission.limit);
        let limit = most.into_iter().chain(args.limit).min();
        let rows = cut(self.chosen(table, rows, args), limit, args.offset);
        rows.into_iter().map(|row| self.object(table, row, fields)).collect()
    }

    /// A row as the selection shows it.
    pub fn object(&self, table: usize, row: &Row, fields: &[Field]) -> Value {
        let here = &self.model.tables[table];
        let mut object = Map::new();
        for field in fields {
            let (name, value) = match &field.what {
                What::Typename => ("__typename".to_owned(), here.name.clone().into()),
                What::Column(column) => (here.columns[*column].name.clone(), row[*column].clone()),
                What::Object(place, fields) => {
                    let relationship = &here.relationships[*place];
                    let mut rows = self.related(table, *place, row).into_iter();
                    let seen = rows.find(|row| self.sees(relationship.table, row));
                    let value = seen.map_or(Value::Null, |row| self.object(relationship.table, row, fields));
                    (relationship.name.clone(), value)
                }
                What::Array(place, args, fields) => {
                    let relationship = &here.relationships[*place];
                    let rows = self.related(table, *place, row);
                    (relationship.name.clone(), self.list(relationship.table, rows, args, fields))
                }
                What::Aggregate(place, args, aggregate) => {
                    let relationship = &here.relationships[*place];
                    let rows = self.related(table, *place, row);
                    let value = self.aggregate(relationship.table, rows, args, aggregate);
                    (format!("{}_aggregate", relationship.name), value)
                }
            };
            object.insert(field.key.clone().unwrap_or(name), value);
        }
        object.into()
    }

    /// An aggregate; the role's limit holds for its nodes alone.
    fn aggregate(&self, table: usize, rows: Vec<&'m Row>, args: &Args, aggregate: &Aggregate) -> Value {
        let counted = cut(self.chosen(table, rows.clone(), args), args.limit, args.offset);
        let columns = &self.model.tables[table].columns;
        let mut inner = Map::new();
        for (index, (columns, distinct)) in aggregate.counts.iter().enumerate() {
            inner.insert(format!("c{index}"), count(&counted, columns, *distinct).into());
        }
        for (function, places) in &aggregate.functions {
            let values =
                places.iter().map(|&place| (columns[place].name.clone(), function_of(function, &counted, place)));
            inner.insert((*function).to_owned(), Value::Object(values.collect()));
        }
        let mut outer = Map::from_iter([("aggregate".to_owned(), Value::Object(inner))]);
        if let Some(fields) = &aggregate.nodes {
            outer.insert("nodes".to_owned(), self.list(table, rows, args, fields));
        }
        outer.into()
    }
}

fn directed(left: &Value, right: &Value, direction: &str) -> Ordering {
    let first = matches!(direction, "desc" | "asc_nulls_first" | "desc_nulls_first");
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if first => Ordering::Less,
        (false, true) if !first => Ordering::Less,
        (true, false) | (false, true) => Ordering::Greater,
        _ if direction.starts_with("desc") => order(right, left),
        _ => order(left, right),
    }
}

fn cut(rows: Vec<&Row>, limit: Option<u64>, offset: Option<u64>) -> Vec<&Row> {
    rows.into_iter().skip(offset.unwrap_or_default() as usize).take(limit.unwrap_or(u64::MAX) as usize).collect()
}

fn count(rows: &[&Row], columns: &[usize], distinct: bool) -> usize {
    let keys: Vec<Vec<&Value>> = rows.iter().map(|row| columns.iter().map(|&column| &row[column]).collect()).collect();
    // One column counts where it is not null; several are a record, which never is.
    let counted = keys.iter().filter(|key| columns.len() != 1 || !key[0].is_null());
    match distinct && !columns.is_empty() {
        true => counted.map(|key| format!("{key:?}")).collect::<BTreeSet<_>>().len(),
        false => counted.count(),
    }
}

fn function_of(function: &str, rows: &[&Row], column: usize) -> Value {
    let values = rows.iter().map(|row| &row[column]).filter(|value| !value.is_null());
    match function {
        "min" => values.min_by(|a, b| order(a, b)).cloned().unwrap_or_default(),
        "max" => values.max_by(|a, b| order(a, b)).cloned().unwrap_or_default(),
        _ => values.filter_map(Value::as_i64).fold(None, |sum, value| Some(sum.unwrap_or(0) + value)).into(),
    }
}
