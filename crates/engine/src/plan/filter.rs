//! Reads clients' boolean expressions and values.

use super::context::Context;
use super::input::{Input, mismatch};
use crate::error::{GraphqlError, Result};
use crate::json;
use crate::schema::coerce::{coerce, unexpected_null};
use crate::schema::model::array::array_literal;
use crate::schema::model::boolexp::{AggregatePredicate, Band, Binary, BoolExp, Comparison, Operand, Operator, Source};
use crate::schema::model::names;
use crate::schema::model::scalar::{ScalarType, cast_target};
use crate::schema::model::types::{InputField, InputKind, RowInput, TypeId, TypeKind, TypeRef};
use crate::schema::model::{ColumnInfo, ComputedReturn, TableId};
use crate::schema::permission::{list_of, operand_type, variable};

impl<'a> Context<'a> {
    /// The fields of an input object, each with its definition; unknown ones are refused, required ones asked for.
    pub fn fields(
        &self,
        input: Input<'a>,
        ty: TypeId,
        path: &str,
    ) -> Result<Vec<(&'a str, &'a InputField, Input<'a>)>> {
        let definition = self.schema.ty(ty);
        let TypeKind::Input(known) = &definition.kind else {
            return Err(GraphqlError::unexpected(format!(
                "'{}' is read as an input object and is none",
                definition.name
            )));
        };
        let input = input.resolve(self.variables, path)?;
        let given = input.object().ok_or_else(|| mismatch(path, "an object", &definition.name, input))?;
        let mut fields = Vec::with_capacity(given.len());
        for (name, value) in given {
            let field = known.get(name).ok_or_else(|| {
                let message = format!("field '{name}' not found in type: '{}'", definition.name);
                GraphqlError::validation(format!("{path}.{name}"), message)
            })?;
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

    /// The members of a list, each with its place; null is refused.
    pub fn members(&self, input: Input<'a>, path: &str) -> Result<Vec<(Input<'a>, String)>> {
        let value = input.resolve(self.variables, path)?;
        if value.is_null() {
            return Err(GraphqlError::validation(path, "expected a list, but found null"));
        }
        Ok(value.list().into_iter().enumerate().map(|(index, item)| (item, format!("{path}[{index}]"))).collect())
    }

    /// A value that may be null, which is as good as none.
    pub fn optional(&self, input: Input<'a>, path: &str) -> Result<Option<Input<'a>>> {
        Ok(Some(input.resolve(self.variables, path)?).filter(|value| !value.is_null()))
    }

    /// A boolean.
    pub fn boolean(&self, input: Input<'a>, path: &str) -> Result<bool> {
        let value = input.resolve(self.variables, path)?;
        value.boolean().ok_or_else(|| mismatch(path, "a boolean", "Boolean", value))
    }

    /// A client's filter over a table, with the role's permissions on every other table that it reaches.
    pub fn filter(&self, input: Input<'a>, ty: TypeId, table: TableId, path: &str) -> Result<BoolExp> {
        let mut parts = Vec::new();
        for (name, field, value) in self.fields(input, ty, path)? {
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            parts.push(match &field.kind {
                InputKind::Plain => match name {
                    "_not" => BoolExp::Not(Box::new(self.filter(value, base, table, &path)?)),
                    "_and" => BoolExp::And(self.filters(value, base, table, &path)?),
                    "_or" => BoolExp::Or(self.filters(value, base, table, &path)?),
                    _ => return Err(field.unexpected(name, "a condition")),
                },
                InputKind::Row(RowInput::Column(column)) => {
                    let info = &self.table(table).columns[*column];
                    let comparisons = self.comparisons(value, base, &info.ty, Some(info), &path)?;
                    let guarded = matches!(self.rule(table).guards.get(*column), Some(Some(_)));
                    let compare = |c| if guarded { BoolExp::Cell(*column, c) } else { BoolExp::Column(*column, c) };
                    BoolExp::And(comparisons.into_iter().map(compare).collect())
                }
                InputKind::Row(RowInput::Relationship(relationship)) => {
                    let other = self.table(table).relationships[*relationship].table;
                    let inner = self.filter(value, base, other, &path)?;
                    let inner = self.permitted(other).and(inner);
                    BoolExp::Relationship(*relationship, Box::new(inner))
                }
                InputKind::Row(RowInput::RelationshipAggregate(relationship)) => {
                    self.aggregate_filter(value, base, table, *relationship, &path)?
                }
                InputKind::Row(RowInput::Computed(computed)) => match &self.table(table).computed[*computed].returns {
                    ComputedReturn::Scalar(ty) => {
                        let comparisons = self.comparisons(value, base, ty, None, &path)?;
                        let guarded = matches!(self.rule(table).computed_guards.get(*computed), Some(Some(_)));
                        let compare = |c| match guarded {
                            true => BoolExp::ComputedCell(*computed, c),
                            false => BoolExp::Computed(*computed, c),
                        };
                        BoolExp::And(comparisons.into_iter().map(compare).collect())
                    }
                    ComputedReturn::Table(other) => {
                        let inner = self.filter(value, base, *other, &path)?;
                        let inner = self.permitted(*other).and(inner);
                        BoolExp::ComputedRows(*computed, *other, Box::new(inner))
                    }
                },
                InputKind::Row(RowInput::ComputedAggregate(..))
                | InputKind::Operator(_)
                | InputKind::Function(_)
                | InputKind::Argument(_) => return Err(field.unexpected(name, "a condition")),
            });
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => BoolExp::And(parts),
        })
    }

    /// A list of filters.
    fn filters(&self, input: Input<'a>, ty: TypeId, table: TableId, path: &str) -> Result<Vec<BoolExp>> {
        self.members(input, path)?.into_iter().map(|(item, path)| self.filter(item, ty, table, &path)).collect()
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
        let mut parts = Vec::new();
        for (name, field, value) in self.fields(input, ty, path)? {
            let function = field.function(name)?;
            let path = format!("{path}.{name}");
            let base = field.ty.base();
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
                    "distinct" => aggregate.distinct = self.boolean(value, &path)?,
                    "filter" => {
                        let filter = self.filter(value, field.ty.base(), other, &path)?;
                        aggregate.filter = aggregate.filter.and(filter);
                    }
                    "predicate" => {
                        let ty = ScalarType::builtin(match function {
                            "count" => "int4",
                            "bool_and" | "bool_or" => "bool",
                            _ => "float8",
                        });
                        aggregate.predicate = self.comparisons(value, field.ty.base(), &ty, None, &path)?;
                    }
                    _ => return Err(field.unexpected(name, "a part of an aggregate's condition")),
                }
            }
            parts.push(BoolExp::Aggregate(relationship, Box::new(aggregate)));
        }
        Ok(BoolExp::And(parts))
    }

