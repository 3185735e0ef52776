//! Random mutations of a role, and what they must do to the rows and answer.

use serde_json::{Map, Value, json};

use super::ask::Asker;
use super::expression::{Exp, TRUE};
use super::generate::Chance;
use super::model::{ID, LOOSE, Model, Row, TENANT, TENANTS};
use super::query::{Field, What, Writer};
use super::reference::{Reference, Viewer};

/// Values by the places of their columns.
type Values = Vec<(usize, Value)>;

/// A mutation of one root field, `r`.
#[derive(Debug, Clone)]
pub struct Mutation {
    table: usize,
    action: Action,
    /// Whether it answers with one row rather than with a list.
    one: bool,
    returning: Vec<Field>,
    variables: bool,
}

#[derive(Debug, Clone)]
enum Action {
    Insert(Vec<Values>),
    Update { filter: Exp, key: Option<i64>, set: Values, add: Option<(usize, i64)> },
    Delete { filter: Exp, key: Option<i64> },
}

/// A random mutation; `next` is a key that no row has.
pub fn mutation(chance: &mut Chance, model: &Model, viewer: &Viewer, next: i64) -> Mutation {
    let asker = Asker { model, role: viewer.role };
    let tables: Vec<usize> =
        (0..model.tables.len()).filter(|&table| model.permission(viewer.role, table).is_some()).collect();
    let table = chance.one(&tables);
    let one = chance.percent(40);
    let key = |chance: &mut Chance| one.then(|| chance.number(1..14));
    let filter = |chance: &mut Chance| if one { TRUE } else { asker.filter(chance, table, 2) };
    let action = match chance.number(0..5) {
        0 | 1 => {
            let count = if one { 1 } else { chance.number(1..4) };
            Action::Insert((0..count).map(|index| inserted(chance, model, viewer, table, next + index)).collect())
        }
        2 | 3 => {
            let (filter, key) = (filter(chance), key(chance));
            let places: Vec<usize> = (TENANT..model.tables[table].columns.len()).collect();
            let mut set: Values = Vec::new();
            for place in chance.some(&places) {
                set.push((place, written(chance, model, viewer, table, place)));
            }
            let numbers: Vec<usize> = places
                .into_iter()
                .filter(|place| {
                    model.tables[table].columns[*place].name == "n" && set.iter().all(|(own, _)| own != place)
                })
                .collect();
            let add = numbers.first().map(|&place| (place, chance.number(-2..3)));
            Action::Update { filter, key, set, add }
        }
        _ => Action::Delete { filter: filter(chance), key: key(chance) },
    };
    let depth = if matches!(action, Action::Delete { .. }) { 0 } else { 1 };
    let mut returning = asker.fields(chance, table, depth);
    returning.push(Field { key: Some("key".to_owned()), what: What::Column(ID) });
    Mutation { table, action, one, returning, variables: chance.percent(50) }
}

/// Roles that keep tenants apart write their own texts, so that a text of the other tenant stays a sign of its rows.
fn written(chance: &mut Chance, model: &Model, viewer: &Viewer, table: usize, place: usize) -> Value {
    let column = &model.tables[table].columns[place];
    let other = chance.percent(15);
    let tenant = if other { 1 - viewer.tenant } else { viewer.tenant };
    if place == TENANT {
        return TENANTS[tenant].into();
    }
    if column.nullable && chance.percent(15) {
        return Value::Null;
    }
    match column.references {
        Some(to) => {
            let ids: Vec<Value> =
                model.tables[to].rows.iter().map(|row| row[ID].clone()).chain([Value::Null]).collect();
            chance.one(&ids)
        }
        None => chance.value(column.kind, if viewer.role == LOOSE { tenant } else { viewer.tenant }),
    }
}

fn inserted(chance: &mut Chance, model: &Model, viewer: &Viewer, table: usize, id: i64) -> Values {
    let preset = model.permission(viewer.role, table).is_some_and(|permission| permission.preset);
    let mut values = vec![(ID, id.into())];
    for (place, column) in model.tables[table].columns.iter().enumerate().skip(TENANT) {
        if (place == TENANT && preset) || (column.nullable && chance.percent(30)) {
            continue;
        }
        values.push((place, written(chance, model, viewer, table, place)));
    }
    values
}

