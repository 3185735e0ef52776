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
        let fields = custom
            .objects
            .iter()
            .flat_map(|object| object.fields.iter().map(|field| (&object.name, &field.name, &field.ty)));
        let inputs = custom
            .input_objects
            .iter()
            .flat_map(|object| object.fields.iter().map(|field| (&object.name, &field.name, &field.ty)));
        let base = |ty: &str| ty.trim_matches(|c: char| matches!(c, '[' | ']' | '!') || c.is_whitespace()).to_owned();
        let mut reasons: Vec<String> = fields
            .filter(|(_, _, ty)| !known(ty))
            .map(|(object, field, ty)| {
                format!("the type {:?} for field {field:?} in  object type {object:?} does not exist", base(ty))
            })
            .collect();
        reasons.extend(inputs.filter(|(_, _, ty)| !known(ty)).map(|(object, field, ty)| {
            format!("the type {:?} for field {field:?} in input object {object:?} does not exist", base(ty))
        }));
        for object in &custom.objects {
            for relationship in &object.relationships {
                let table = self.model.by_name.get(&relationship.remote_table).map(|&table| &self.model.tables[table]);
                let (name, object) = (&relationship.name, &object.name);
                match table {
                    None => reasons.push(format!(
                        "the remote table \"{}\" for relationship {name:?} in object type {object:?} does not exist",
                        relationship.remote_table
                    )),
                    Some(table) => {
                        let missing =
                            relationship.field_mapping.values().filter(|column| table.column(column).is_none());
                        reasons.extend(missing.map(|column| {
                            format!(
                                "the column {column:?} of remote table \"{}\" for relationship {name:?} of object type \
                                 {object:?} does not exist",
                                table.name
                            )
                        }));
                    }
                }
            }
        }
        if let Some(because) = enums::because(&reasons) {
            let reason = format!("Inconsistent object: validation for the given custom types failed {because}");
            self.fault("custom_types", "custom_types custom_types".to_owned(), reason, &custom);
        }
        for action in std::mem::take(&mut self.model.actions) {
            let definition = &action.definition;
            let reason = match definition.arguments.iter().find(|argument| !known(&argument.ty)) {
                Some(argument) => Some(format!("the type: {:?} is not defined in custom types", base(&argument.ty))),
                None if known(&definition.output_type) => None,
                None => Some(format!(
                    "the type: {:?} is not an object or scalar type defined in custom types",
                    base(&definition.output_type)
                )),
            };
            match reason.or_else(|| self.claim(clashes::of_action(&action)).err()) {
                None => self.model.actions.push(action),
                Some(reason) => {
                    let reason = format!("Inconsistent object: in action {:?}; {reason}", action.name);
                    self.fault("action", format!("action {}", action.name), reason, &*action);
                }
            }
        }
    }
}
