//! Relationships that leave the source: from rows to remote schemas, from objects of remote schemas to rows or to other
//! remote schemas. What does not fit is left out and reported.

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::ExtendedType;
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::model::join::{Call, JoinInfo, JoinTo, Left, LeftFrom};
use super::model::{ComputedReturn, Inconsistency, Model, TableId};
use super::remote::{RemoteTypes, field_of, is_standard};
use crate::metadata::{
    FieldCall, Metadata, RelationshipType, RemoteRelationship, RemoteRelationshipDefinition, ToRemoteSchema, ToSource,
};

/// Resolves the relationships of tables and of remote types, and puts them where they start.
pub fn resolve(metadata: &Metadata, model: &mut Model, remotes: &mut [RemoteTypes]) -> Vec<Inconsistency> {
    let mut faults = Vec::new();
    for table in metadata.sources.first().into_iter().flat_map(|source| &source.tables) {
        let Some(&id) = model.by_name.get(&table.table) else { continue };
        for relationship in &table.remote_relationships {
            let resolver = Resolver { metadata, model, remotes };
            match resolver.of_table(id, relationship) {
                Ok(info) => model.tables[id].joins.push(info),
                Err(reason) => {
                    let (name, table) = (&relationship.name, &table.table);
                    let mut definition = json!(relationship);
                    if let Some(fields) = definition.as_object_mut() {
                        fields.insert("source".to_owned(), "default".into());
                        fields.insert("table".to_owned(), json!(table));
                    }
                    faults.push(Inconsistency {
                        kind: "remote_relationship".to_owned(),
                        name: format!("remote_relationship {name} in table {table} in source default"),
                        reason: format!(
                            "Inconsistent object: in table \"{table}\": in remote relationship \"{name}\": {reason}"
                        ),
                        definition,
                    });
                }
            }
        }
    }
    for place in 0..remotes.len() {
        let definition = remotes[place].definition.clone();
        for of_type in &definition.remote_relationships {
            for relationship in &of_type.relationships {
                let resolver = Resolver { metadata, model, remotes };
                match resolver.of_remote(place, &of_type.type_name, relationship) {
                    Ok((ty, info)) => remotes[place].joins.entry(ty).or_default().push(info),
                    Err(reason) => {
                        let (name, ty, schema) = (&relationship.name, &of_type.type_name, &definition.name);
                        let name = format!("remote_relationship {name} on type {ty} in remote schema {schema}");
                        faults.push(Inconsistency {
                            kind: "remote_schema_remote_relationship".to_owned(),
                            reason: format!(
                                "Inconsistent object: in remote schema \"{schema}\": in remote relationship \"{}\": {reason}",
                                relationship.name
                            ),
                            name,
                            definition: json!({
                                "remote_schema": schema, "type_name": ty,
                                "name": relationship.name, "definition": relationship.definition,
                            }),
                        });
                    }
                }
            }
        }
    }
    faults
}

struct Resolver<'a> {
    metadata: &'a Metadata,
    model: &'a Model,
    remotes: &'a [RemoteTypes],
}

/// The type of a value on the left side.
struct LeftType {
    name: String,
    list: bool,
}

/// Finds a value of the left side by its name.
type Lefts<'l> = &'l dyn Fn(&str) -> Result<(LeftFrom, LeftType), String>;

