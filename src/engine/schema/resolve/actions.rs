//! The types of actions.

use super::*;

/// Scalars that actions may name without defining them.
const SCALARS: &[&str] = &[
    "Int",
    "Float",
    "String",
    "Boolean",
    "ID",
    "uuid",
    "json",
    "jsonb",
    "bigint",
    "smallint",
    "numeric",
    "float8",
    "timestamptz",
    "timestamp",
    "date",
    "time",
    "timetz",
    "interval",
    "bytea",
    "citext",
    "inet",
    "money",
];

impl Resolver<'_> {
    /// Leaves out actions whose types are unknown.
    pub(super) fn action_types(&mut self) {
        let custom = self.model.custom_types.clone();
        let columns: BTreeSet<String> = self
            .model
            .tables
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| column.ty.name.clone()))
            .collect();
        let known = |written: &str| {
            let name = written.trim_matches(|c: char| matches!(c, '[' | ']' | '!') || c.is_whitespace());
            SCALARS.contains(&name)
                || columns.contains(name)
                || custom.objects.iter().any(|ty| ty.name == name)
                || custom.input_objects.iter().any(|ty| ty.name == name)
                || custom.enums.iter().any(|ty| ty.name == name)
                || custom.scalars.iter().any(|ty| ty.name == name)
        };
        let fields =
            custom.objects.iter().flat_map(|object| object.fields.iter().map(|field| (&object.name, &field.ty)));
        let inputs =
            custom.input_objects.iter().flat_map(|object| object.fields.iter().map(|field| (&object.name, &field.ty)));
        let unknown: Vec<(String, String)> = fields
            .chain(inputs)
            .filter(|(_, ty)| !known(ty))
            .map(|(object, ty)| (object.clone(), ty.clone()))
            .collect();
        for (object, ty) in unknown {
            let reason = format!("Inconsistent object: the type {ty} of a field of {object} is not defined");
            self.fault("custom_types", "custom_types".to_owned(), reason, json!({"name": object}));
        }
        for object in &custom.objects {
            for relationship in &object.relationships {
                let table = self.model.by_name.get(&relationship.remote_table).map(|&table| &self.model.tables[table]);
                let reason = match table {
                    None => Some(format!("table \"{}\" is not tracked", relationship.remote_table)),
                    Some(table) => relationship
                        .field_mapping
                        .values()
                        .find(|column| table.column(column).is_none())
                        .map(|column| format!("column \"{column}\" does not exist in table \"{}\"", table.name)),
                };
                if let Some(reason) = reason {
                    let reason = format!("Inconsistent object: in the type {}: {reason}", object.name);
                    self.fault("custom_types", "custom_types".to_owned(), reason, relationship);
                }
            }
        }
        for action in std::mem::take(&mut self.model.actions) {
            let definition = &action.definition;
            let types = std::iter::once(&definition.output_type).chain(definition.arguments.iter().map(|a| &a.ty));
            match types.into_iter().find(|ty| !known(ty)) {
                None => self.model.actions.push(action),
                Some(ty) => {
                    let reason = format!("Inconsistent object: the type {ty} is not defined in custom types");
                    self.fault("action", format!("action {}", action.name), reason, &*action);
                }
            }
        }
    }
}
