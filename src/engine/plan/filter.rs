//! Reads clients' boolean expressions and values.

use serde_json::Value;

use super::coerce::coerce;
use super::context::Context;
use super::document::Given;
use super::input::{Input, mismatch};
use crate::engine::error::{GraphqlError, Result};
use crate::engine::schema::boolexp::{AggregatePredicate, BoolExp, Comparison, Operand, Operator, Source};
use crate::engine::schema::model::{ColumnInfo, ComputedReturn, TableId};
use crate::engine::schema::names;
use crate::engine::schema::permission::{array_literal, list_of, operand_type, variable};
use crate::engine::schema::scalar::{ScalarType, cast_target};
use crate::engine::schema::types::{InputField, InputKind, TypeId, TypeKind};

impl<'a> Context<'a> {
    /// The fields of an input object, each with its definition; unknown ones are refused, required ones asked for.
    pub fn fields(
        &self,
        input: Input<'a>,
        ty: TypeId,
        path: &str,
    ) -> Result<Vec<(&'a str, &'a InputField, Input<'a>)>> {
        let definition = self.schema.ty(ty);
        let TypeKind::Input(known) = &definition.kind else { return Ok(Vec::new()) };
        let given = input.object().ok_or_else(|| mismatch(path, "an object", &definition.name, input))?;
        let mut fields = Vec::with_capacity(given.len());
        for (name, value) in given {
            let field = known.get(name).ok_or_else(|| {
                let message = format!("field '{name}' not found in type: '{}'", definition.name);
                GraphqlError::validation(format!("{path}.{name}"), message)
            })?;
            // A variable without a value is as good as not there.
            if let Some(variable) = value.variable()
                && matches!(self.variables.peek(variable, path)?, Given::Absent)
            {
                self.variables.inspect(variable, path)?;
                continue;
            }
            fields.push((name, field, value));
        }
        for (name, field) in known {
            let missing =
                field.ty.is_required() && field.default.is_none() && !fields.iter().any(|(n, _, _)| n == name);
            if missing {
                let message = format!("missing required field '{name}'");
                return Err(GraphqlError::validation(format!("{path}.{name}"), message));
            }
        }
        Ok(fields)
    }

    /// A resolved value, refused when it is null.
    pub fn present(&self, input: Input<'a>, ty: TypeId, path: &str) -> Result<Option<Input<'a>>> {
        let Some(value) = input.resolve(self.variables, path)? else { return Ok(None) };
        if value.is_null() {
            let message = format!("unexpected null value for type '{}'", self.schema.ty(ty).name);
            return Err(GraphqlError::validation(path, message));
        }
        Ok(Some(value))
    }

    /// A client's filter over a table, with the role's permissions on every other table that it reaches.
    pub fn filter(&self, input: Input<'a>, ty: TypeId, table: TableId, path: &str) -> Result<BoolExp> {
        let Some(value) = input.resolve(self.variables, path)? else { return Ok(BoolExp::TRUE) };
        if value.is_null() {
            return Err(GraphqlError::validation(
                path,
                format!("unexpected null value for type '{}'", self.schema.ty(ty).name),
            ));
        }
        let mut parts = Vec::new();
        for (name, field, value) in self.fields(value, ty, path)? {
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            parts.push(match &field.kind {
                InputKind::Plain if name == "_not" => BoolExp::Not(Box::new(self.filter(value, base, table, &path)?)),
                InputKind::Plain => {
                    let Some(list) = self.present(value, base, &path)? else { continue };
                    let items = list
                        .list()
                        .into_iter()
                        .enumerate()
                        .map(|(index, item)| self.filter(item, base, table, &format!("{path}[{index}]")))
                        .collect::<Result<Vec<_>>>()?;
                    if name == "_or" { BoolExp::Or(items) } else { BoolExp::And(items) }
                }
                InputKind::Column(column) => {
                    let info = &self.table(table).columns[*column];
                    let comparisons = self.comparisons(value, base, &info.ty, Some(info), &path)?;
                    let guarded = matches!(self.rule(table).guards.get(*column), Some(Some(_)));
                    let compare = |c| if guarded { BoolExp::Cell(*column, c) } else { BoolExp::Column(*column, c) };
                    BoolExp::And(comparisons.into_iter().map(compare).collect())
                }
                InputKind::Relationship(relationship) => {
                    let other = self.table(table).relationships[*relationship].table;
                    let inner = self.filter(value, base, other, &path)?;
                    let inner = self.permitted(other).and(inner);
                    BoolExp::Relationship(*relationship, Box::new(inner))
                }
                InputKind::RelationshipAggregate(relationship) => {
                    self.aggregate_filter(value, base, table, *relationship, &path)?
                }
                InputKind::Computed(computed) => match &self.table(table).computed[*computed].returns {
                    ComputedReturn::Scalar(ty) => {
                        let comparisons = self.comparisons(value, base, ty, None, &path)?;
                        let guarded = matches!(self.rule(table).computed_guards.get(*computed), Some(Some(_)));
                        let compare = |c| match guarded {
                            true => BoolExp::ComputedCell(*computed, c),
                            false => BoolExp::Computed(*computed, Vec::new(), c),
                        };
                        BoolExp::And(comparisons.into_iter().map(compare).collect())
                    }
                    ComputedReturn::Table(other) => {
                        let inner = self.filter(value, base, *other, &path)?;
                        let inner = self.permitted(*other).and(inner);
                        BoolExp::ComputedRows(*computed, Vec::new(), Box::new(inner))
                    }
                },
                InputKind::ComputedAggregate(_)
                | InputKind::Operator(_)
                | InputKind::Function(_)
                | InputKind::Argument(_) => BoolExp::TRUE,
            });
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => BoolExp::And(parts),
        })
    }