impl Resolver<'_> {
    fn of_table(&self, id: TableId, relationship: &RemoteRelationship) -> Result<JoinInfo, String> {
        let table = &self.model.tables[id];
        let name = &relationship.name;
        let taken = table.columns.iter().any(|column| column.field == *name)
            || table.relationship(name).is_some()
            || table.computed.iter().any(|computed| computed.name == *name)
            || table.joins.iter().any(|join| join.name == *name);
        if taken {
            return Err(format!("field with name \"{name}\" already exists in table"));
        }
        self.join(relationship, &|field| {
            if let Some(column) = table.column(field) {
                let ty = &table.columns[column].ty;
                return Ok((LeftFrom::Column(column), LeftType { name: ty.name.clone(), list: ty.list }));
            }
            let computed = table.computed.iter().position(|computed| computed.name == field);
            let computed =
                computed.ok_or_else(|| format!("field \"{field}\" does not exist in table \"{}\"", table.name))?;
            match &table.computed[computed].returns {
                ComputedReturn::Scalar(ty) => {
                    Ok((LeftFrom::Computed(computed), LeftType { name: ty.name.clone(), list: ty.list }))
                }
                ComputedReturn::Table(_) => Err(format!("the computed field \"{field}\" returns rows, not a value")),
            }
        })
    }

    fn of_remote(
        &self,
        place: usize,
        ty: &str,
        relationship: &RemoteRelationship,
    ) -> Result<(String, JoinInfo), String> {
        let remote = &self.remotes[place];
        let schema = remote.schema();
        let own = match schema.types.get(ty) {
            Some(_) => ty.to_owned(),
            // By the name here, where it has another there.
            None => schema
                .types
                .keys()
                .find(|own| remote.names.ty(own) == ty)
                .map(|own| own.to_string())
                .ok_or_else(|| format!("type with name \"{ty}\" not found"))?,
        };
        let Some(ExtendedType::Object(object)) = schema.types.get(own.as_str()) else {
            return Err(format!("type with name \"{ty}\" is not an object"));
        };
        let name = &relationship.name;
        let taken = object.fields.keys().any(|field| remote.names.field(&own, field) == name)
            || remote.joins.get(&own).into_iter().flatten().any(|join| join.name == *name);
        if taken {
            return Err(format!("field with name \"{name}\" already exists in type \"{ty}\""));
        }
        let info = self.join(relationship, &|field| {
            let definition = field_of(schema, &own, field)
                .ok_or_else(|| format!("field \"{field}\" does not exist in type \"{ty}\""))?;
            if definition.arguments.iter().any(|argument| argument.is_required()) {
                return Err(format!("the field \"{field}\" of type \"{ty}\" has arguments that must be given"));
            }
            let base = definition.ty.inner_named_type();
            let leaf = matches!(schema.types.get(base), None | Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_)));
            match leaf {
                true => Ok((LeftFrom::Field, LeftType { name: base.to_string(), list: definition.ty.is_list() })),
                false => Err(format!("the field \"{field}\" of type \"{ty}\" is not a value")),
            }
        })?;
        Ok((own, info))
    }

    fn join(&self, relationship: &RemoteRelationship, left: Lefts<'_>) -> Result<JoinInfo, String> {
        if !crate::metadata::is_name(&relationship.name) {
            return Err(format!("\"{}\" is not a valid GraphQL identifier", relationship.name));
        }
        let (left, to) = match &relationship.definition {
            RemoteRelationshipDefinition::ToSource(to) => self.to_source(to, left)?,
            RemoteRelationshipDefinition::ToRemoteSchema(to) => self.to_remote(to, left)?,
        };
        Ok(JoinInfo { name: relationship.name.clone(), left, to })
    }

    fn to_source(&self, to: &ToSource, left: Lefts<'_>) -> Result<(Vec<Left>, JoinTo), String> {
        if self.metadata.sources.first().is_none_or(|source| source.name != to.source) {
            return Err(format!("source with name \"{}\" does not exist", to.source));
        }
        let unknown = || format!("table \"{}\" does not exist in source: {}", to.table, to.source);
        let &table = self.model.by_name.get(&to.table).ok_or_else(unknown)?;
        let (mut lefts, mut columns) = (Vec::new(), Vec::new());
        for (field, column) in &to.field_mapping {
            let (from, _) = left(field)?;
            lefts.push(Left { name: field.clone(), from });
            let info = &self.model.tables[table];
            let missing = || format!("column \"{column}\" does not exist in table \"{}\"", info.name);
            columns.push(info.column(column).ok_or_else(missing)?);
        }
        if lefts.is_empty() {
            return Err("the field_mapping is empty".to_owned());
        }
        let array = to.relationship_type == RelationshipType::Array;
        Ok((lefts, JoinTo::Rows { table, array, columns }))
    }

    fn to_remote(&self, to: &ToRemoteSchema, left: Lefts<'_>) -> Result<(Vec<Left>, JoinTo), String> {
        let named = |remote: &RemoteTypes| remote.definition.name == to.remote_schema;
        let remote = self
            .remotes
            .iter()
            .position(named)
            .ok_or_else(|| format!("remote schema with name \"{}\" not found", to.remote_schema))?;
        let (mut lefts, mut types) = (Vec::new(), IndexMap::new());
        for field in &to.lhs_fields {
            let (from, ty) = left(field)?;
            lefts.push(Left { name: field.clone(), from });
            types.insert(field.as_str(), ty);
        }
        let schema = self.remotes[remote].schema();
        let checker = Checker { schema, left: &types };
        let mut path = Vec::new();
        let mut parent = self.remotes[remote].root("query");
        let mut fields = Some(&to.remote_field);
        while let Some(level) = fields {
            let (name, call) = match level.iter().collect::<Vec<_>>().as_slice() {
                [only] => *only,
                _ => return Err("\"remote_field\" must name exactly one field at each level".to_owned()),
            };
            parent = checker.call(&parent, name, call)?;
            path.push(Call { field: name.clone(), arguments: call.arguments.clone() });
            fields = call.field.as_ref().filter(|below| !below.is_empty());
        }
        let used: Vec<Left> =
            lefts.into_iter().filter(|left| path.iter().any(|call| names(call, &left.name))).collect();
        Ok((used, JoinTo::Remote { remote, path }))
    }
}