impl Mutation {
    /// The document and its variables.
    pub fn document(&self, model: &Model) -> (String, Value) {
        let table = &model.tables[self.table];
        let mut writer = Writer::new(model);
        let object = |values: &Values| -> Value {
            let fields = values.iter().map(|(place, value)| (table.columns[*place].name.clone(), value.clone()));
            fields.collect::<Map<_, _>>().into()
        };
        let ty = |suffix: &str| self.variables.then(|| format!("{}_{suffix}", table.name));
        let chosen = |writer: &mut Writer<'_>, filter: &Exp, key: Option<i64>, update: bool| match (key, update) {
            (Some(key), true) => format!("pk_columns: {{id: {key}}}"),
            (Some(key), false) => format!("id: {key}"),
            (None, _) => format!("where: {}", writer.value(&filter.to_json(model, self.table), ty("bool_exp!"))),
        };
        let (name, args) = match &self.action {
            Action::Insert(rows) if self.one => {
                let object = writer.value(&object(&rows[0]), ty("insert_input!"));
                (format!("insert_{}_one", table.name), format!("object: {object}"))
            }
            Action::Insert(rows) => {
                let rows: Vec<String> =
                    rows.iter().map(|row| writer.value(&object(row), ty("insert_input!"))).collect();
                (format!("insert_{}", table.name), format!("objects: [{}]", rows.join(", ")))
            }
            Action::Update { filter, key, set, add } => {
                let mut args = vec![chosen(&mut writer, filter, *key, true)];
                args.push(format!("_set: {}", writer.value(&object(set), ty("set_input"))));
                if let Some((place, number)) = add {
                    args.push(format!("_inc: {{{}: {number}}}", table.columns[*place].name));
                }
                (format!("update_{}", table.name), args.join(", "))
            }
            Action::Delete { filter, key } => {
                (format!("delete_{}", table.name), chosen(&mut writer, filter, *key, false))
            }
        };
        let by_key = if self.one && !matches!(self.action, Action::Insert(_)) { "_by_pk" } else { "" };
        writer.push(&format!("r: {name}{by_key}({args}) "));
        if !self.one {
            writer.push("{ affected_rows returning ");
        }
        writer.fields(self.table, &self.returning);
        if !self.one {
            writer.push("}");
        }
        writer.finish("mutation")
    }

    /// Does to the rows what the mutation does, and gives its answer.
    pub fn apply(&self, model: &mut Model, viewer: &Viewer) -> Value {
        let before = model.clone();
        let seen = Reference { model: &before, viewer };
        let Some(permission) = before.permission(viewer.role, self.table) else { unreachable!("a table of the role") };
        let own = &before.tables[self.table].rows;
        let chosen = |allowed: &Exp, filter: &Exp, key: Option<i64>| -> Vec<usize> {
            let holds = |row: &Row| {
                seen.permits(allowed, self.table, row)
                    && seen.asked(filter, self.table, row)
                    && key.is_none_or(|key| row[ID] == key)
            };
            (0..own.len()).filter(|&place| holds(&own[place])).collect()
        };
        let mut touched: Vec<Row> = Vec::new();
        // What a check says of other rows is what they were before.
        let check = match &self.action {
            Action::Insert(rows) => {
                for values in rows {
                    let mut row = vec![Value::Null; before.tables[self.table].columns.len()];
                    if permission.preset {
                        row[TENANT] = TENANTS[viewer.tenant].into();
                    }
                    assign(&mut row, values);
                    model.tables[self.table].rows.push(row.clone());
                    touched.push(row);
                }
                Some(&permission.insert_check)
            }
            Action::Update { filter, key, set, add } => {
                for place in chosen(&permission.update_filter, filter, *key) {
                    let row = &mut model.tables[self.table].rows[place];
                    assign(row, set);
                    if let Some((column, number)) = add {
                        row[*column] = row[*column].as_i64().map(|own| own + number).into();
                    }
                    touched.push(row.clone());
                }
                permission.update_check.as_ref()
            }
            Action::Delete { filter, key } => {
                let gone = chosen(&permission.delete_filter, filter, *key);
                touched.extend(gone.iter().map(|&place| own[place].clone()));
                remove(model, self.table, &touched);
                None
            }
        };
        if let Some(check) = check
            && !touched.iter().all(|row| seen.permits(check, self.table, row))
        {
            *model = before;
            return json!({"errors": [{
                "message": "check constraint of an insert/update permission has failed",
                "code": "permission-error",
            }]});
        }
        let after = Reference { model, viewer };
        let mut rows: Vec<Value> = touched.iter().map(|row| after.object(self.table, row, &self.returning)).collect();
        sort(&mut rows);
        let answer = match self.one {
            true => rows.pop().unwrap_or_default(),
            false => json!({"affected_rows": rows.len(), "returning": rows}),
        };
        json!({"data": {"r": answer}})
    }
}

fn assign(row: &mut Row, values: &Values) {
    for (place, value) in values {
        row[*place] = value.clone();
    }
}

fn remove(model: &mut Model, table: usize, gone: &[Row]) {
    let is_gone = |id: &Value| gone.iter().any(|row| row[ID] == *id);
    model.tables[table].rows.retain(|row| !is_gone(&row[ID]));
    for other in &mut model.tables {
        let places: Vec<usize> =
            (0..other.columns.len()).filter(|&place| other.columns[place].references == Some(table)).collect();
        for row in &mut other.rows {
            for &place in &places {
                if is_gone(&row[place]) {
                    row[place] = Value::Null;
                }
            }
        }
    }
}

/// An engine's answer in the form that [`Mutation::apply`] gives: rows by their keys, of errors message and code.
pub fn normal(mut answer: Value) -> Value {
    if let Some(error) = answer.pointer("/errors/0") {
        return json!({"errors": [{"message": error["message"], "code": error["extensions"]["code"]}]});
    }
    if let Some(Value::Array(rows)) = answer.pointer_mut("/data/r/returning") {
        sort(rows);
    }
    answer
}

fn sort(rows: &mut [Value]) {
    rows.sort_by_key(|row| row["key"].as_i64());
}