    /// What the role sees of a table, as a part of a filter over another.
    fn permitted(&self, table: TableId) -> BoolExp {
        let filter = &self.rule(table).filter;
        match filter.is_true() {
            true => BoolExp::TRUE,
            false => BoolExp::Permission(Box::new(filter.clone())),
        }
    }

    fn aggregate_filter(
        &self,
        input: Input<'a>,
        ty: TypeId,
        table: TableId,
        relationship: usize,
        path: &str,
    ) -> Result<BoolExp> {
        let other = self.table(table).relationships[relationship].table;
        let Some(value) = self.present(input, ty, path)? else { return Ok(BoolExp::TRUE) };
        let mut parts = Vec::new();
        for (name, field, value) in self.fields(value, ty, path)? {
            let InputKind::Function(function) = field.kind else { continue };
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            let Some(value) = self.present(value, base, &path)? else { continue };
            let mut aggregate = AggregatePredicate {
                function,
                arguments: Vec::new(),
                distinct: false,
                filter: self.permitted(other),
                predicate: Vec::new(),
            };
            for (name, field, value) in self.fields(value, base, &path)? {
                let path = format!("{path}.{name}");
                match name {
                    "arguments" => aggregate.arguments = self.aggregate_arguments(value, field, &path)?,
                    "distinct" => {
                        let value = value.resolve(self.variables, &path)?.and_then(Input::boolean);
                        aggregate.distinct = value.unwrap_or_default();
                    }
                    "filter" => {
                        let filter = self.filter(value, field.ty.base(), other, &path)?;
                        aggregate.filter = aggregate.filter.and(filter);
                    }
                    _ => {
                        let ty = ScalarType::builtin(match function {
                            "count" => "int4",
                            "bool_and" | "bool_or" => "bool",
                            _ => "float8",
                        });
                        aggregate.predicate = self.comparisons(value, field.ty.base(), &ty, None, &path)?;
                    }
                }
            }
            parts.push(BoolExp::Aggregate(relationship, Box::new(aggregate)));
        }
        Ok(BoolExp::And(parts))
    }

    fn aggregate_arguments(&self, input: Input<'a>, field: &'a InputField, path: &str) -> Result<Vec<usize>> {
        let base = field.ty.base();
        let Some(value) = self.present(input, base, path)? else { return Ok(Vec::new()) };
        match &self.schema.ty(base).kind {
            TypeKind::Input(_) => {
                let mut columns = Vec::new();
                for (name, field, value) in self.fields(value, base, path)? {
                    columns.push(self.member(value, field.ty.base(), &format!("{path}.{name}"))?);
                }
                Ok(columns)
            }
            _ => value.list().into_iter().map(|item| self.member(item, base, path)).collect(),
        }
    }

