//! A small schema with its rows, and what each role may do with it.

use serde_json::{Map, Value, json};

use super::expression::Exp;

/// The tenants. Each text that belongs to a tenant has its name in it, so that one that strays is seen in any answer.
pub const TENANTS: [&str; 2] = ["aardvark", "buffalo"];
/// The roles: the first two keep tenants apart on every table, the last one does not.
pub const ROLES: [&str; 3] = ["member", "guest", "loose"];
/// The role that sees rows of both tenants.
pub const LOOSE: usize = 2;
/// The place of the primary key in every table.
pub const ID: usize = 0;
/// The place of the tenant in every table.
pub const TENANT: usize = 1;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    Bool,
    Json,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub nullable: bool,
    /// The table whose key it holds.
    pub references: Option<usize>,
}

/// A relationship: rows of another table whose `remote` column equals this one's `local` column.
#[derive(Debug, Clone)]
pub struct Relationship {
    pub name: String,
    pub array: bool,
    pub local: usize,
    pub table: usize,
    pub remote: usize,
}

/// A row: a value for each column, null where it has none.
pub type Row = Vec<Value>;

/// A table with its rows.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub relationships: Vec<Relationship>,
    pub rows: Vec<Row>,
}

/// What one role may do with one table.
#[derive(Debug, Clone)]
pub struct Permission {
    pub columns: Vec<bool>,
    pub filter: Exp,
    pub limit: Option<u64>,
    pub aggregations: bool,
    /// What a new row must satisfy. The tenant is set from the session when `preset` says so.
    pub insert_check: Exp,
    pub preset: bool,
    pub update_filter: Exp,
    pub update_check: Option<Exp>,
    pub delete_filter: Exp,
}

/// The tables, and for each role and table what it may do; nothing where there is none.
#[derive(Debug, Clone)]
pub struct Model {
    pub tables: Vec<Table>,
    pub permissions: Vec<Vec<Option<Permission>>>,
}

impl Model {
    /// What a role may do with a table.
    pub fn permission(&self, role: usize, table: usize) -> Option<&Permission> {
        self.permissions[role][table].as_ref()
    }

    /// The rows of all tables.
    pub fn rows(&self) -> Vec<Vec<Row>> {
        self.tables.iter().map(|table| table.rows.clone()).collect()
    }

    /// Places of the columns that a role sees.
    pub fn visible(&self, role: usize, table: usize) -> Vec<usize> {
        let Some(permission) = self.permission(role, table) else { return Vec::new() };
        (0..permission.columns.len()).filter(|&place| permission.columns[place]).collect()
    }

    /// Places of the relationships that a role can follow.
    pub fn reachable(&self, role: usize, table: usize) -> Vec<usize> {
        let relationships = &self.tables[table].relationships;
        (0..relationships.len()).filter(|&place| self.permission(role, relationships[place].table).is_some()).collect()
    }

    /// Statements that make the tables and their rows.
    pub fn setup(&self) -> String {
        let mut sql = String::new();
        for table in &self.tables {
            let columns: Vec<String> = table.columns.iter().enumerate().map(definition).collect();
            sql += &format!("create table {} ({});\n", table.name, columns.join(", "));
        }
        for table in &self.tables {
            let rows: Vec<Value> = table.rows.iter().map(|row| table.object(row)).collect();
            let rows = Value::from(rows).to_string().replace('\'', "''");
            let name = &table.name;
            sql += &format!("insert into {name} select * from jsonb_populate_recordset(null::{name}, '{rows}');\n");
        }
        for table in &self.tables {
            for column in &table.columns {
                let Some(other) = column.references else { continue };
                sql += &format!(
                    "alter table {} add foreign key ({}) references {} (id) on delete set null;\n",
                    table.name, column.name, self.tables[other].name
                );
            }
        }
        sql
    }

    /// The metadata document.
    pub fn metadata(&self) -> Value {
        let tables: Vec<Value> = (0..self.tables.len()).map(|table| self.table_metadata(table)).collect();
        let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
        let source = json!({"name": "default", "kind": "postgres", "tables": tables, "configuration": configuration});
        json!({"version": 3, "sources": [source]})
    }

    fn table_metadata(&self, place: usize) -> Value {
        let table = &self.tables[place];
        let relationships = |array: bool| -> Vec<Value> {
            let wanted = table.relationships.iter().filter(|relationship| relationship.array == array);
            wanted.map(|relationship| self.relationship_metadata(table, relationship)).collect()
        };
        let mut lists: [Vec<Value>; 4] = Default::default();
        for (role, name) in ROLES.iter().enumerate() {
            let Some(permission) = self.permission(role, place) else { continue };
            let columns: Vec<&str> =
                self.visible(role, place).into_iter().map(|column| table.columns[column].name.as_str()).collect();
            let of = |exp: &Exp| exp.to_json(self, place);
            let mut select = json!({
                "columns": columns,
                "filter": of(&permission.filter),
                "allow_aggregations": permission.aggregations,
            });
            if let Some(limit) = permission.limit {
                select["limit"] = limit.into();
            }
            let set = if permission.preset { json!({"tenant": "X-Hasura-Tenant"}) } else { json!({}) };
            let mut update = json!({"columns": "*", "filter": of(&permission.update_filter)});
            if let Some(check) = &permission.update_check {
                update["check"] = of(check);
            }
            let insert = json!({"columns": "*", "check": of(&permission.insert_check), "set": set});
            let delete = json!({"filter": of(&permission.delete_filter)});
            for (list, permission) in lists.iter_mut().zip([select, insert, update, delete]) {
                list.push(json!({"role": name, "permission": permission}));
            }
        }
        let [select, insert, update, delete] = lists;
        json!({
            "table": {"schema": "public", "name": table.name},
            "object_relationships": relationships(false),
            "array_relationships": relationships(true),
            "select_permissions": select,
            "insert_permissions": insert,
            "update_permissions": update,
            "delete_permissions": delete,
        })
    }

    fn relationship_metadata(&self, table: &Table, relationship: &Relationship) -> Value {
        let other = &self.tables[relationship.table];
        let using = match relationship.array {
            false => Value::from(table.columns[relationship.local].name.as_str()),
            true => json!({
                "table": {"schema": "public", "name": other.name},
                "column": other.columns[relationship.remote].name,
            }),
        };
        json!({"name": relationship.name, "using": {"foreign_key_constraint_on": using}})
    }
}

fn definition((place, column): (usize, &Column)) -> String {
    // The order of bytes, which is Rust's own.
    let ty = match column.kind {
        Kind::Int => "int",
        Kind::Text => "text collate \"C\"",
        Kind::Bool => "bool",
        Kind::Json => "jsonb",
    };
    let rule = match (place, column.nullable) {
        (ID, _) => " primary key",
        (_, false) => " not null",
        (_, true) => "",
    };
    format!("{} {ty}{rule}", column.name)
}

impl Table {
    /// A row as an object of all columns.
    pub fn object(&self, row: &Row) -> Value {
        let fields = self.columns.iter().zip(row).map(|(column, value)| (column.name.clone(), value.clone()));
        Value::Object(fields.collect::<Map<_, _>>())
    }
}
