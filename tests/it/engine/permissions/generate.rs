//! Random schemas with rows and permissions. Everything follows from the seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::expression::{Exp, Op, TRUE};
use super::model::{Column, ID, Kind, LOOSE, Model, Permission, ROLES, Relationship, Row, TENANT, TENANTS, Table};
use super::reference::Viewer;

/// A source of chance.
pub struct Chance(StdRng);

/// Endings of texts, some of which want escapes.
const ENDINGS: [&str; 6] = ["1", "2", "it's", "a \"b\"", "{c,d}", "back\\slash"];

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    /// A number from a range.
    pub fn number(&mut self, range: std::ops::Range<i64>) -> i64 {
        self.0.random_range(range)
    }

    /// One of several.
    pub fn one<T: Clone>(&mut self, items: &[T]) -> T {
        items.choose(&mut self.0).expect("something to choose from").clone()
    }

    /// Some of several, at least one when there is any, in their order.
    pub fn some<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let some: Vec<T> = items.iter().filter(|_| self.0.random_ratio(1, 2)).cloned().collect();
        match some.is_empty() && !items.is_empty() {
            true => vec![self.one(items)],
            false => some,
        }
    }

    /// A text of a tenant.
    pub fn text(&mut self, tenant: usize) -> String {
        format!("{}-{}", TENANTS[tenant], self.one(&ENDINGS))
    }

    fn json(&mut self, tenant: usize) -> Value {
        let text = self.text(tenant);
        match self.number(0..4) {
            0 => json!([text, self.number(0..3)]),
            1 => json!({"k": self.number(0..3)}),
            2 => json!({"t": text, "u": {"k": self.number(0..3)}}),
            _ => json!({"k": self.number(0..3), "t": [text]}),
        }
    }

    /// A value of a kind.
    pub fn value(&mut self, kind: Kind, tenant: usize) -> Value {
        match kind {
            Kind::Int => self.number(-2..5).into(),
            Kind::Text => self.text(tenant).into(),
            Kind::Bool => self.percent(50).into(),
            Kind::Json => self.json(tenant),
        }
    }

    /// Who asks, with session variables.
    pub fn viewer(&mut self, role: usize, tenant: usize) -> Viewer {
        let labels = (0..self.number(0..4)).map(|_| self.text(tenant)).collect();
        Viewer { role, tenant, number: self.number(-1..4), labels }
    }

    /// A schema with its rows and permissions.
    pub fn model(&mut self) -> Model {
        let count = self.number(2..5) as usize;
        let mut tables: Vec<Table> = (0..count).map(|place| self.table(place)).collect();
        relate(&mut tables);
        for place in 0..count {
            let rows = self.number(4..13);
            for id in 1..=rows {
                let row = self.row(&tables, place, id);
                tables[place].rows.push(row);
            }
        }
        // References go to any row that exists, also of the other tenant and of tables further on.
        for place in 0..count {
            for column in 0..tables[place].columns.len() {
                let Some(other) = tables[place].columns[column].references else { continue };
                for row in 0..tables[place].rows.len() {
                    tables[place].rows[row][column] = self.reference(&tables, other);
                }
            }
        }
        let mut model = Model { tables, permissions: Vec::new() };
        for role in 0..ROLES.len() {
            let permissions = (0..count).map(|table| self.permission(&model, role, table)).collect();
            model.permissions.push(permissions);
        }
        model
    }

    fn table(&mut self, place: usize) -> Table {
        let column =
            |name: &str, kind, nullable, references| Column { name: name.to_owned(), kind, nullable, references };
        let mut columns = vec![column("id", Kind::Int, false, None), column("tenant", Kind::Text, false, None)];
        for (name, kind) in [("label", Kind::Text), ("n", Kind::Int), ("flag", Kind::Bool), ("doc", Kind::Json)] {
            if self.percent(80) {
                columns.push(column(name, kind, self.percent(80), None));
            }
        }
        // Each table but the first refers to the one before it, some to themselves or to the first as well.
        let mut references = Vec::new();
        if place > 0 {
            references.push(place - 1);
        }
        if self.percent(50) {
            references.push(if self.percent(50) { place } else { 0 });
        }
        for (index, other) in references.into_iter().enumerate() {
            columns.push(column(&format!("ref{index}"), Kind::Int, true, Some(other)));
        }
        Table { name: format!("t{place}"), columns, relationships: Vec::new(), rows: Vec::new() }
    }

    fn reference(&mut self, tables: &[Table], other: usize) -> Value {
        match self.percent(20) {
            true => Value::Null,
            false => self.number(1..tables[other].rows.len() as i64 + 1).into(),
        }
    }

    /// A row of either tenant; its references are empty.
    pub fn row(&mut self, tables: &[Table], table: usize, id: i64) -> Row {
        let tenant = usize::from(self.percent(50));
        let columns = &tables[table].columns;
        let mut row = Row::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            row.push(match place {
                ID => id.into(),
                TENANT => TENANTS[tenant].into(),
                _ if column.references.is_some() || (column.nullable && self.percent(25)) => Value::Null,
                _ => self.value(column.kind, tenant),
            });
        }
        row
    }

    fn permission(&mut self, model: &Model, role: usize, table: usize) -> Option<Permission> {
        if role == 1 && table > 0 && self.percent(25) {
            return None;
        }
        let count = model.tables[table].columns.len();
        let columns = (0..count).map(|place| place == ID || role == 0 || self.percent(75)).collect();
        let limit = self.percent(25).then(|| self.number(1..6) as u64);
        let mut guarded = || self.guarded(model, role, table);
        let (filter, insert_check, update_filter, delete_filter) = (guarded(), guarded(), guarded(), guarded());
        // Without a check of its own an update may move a row anywhere, so the roles that keep tenants apart have one.
        let update_check = (role != LOOSE || self.percent(50)).then(|| self.guarded(model, role, table));
        Some(Permission {
            columns,
            filter,
            limit,
            aggregations: self.percent(75),
            insert_check,
            preset: self.percent(50),
            update_filter,
            update_check,
            delete_filter,
        })
    }

    /// A random expression, of most roles together with one that keeps tenants apart.
    fn guarded(&mut self, model: &Model, role: usize, table: usize) -> Exp {
        let random = if self.percent(40) { TRUE } else { self.rule(model, table, 2) };
        if role == LOOSE {
            return random;
        }
        let tenant = |op| Exp::Compare(TENANT, op, "X-Hasura-Tenant".into());
        match self.number(0..4) {
            0 => Exp::And(vec![tenant(Op::Eq), random]),
            1 => Exp::And(vec![random, Exp::Not(Box::new(tenant(Op::Neq)))]),
            2 => Exp::Not(Box::new(Exp::Or(vec![Exp::Not(Box::new(random)), tenant(Op::Neq)]))),
            _ => Exp::And(vec![Exp::And(vec![tenant(Op::Gte), tenant(Op::Lte)]), random]),
        }
    }

    /// An expression of a permission.
    pub fn rule(&mut self, model: &Model, table: usize, depth: u32) -> Exp {
        let here = &model.tables[table];
        if depth > 0 {
            match self.number(0..10) {
                0 => return Exp::And((0..2).map(|_| self.rule(model, table, depth - 1)).collect()),
                1 => return Exp::Or((0..self.number(0..3)).map(|_| self.rule(model, table, depth - 1)).collect()),
                2 => return Exp::Not(Box::new(self.rule(model, table, depth - 1))),
                3 | 4 if !here.relationships.is_empty() => {
                    let place = self.number(0..here.relationships.len() as i64) as usize;
                    let inner = self.rule(model, here.relationships[place].table, depth - 1);
                    return Exp::Related(place, Box::new(inner));
                }
                5 => {
                    let other = self.number(0..model.tables.len() as i64) as usize;
                    return Exp::Exists(other, Box::new(self.rule(model, other, depth - 1)));
                }
                _ => {}
            }
        }
        match self.number(0..8) {
            0 => Exp::Columns(TENANT, self.one(&[Op::Eq, Op::Neq, Op::Gt]), true, TENANT),
            1 => Exp::Columns(ID, self.one(&[Op::Eq, Op::Lt, Op::Gte]), true, ID),
            2 => {
                let numbers: Vec<usize> =
                    (0..here.columns.len()).filter(|&place| here.columns[place].kind == Kind::Int).collect();
                Exp::Columns(
                    self.one(&numbers),
                    self.one(&[Op::Eq, Op::Neq, Op::Lt, Op::Gt, Op::Lte]),
                    false,
                    self.one(&numbers),
                )
            }
            _ => self.comparison(model, table, None),
        }
    }

    /// A column compared with a value; with a list of columns it is a client's, which has no session variables.
    pub fn comparison(&mut self, model: &Model, table: usize, visible: Option<&[usize]>) -> Exp {
        let columns = &model.tables[table].columns;
        let all: Vec<usize> = (0..columns.len()).collect();
        let place = self.one(visible.unwrap_or(&all));
        let column = &columns[place];
        if self.percent(15) {
            return Exp::Compare(place, Op::IsNull, self.percent(50).into());
        }
        if visible.is_none() && self.percent(10) {
            return Exp::Compare(place, self.one(&[Op::Eq, Op::Neq]), Value::Null);
        }
        let tenant = usize::from(self.percent(50));
        if column.kind == Kind::Json {
            return match self.number(0..3) {
                0 => Exp::Compare(place, Op::HasKey, self.one(&["k", "t", "u"]).into()),
                1 => Exp::Compare(place, Op::Eq, self.json(tenant)),
                _ => Exp::Compare(place, Op::Contains, self.json(tenant)),
            };
        }
        if visible.is_none() && self.percent(30) {
            match column.kind {
                Kind::Int => {
                    return Exp::Compare(
                        place,
                        self.one(&[Op::Eq, Op::Gt, Op::Neq, Op::Lte]),
                        "X-Hasura-Number".into(),
                    );
                }
                Kind::Text => {
                    return Exp::Compare(place, self.one(&[Op::In, Op::Nin]), "X-Hasura-Labels".into());
                }
                _ => {}
            }
        }
        let op = self.one(&[Op::Eq, Op::Neq, Op::Gt, Op::Lt, Op::Gte, Op::Lte, Op::In, Op::Nin]);
        let value = |chance: &mut Self| match place {
            TENANT => TENANTS[tenant].into(),
            _ => chance.value(column.kind, tenant),
        };
        match op {
            Op::In | Op::Nin => {
                let items: Vec<Value> = (0..self.number(0..4)).map(|_| value(self)).collect();
                Exp::Compare(place, op, items.into())
            }
            _ => Exp::Compare(place, op, value(self)),
        }
    }
}

/// Both relationships of every reference.
fn relate(tables: &mut [Table]) {
    for table in 0..tables.len() {
        for place in 0..tables[table].columns.len() {
            let Some(other) = tables[table].columns[place].references else { continue };
            let column = tables[table].columns[place].name.clone();
            let name = format!("one_{column}");
            tables[table].relationships.push(Relationship {
                name,
                array: false,
                local: place,
                table: other,
                remote: ID,
            });
            let name = format!("many_t{table}_{column}");
            tables[other].relationships.push(Relationship { name, array: true, local: ID, table, remote: place });
        }
    }
}