    /// The place that a value of an enum stands for.
    pub fn member(&self, input: Input<'a>, ty: TypeId, path: &str) -> Result<usize> {
        let (_, place) = self.enum_value(input, ty, path)?;
        Ok(place)
    }

    /// A value of an enum, with the place that it stands for.
    pub fn enum_value(&self, input: Input<'a>, ty: TypeId, path: &str) -> Result<(&'a str, usize)> {
        let definition = self.schema.ty(ty);
        let TypeKind::Enum(values) = &definition.kind else { return Ok(("", 0)) };
        let value = input.resolve(self.variables, path)?;
        let value = value.ok_or_else(|| {
            GraphqlError::validation(path, format!("unexpected null value for type '{}'", definition.name))
        })?;
        if value.is_null() {
            let message = format!("unexpected null value for type '{}'", definition.name);
            return Err(GraphqlError::validation(path, message));
        }
        let name = value.enum_value().ok_or_else(|| mismatch(path, "an enum value", &definition.name, value))?;
        match values.get(name) {
            Some(member) => Ok((name, member.column)),
            None => {
                let mut known: Vec<String> = values.keys().map(|value| format!("'{value}'")).collect();
                known.sort();
                let message = format!(
                    "expected one of the values [{}] for type '{}', but found '{name}'",
                    known.join(", "),
                    definition.name
                );
                Err(GraphqlError::validation(path, message))
            }
        }
    }

    fn comparisons(
        &self,
        input: Input<'a>,
        ty: TypeId,
        scalar: &ScalarType,
        column: Option<&'a ColumnInfo>,
        path: &str,
    ) -> Result<Vec<Comparison>> {
        let Some(value) = self.present(input, ty, path)? else { return Ok(Vec::new()) };
        let mut comparisons = Vec::new();
        for (name, field, value) in self.fields(value, ty, path)? {
            let InputKind::Operator(operator) = field.kind else { continue };
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            let operand = match operator {
                Operator::IsNull => {
                    let Some(value) = self.present(value, base, &path)? else { continue };
                    let null = value.boolean().ok_or_else(|| mismatch(&path, "a boolean", "Boolean", value))?;
                    let operator = if null { Operator::IsNull } else { Operator::IsNotNull };
                    comparisons.push(Comparison { operator, operand: Operand::None });
                    continue;
                }
                Operator::Cast => {
                    let Some(value) = self.present(value, base, &path)? else { continue };
                    let to = ScalarType::builtin(cast_target(&scalar.database));
                    for (name, field, value) in self.fields(value, base, &path)? {
                        let inner = self.comparisons(value, field.ty.base(), &to, None, &format!("{path}.{name}"))?;
                        let operand = Operand::Cast(to.clone(), inner);
                        comparisons.push(Comparison { operator: Operator::Cast, operand });
                    }
                    continue;
                }
                Operator::StDWithin | Operator::St3dDWithin => {
                    let Some(value) = self.present(value, base, &path)? else { continue };
                    let (mut from, mut distance, mut sphere) = (Source::Null, Source::Null, None);
                    for (name, _, value) in self.fields(value, base, &path)? {
                        let json = value.json(self.variables, &path)?;
                        let text = || Source::Text(json.to_string().into());
                        match name {
                            "from" => from = text(),
                            "distance" => distance = text(),
                            _ => sphere = Some(text()),
                        }
                    }
                    if scalar.database == "geography" && sphere.is_none() {
                        sphere = Some(Source::Text("true".into()));
                    }
                    Operand::Distance(from, distance, sphere)
                }
                Operator::StIntersectsNbandGeom | Operator::StIntersectsGeomNband => {
                    let Some(value) = self.present(value, base, &path)? else { continue };
                    let (mut geometry, mut band) = (Source::Null, None);
                    for (name, _, value) in self.fields(value, base, &path)? {
                        let json = value.json(self.variables, &path)?;
                        match name {
                            "geommin" => geometry = Source::Text(json.to_string().into()),
                            _ => band = (!json.is_null()).then(|| Source::Text(json.to_string().into())),
                        }
                    }
                    Operand::Band(geometry, band)
                }
                Operator::In | Operator::Nin if scalar.list => {
                    // A list of arrays: PostgreSQL has no array of arrays of different lengths.
                    let Some(value) = self.present(value, base, &path)? else { continue };
                    let items = value
                        .list()
                        .into_iter()
                        .map(|item| {
                            let source = self.value(item, scalar, None, false, &path)?;
                            let operator = if operator == Operator::In { Operator::Eq } else { Operator::Neq };
                            Ok(Comparison { operator, operand: Operand::Value(source, scalar.clone()) })
                        })
                        .collect::<Result<Vec<_>>>()?;
                    comparisons.extend(match operator {
                        Operator::Nin => items,
                        _ => vec![any_of(items)],
                    });
                    continue;
                }
                Operator::In | Operator::Nin => {
                    let source = self.value(value, scalar, column, true, &path)?;
                    Operand::Value(source, list_of(scalar))
                }
                Operator::HasKeysAny | Operator::HasKeysAll => {
                    let text = ScalarType::builtin("text");
                    Operand::Value(self.value(value, &text, None, true, &path)?, list_of(&text))
                }
                Operator::AncestorAny | Operator::DescendantAny | Operator::MatchesAny => {
                    let ty = operand_type(operator, scalar);
                    let element = ScalarType { list: false, sql: ty.database.clone(), ..ty.clone() };
                    Operand::Value(self.value(value, &element, None, true, &path)?, ty)
                }
                _ => {
                    let ty = operand_type(operator, scalar);
                    Operand::Value(self.value(value, &ty, column, false, &path)?, ty)
                }
            };
            comparisons.push(Comparison { operator, operand });
        }
        Ok(comparisons)
    }