    fn aggregate_arguments(&self, input: Input<'a>, field: &'a InputField, path: &str) -> Result<Vec<usize>> {
        let base = field.ty.base();
        match &self.schema.ty(base).kind {
            TypeKind::Input(_) => {
                let mut columns = Vec::new();
                for (name, field, value) in self.fields(input, base, path)? {
                    columns.push(self.member(value, field.ty.base(), &format!("{path}.{name}"))?);
                }
                Ok(columns)
            }
            // `count` takes several columns, other functions take one.
            _ if matches!(field.ty, TypeRef::List(..)) => self.columns(input, base, path),
            _ => Ok(vec![self.member(input, base, path)?]),
        }
    }

    /// A list of columns.
    pub fn columns(&self, input: Input<'a>, ty: TypeId, path: &str) -> Result<Vec<usize>> {
        self.members(input, path)?.into_iter().map(|(item, path)| self.member(item, ty, &path)).collect()
    }

    /// The place that a value of an enum stands for.
    pub fn member(&self, input: Input<'a>, ty: TypeId, path: &str) -> Result<usize> {
        let (_, place) = self.enum_value(input, ty, path)?;
        Ok(place)
    }

    /// A value of an enum, with the place that it stands for.
    pub fn enum_value(&self, input: Input<'a>, ty: TypeId, path: &str) -> Result<(&'a str, usize)> {
        let definition = self.schema.ty(ty);
        let TypeKind::Enum(values) = &definition.kind else {
            return Err(GraphqlError::unexpected(format!("'{}' is read as an enum and is none", definition.name)));
        };
        let value = input.resolve(self.variables, path)?;
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
        let mut comparisons = Vec::new();
        for (name, field, value) in self.fields(input, ty, path)? {
            let operator = field.operator(name)?;
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            match operator {
                Operator::IsNull => comparisons.push(Comparison::Null(self.boolean(value, &path)?)),
                Operator::Cast => {
                    let to = ScalarType::builtin(cast_target(&scalar.database));
                    for (name, field, value) in self.fields(value, base, &path)? {
                        let inner = self.comparisons(value, field.ty.base(), &to, None, &format!("{path}.{name}"))?;
                        comparisons.push(Comparison::Cast(to.clone(), inner));
                    }
                }
                Operator::Within(within) => {
                    let (mut from, mut distance, mut sphere) = (None, None, None);
                    for (name, field, value) in self.fields(value, base, &path)? {
                        let json = value.json(self.variables, &path)?;
                        let text = Some(Source::Text(json::write(&json).into()));
                        match name {
                            "from" => from = text,
                            "distance" => distance = text,
                            "use_spheroid" => sphere = text,
                            _ => return Err(field.unexpected(name, "a part of a distance")),
                        }
                    }
                    let (Some(from), Some(distance)) = (from, distance) else {
                        return Err(GraphqlError::unexpected(format!("'{name}' without a value or a distance")));
                    };
                    if scalar.database == "geography" && sphere.is_none() {
                        sphere = Some(Source::Text("true".into()));
                    }
                    comparisons.push(Comparison::Within(within, from, distance, sphere));
                }
                Operator::Band(wanted) => {
                    let (mut geometry, mut band) = (None, None);
                    for (name, field, value) in self.fields(value, base, &path)? {
                        let json = value.json(self.variables, &path)?;
                        let text = || Source::Text(json::write(&json).into());
                        match name {
                            "nband" if json.is_null() && wanted == Band::Required => {
                                return Err(unexpected_null(&path, &ScalarType::builtin("int4")));
                            }
                            "geommin" => geometry = Some(text()),
                            "nband" => band = (!json.is_null()).then(text),
                            _ => return Err(field.unexpected(name, "a part of a raster's condition")),
                        }
                    }
                    let (Some(geometry), true) = (geometry, band.is_some() || wanted == Band::Optional) else {
                        return Err(GraphqlError::unexpected(format!("'{name}' without a geometry or a band")));
                    };
                    comparisons.push(Comparison::Band(geometry, band));
                }
                Operator::Binary(Binary::In) if scalar.list => {
                    comparisons.push(Comparison::Any(self.each(Binary::Eq, value, scalar, &path)?));
                }
                Operator::Binary(Binary::Nin) if scalar.list => {
                    comparisons.extend(self.each(Binary::Neq, value, scalar, &path)?);
                }
                Operator::Binary(operator) => {
                    let operand = self.compared(operator, value, scalar, column, &path)?;
                    comparisons.push(Comparison::Binary(operator, operand));
                }
            }
        }
        Ok(comparisons)
    }