/// Whether the arguments of a call name a value of the left side.
fn names(call: &Call, name: &str) -> bool {
    fn within(value: &Value, name: &str) -> bool {
        match value {
            Value::String(text) => text.strip_prefix('$') == Some(name),
            Value::Array(items) => items.iter().any(|item| within(item, name)),
            Value::Object(fields) => fields.values().any(|value| within(value, name)),
            _ => false,
        }
    }
    call.arguments.values().any(|value| within(value, name))
}

/// Holds the calls of a relationship against the remote schema.
struct Checker<'a> {
    schema: &'a Schema,
    left: &'a IndexMap<&'a str, LeftType>,
}

impl Checker<'_> {
    /// Checks one call; gives the type of its answer.
    fn call(&self, parent: &str, name: &str, call: &FieldCall) -> Result<String, String> {
        let field = field_of(self.schema, parent, name)
            .ok_or_else(|| format!("field with name \"{name}\" not found in type \"{parent}\" of the remote schema"))?;
        for (argument, value) in &call.arguments {
            let definition = field
                .argument_by_name(argument)
                .ok_or_else(|| format!("argument with name \"{argument}\" not found in field \"{name}\""))?;
            self.value(value, &definition.ty).map_err(|reason| format!("in argument \"{argument}\": {reason}"))?;
        }
        if call.field.as_ref().is_some_and(|below| !below.is_empty()) {
            // Clients give arguments to the last field only.
            let open = |argument: &&apollo_compiler::Node<apollo_compiler::ast::InputValueDefinition>| {
                argument.is_required() && !call.arguments.contains_key(argument.name.as_str())
            };
            if let Some(argument) = field.arguments.iter().find(open) {
                return Err(format!("required argument with name \"{}\" is missing", argument.name));
            }
        }
        Ok(field.ty.inner_named_type().to_string())
    }

    fn value(&self, value: &Value, ty: &Type) -> Result<(), String> {
        let expected = |found: &str| Err(format!("expected type {ty} but got {found}"));
        let name = ty.inner_named_type().as_str();
        match value {
            Value::Null => Err("null is not allowed here".to_owned()),
            Value::Array(items) => match ty {
                Type::List(inner) | Type::NonNullList(inner) => items.iter().try_for_each(|i| self.value(i, inner)),
                _ => expected("a list"),
            },
            Value::String(text) if text.starts_with('$') => self.variable(text.get(1..).unwrap_or_default(), ty),
            Value::Object(fields) => match self.schema.types.get(name) {
                Some(ExtendedType::InputObject(input)) => {
                    for (name, value) in fields {
                        let field = input.fields.get(name.as_str());
                        let field = field.ok_or_else(|| {
                            format!("field with name \"{name}\" not found in input object \"{}\"", input.name)
                        })?;
                        self.value(value, &field.ty)?;
                    }
                    Ok(())
                }
                Some(ExtendedType::Scalar(_)) if !is_standard(name) => Ok(()),
                _ => expected("an object"),
            },
            scalar => {
                if let Some(ExtendedType::Enum(definition)) = self.schema.types.get(name) {
                    return match scalar.as_str() {
                        Some(text) if definition.values.contains_key(text) => Ok(()),
                        _ => expected(&scalar.to_string()),
                    };
                }
                if matches!(self.schema.types.get(name), Some(ExtendedType::InputObject(_))) {
                    return expected(&scalar.to_string());
                }
                let fits = match name {
                    "Int" => scalar.is_i64(),
                    "Float" => scalar.is_number(),
                    "String" => scalar.is_string(),
                    "Boolean" => scalar.is_boolean(),
                    "ID" => scalar.is_string() || scalar.is_i64(),
                    _ => true,
                };
                if fits { Ok(()) } else { expected(&scalar.to_string()) }
            }
        }
    }

    fn variable(&self, name: &str, ty: &Type) -> Result<(), String> {
        let left = self.left.get(name).ok_or_else(|| format!("variable \"${name}\" is not among the lhs_fields"))?;
        let base = ty.inner_named_type().as_str();
        let shown = if left.list { format!("[{}]", left.name) } else { left.name.clone() };
        let json = matches!(left.name.as_str(), "json" | "jsonb");
        let fits = match (left.name.as_str(), base) {
            _ if left.list && !ty.is_list() => false,
            (own, base) if own == base => true,
            // Whatever is one value can be written as text.
            (_, "String" | "ID") => true,
            ("Int", "Float") => true,
            (own, base) if is_standard(own) && is_standard(base) => false,
            ("Int" | "Float" | "Boolean", _) => {
                matches!(self.schema.types.get(base), None | Some(ExtendedType::Scalar(_)))
            }
            (_, _) => json || !matches!(self.schema.types.get(base), Some(ExtendedType::InputObject(_))),
        };
        if fits { Ok(()) } else { Err(format!("expected type {ty} but got {shown} of \"{name}\"")) }
    }
}