    /// A value to bind for a column: a variable as a whole, or a text. Null is refused.
    pub fn value(
        &self,
        input: Input<'a>,
        ty: &ScalarType,
        column: Option<&'a ColumnInfo>,
        many: bool,
        path: &str,
    ) -> Result<Source> {
        let name = || match column.and_then(|column| column.enum_table) {
            Some(_) => String::new(),
            None => ty.name.clone(),
        };
        let enumerated = column.and_then(|column| column.enum_table);
        if let (Some(variable_name), None) = (input.variable(), enumerated)
            && let Given::Json(value) = self.variables.peek(variable_name, path)?
            && !value.is_null()
        {
            return Ok(variable(variable_name, ty.clone(), many, path));
        }
        let Some(value) = input.resolve(self.variables, path)? else { return Ok(Source::Null) };
        if value.is_null() {
            let message = format!("unexpected null value for type '{}'", name());
            return Err(GraphqlError::validation(path, message));
        }
        let one = |item: Input<'a>, path: &str| match enumerated {
            Some(table) => self.enum_text(item, table, path).map(Some),
            None => coerce(&item.json(self.variables, path)?, ty, path),
        };
        if !many {
            return Ok(one(value, path)?.map_or(Source::Null, |text| Source::Text(text.into())));
        }
        let items = value
            .list()
            .into_iter()
            .enumerate()
            .map(|(index, item)| one(item, &format!("{path}[{index}]")))
            .collect::<Result<Vec<_>>>()?;
        Ok(Source::Text(array_literal(items.into_iter()).into()))
    }

    /// A value of an enum table.
    pub fn enum_text(&self, input: Input<'a>, table: TableId, path: &str) -> Result<String> {
        let info = self.table(table);
        let camel = self.model.camel_case;
        let ty = names::affixed(&names::joined_type(&info.graphql_name, "enum", camel), &self.model.type_affixes);
        let ty = ty.as_str();
        let value = input.resolve(self.variables, path)?.unwrap_or(Input::Json(&Value::Null));
        let name = value.enum_value().ok_or_else(|| mismatch(path, "an enum value", ty, value))?;
        let values = || info.enum_values.iter().flatten().map(|(value, _)| value);
        if let Some(value) = values().find(|value| names::enum_value(value, camel) == name) {
            return Ok(value.clone());
        }
        let mut known: Vec<String> = values().map(|value| names::enum_value(value, camel)).collect();
        known.sort();
        let known: Vec<String> = known.iter().map(|value| format!("'{value}'")).collect();
        let message = format!("expected one of the values [{}] for type '{ty}', but found '{name}'", known.join(", "));
        Err(GraphqlError::validation(path, message))
    }
}

/// One comparison that holds when any of several equalities does.
fn any_of(items: Vec<Comparison>) -> Comparison {
    Comparison { operator: Operator::In, operand: Operand::Any(items) }
}