    /// A comparison with each value of a list of arrays: PostgreSQL has no array of arrays of different lengths.
    fn each(&self, operator: Binary, input: Input<'a>, scalar: &ScalarType, path: &str) -> Result<Vec<Comparison>> {
        let one = |(item, path): (Input<'a>, String)| {
            let source = self.value(item, scalar, None, false, &path)?;
            Ok(Comparison::Binary(operator, Operand::Value(source, scalar.clone())))
        };
        self.members(input, path)?.into_iter().map(one).collect()
    }

    /// The value that an operator compares with.
    fn compared(
        &self,
        operator: Binary,
        value: Input<'a>,
        scalar: &ScalarType,
        column: Option<&'a ColumnInfo>,
        path: &str,
    ) -> Result<Operand> {
        Ok(match operator {
            Binary::In | Binary::Nin => {
                let source = self.value(value, scalar, column, true, path)?;
                Operand::Value(source, list_of(scalar))
            }
            // A key that is null is compared as any value: it holds of no row.
            Binary::HasKey if self.optional(value, path)?.is_none() => {
                Operand::Value(Source::Null, ScalarType::builtin("text"))
            }
            Binary::HasKeysAny | Binary::HasKeysAll => {
                let text = ScalarType::builtin("text");
                Operand::Value(self.value(value, &text, None, true, path)?, list_of(&text))
            }
            Binary::AncestorAny | Binary::DescendantAny | Binary::MatchesAny => {
                let ty = operand_type(operator, scalar);
                let element = ScalarType { list: false, sql: ty.database.clone(), ..ty.clone() };
                Operand::Value(self.value(value, &element, None, true, path)?, ty)
            }
            _ => {
                let ty = operand_type(operator, scalar);
                Operand::Value(self.value(value, &ty, column, false, path)?, ty)
            }
        })
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
        let enumerated = column.and_then(|column| column.enum_table);
        if let (Some(variable_name), None) = (input.variable(), enumerated)
            && let value @ Input::Json(_) = self.variables.peek(variable_name, path)?
            && !value.is_null()
        {
            return Ok(variable(variable_name, ty.clone(), many, path));
        }
        let one = |item: Input<'a>, path: &str| match enumerated {
            Some(table) => self.enum_text(item, table, path).map(Some),
            None => match item.resolve(self.variables, path)? {
                value if value.is_null() => Err(unexpected_null(path, ty)),
                value => coerce(&value.json(self.variables, path)?, ty, path),
            },
        };
        if !many {
            return Ok(one(input, path)?.map_or(Source::Null, |text| Source::Text(text.into())));
        }
        let items =
            self.members(input, path)?.into_iter().map(|(item, path)| one(item, &path)).collect::<Result<Vec<_>>>()?;
        Ok(Source::list(array_literal(items.into_iter()), ty))
    }

    /// A value of an enum table.
    pub fn enum_text(&self, input: Input<'a>, table: TableId, path: &str) -> Result<String> {
        let info = self.table(table);
        let camel = self.model.camel_case;
        let ty = names::affixed(&names::joined_type(&info.graphql_name, "enum", camel), &self.model.type_affixes);
        let ty = ty.as_str();
        let value = input.resolve(self.variables, path)?;
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
