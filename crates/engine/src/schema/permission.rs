//! Reads the boolean expressions of permissions, which name columns as the database does.

use serde_json::Value;

use super::coerce::{coerce, constant, literal};
use super::model::boolexp::{
    AggregatePredicate, Band, Binary, BoolExp, Comparison, Operand, Operator, Source, VariableType, Within,
};
use super::model::scalar::ScalarType;
use super::model::{ColumnInfo, ComputedReturn, Model, TableId};
use crate::json;
use crate::metadata::QualifiedName;
use crate::session::is_session_variable;

/// Reads a permission's boolean expression over a table; the error says what does not fit.
pub fn read(model: &Model, table: TableId, expression: &Value) -> Result<BoolExp, String> {
    Reader { model, root: table }.expression(table, expression)
}

struct Reader<'a> {
    model: &'a Model,
    root: TableId,
}

impl Reader<'_> {
    fn expression(&self, table: TableId, value: &Value) -> Result<BoolExp, String> {
        let Value::Object(fields) = value else {
            return Err("expected an object".to_owned());
        };
        let mut parts = Vec::with_capacity(fields.len());
        for (key, value) in fields {
            parts.push(self.field(table, key, value)?);
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => BoolExp::And(parts),
        })
    }

    fn list(&self, table: TableId, value: &Value) -> Result<Vec<BoolExp>, String> {
        match value {
            Value::Array(items) => items.iter().map(|item| self.expression(table, item)).collect(),
            other => Ok(vec![self.expression(table, other)?]),
        }
    }

    fn field(&self, table: TableId, key: &str, value: &Value) -> Result<BoolExp, String> {
        match key {
            "_and" | "$and" => return Ok(BoolExp::And(self.list(table, value)?)),
            "_or" | "$or" => return Ok(BoolExp::Or(self.list(table, value)?)),
            "_not" | "$not" => return Ok(BoolExp::Not(Box::new(self.expression(table, value)?))),
            "_exists" | "$exists" => return self.exists(value),
            _ => {}
        }
        let info = &self.model.tables[table];
        if let Some(column) = info.column(key) {
            let comparisons = self.comparisons(table, &info.columns[column].ty, value, key)?;
            self.known_values(&info.columns[column], value)?;
            return Ok(all(comparisons.into_iter().map(|comparison| BoolExp::Column(column, comparison))));
        }
        if let Some(relationship) = info.relationship(key) {
            let inner = self.expression(info.relationships[relationship].table, value)?;
            return Ok(BoolExp::Relationship(relationship, Box::new(inner)));
        }
        if let Some(relationship) = key.strip_suffix("_aggregate").and_then(|name| info.relationship(name)) {
            return self.aggregate(table, relationship, value);
        }
        if let Some(computed) = info.computed.iter().position(|field| field.name == key) {
            return match &info.computed[computed].returns {
                ComputedReturn::Scalar(ty) => {
                    let comparisons = self.comparisons(table, ty, value, key)?;
                    let compare = |comparison| BoolExp::Computed(computed, comparison);
                    Ok(all(comparisons.into_iter().map(compare)))
                }
                ComputedReturn::Table(other) => {
                    let inner = self.expression(*other, value)?;
                    Ok(BoolExp::ComputedRows(computed, *other, Box::new(inner)))
                }
            };
        }
        Err(format!("{key:?} does not exist"))
    }

    fn exists(&self, value: &Value) -> Result<BoolExp, String> {
        let name: QualifiedName = value
            .get("_table")
            .cloned()
            .ok_or_else(|| "_exists needs _table".to_owned())
            .and_then(|table| serde_json::from_value(table).map_err(|error| error.to_string()))?;
        let table = *self.model.by_name.get(&name).ok_or_else(|| format!("the table {name} is not tracked"))?;
        let inner = match value.get("_where") {
            Some(inner) => self.expression(table, inner)?,
            // Any row of the table would do.
            None => return Err("_exists needs _where".to_owned()),
        };
        Ok(BoolExp::Exists(table, Box::new(inner)))
    }

    fn aggregate(&self, table: TableId, relationship: usize, value: &Value) -> Result<BoolExp, String> {
        let other = self.model.tables[table].relationships[relationship].table;
        let fields = value.as_object().ok_or("expected an object of aggregate functions")?;
        let mut parts = Vec::new();
        for (function, body) in fields {
            let function = AGGREGATES
                .iter()
                .find(|name| *name == function)
                .ok_or_else(|| format!("{function:?} is no aggregate function"))?;
            let names = match body.get("arguments") {
                Some(Value::Array(names)) => names.as_slice(),
                None | Some(Value::Null) => &[],
                Some(one) => std::slice::from_ref(one),
            };
            let column = |name: &Value| {
                let name = name.as_str().ok_or_else(|| not_a("column's name", "arguments", name))?;
                self.model.tables[other].column(name).ok_or_else(|| format!("{name:?} is no column"))
            };
            let arguments = names.iter().map(column).collect::<Result<Vec<usize>, String>>()?;
            let filter = match body.get("filter") {
                Some(filter) => self.expression(other, filter)?,
                None => BoolExp::TRUE,
            };
            // All but these are of double-precision columns alone.
            let ty = ScalarType::builtin(match *function {
                "count" => "int4",
                "bool_and" | "bool_or" => "bool",
                _ => "float8",
            });
            let predicate = body.get("predicate").ok_or_else(|| format!("{function} needs predicate"))?;
            let predicate = self.comparisons(table, &ty, predicate, function)?;
            let distinct = match body.get("distinct") {
                None => false,
                Some(value) => value.as_bool().ok_or_else(|| not_a("boolean", "distinct", value))?,
            };
            let aggregate = AggregatePredicate { function, arguments, distinct, filter, predicate };
            parts.push(BoolExp::Aggregate(relationship, Box::new(aggregate)));
        }
        Ok(BoolExp::And(parts))
    }

    /// Comparisons of a value of a type, which is found under a name.
    fn comparisons(&self, table: TableId, ty: &ScalarType, value: &Value, of: &str) -> Result<Vec<Comparison>, String> {
        if ty.database == "json" && !ty.list {
            return Err("JSON column can not be part of boolean expression".to_owned());
        }
        match value {
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| self.comparison(table, ty, (of, key), value)).collect()
            }
            // A bare value means equality, as in old permissions.
            other => Ok(vec![self.comparison(table, ty, (of, "_eq"), other)?]),
        }
    }

    fn comparison(
        &self,
        table: TableId,
        ty: &ScalarType,
        (of, key): (&str, &str),
        value: &Value,
    ) -> Result<Comparison, String> {
        let place = format!("{of}.{key}");
        let operator = Operator::of(key).ok_or_else(|| format!("Unknown operator: {key}"))?;
        works_on(operator, ty, of)?;
        let binary = match operator {
            Operator::Binary(binary) => binary,
            Operator::IsNull => return Ok(Comparison::Null(value.as_bool().ok_or("_is_null takes true or false")?)),
            Operator::Cast => {
                let fields = value.as_object().ok_or("_cast takes an object")?;
                let (target, inner) = fields.iter().next().ok_or("_cast takes a type")?;
                let target = ScalarType::builtin(if target == "String" { "text" } else { target });
                if !matches!(
                    (ty.database.as_str(), target.database.as_str()),
                    ("jsonb", "text") | ("geometry", "geography") | ("geography", "geometry")
                ) {
                    let (own, other) = (ty.database_name(), target.database_name());
                    return Err(format!("cannot cast column of type {own:?} to type {other:?} (at {place:?})"));
                }
                let inner = self.comparisons(table, &target, inner, of)?;
                return Ok(Comparison::Cast(target, inner));
            }
            Operator::Within(within) => {
                let from = value.get("from").ok_or("the distance needs from")?;
                let distance = value.get("distance").ok_or("the distance needs distance")?;
                let sphere = value.get("use_spheroid").map(literal);
                return Ok(Comparison::Within(within, literal(from), literal(distance), sphere));
            }
            Operator::Band(wanted) => {
                let geometry = value.get("geommin").ok_or_else(|| format!("{key} needs geommin"))?;
                let band = value.get("nband").filter(|band| !band.is_null()).map(literal);
                if band.is_none() && wanted == Band::Required {
                    return Err(format!("{key} needs nband"));
                }
                return Ok(Comparison::Band(literal(geometry), band));
            }
        };
        if Operator::takes_column(key) {
            return Ok(Comparison::Binary(binary, self.column_operand(table, ty, value)?));
        }
        Ok(match (binary, value) {
            // PostgreSQL has no array of arrays of different lengths.
            (Binary::In | Binary::Nin, Value::Array(items)) if ty.list => {
                let one = if binary == Binary::In { "_eq" } else { "_neq" };
                let items = items.iter().map(|item| self.comparison(table, ty, (of, one), item));
                let items = items.collect::<Result<Vec<_>, _>>()?;
                if binary == Binary::In { Comparison::Any(items) } else { Comparison::Every(items) }
            }
            (Binary::In | Binary::Nin | Binary::HasKeysAny | Binary::HasKeysAll, _) => {
                let element =
                    if matches!(binary, Binary::In | Binary::Nin) { ty.clone() } else { ScalarType::builtin("text") };
                many(value, &element, &place)?;
                let list = list_of(&element);
                let source = match constant(value, &list) {
                    Source::Text(literal) => Source::list(literal.to_string(), &element),
                    other => other,
                };
                Comparison::Binary(binary, Operand::Value(source, list))
            }
            _ => {
                let (own, ty) = (ty, operand_type(binary, ty));
                if ty.list && !own.list {
                    many(value, &ScalarType::builtin(&ty.database), &place)?;
                } else {
                    fits(value, &ty, &place)?;
                }
                Comparison::Binary(binary, Operand::Value(constant(value, &ty), ty))
            }
        })
    }

    /// Refuses values of an enum table that do not exist, and operators that its columns do not have.
    fn known_values(&self, column: &ColumnInfo, value: &Value) -> Result<(), String> {
        let Some(info) = column.enum_table.map(|table| &self.model.tables[table]) else { return Ok(()) };
        let known: Vec<&str> = info.enum_values.iter().flatten().map(|(value, _)| value.as_str()).collect();
        let compared = value.as_object().into_iter().flatten();
        if let Some(wanted) = compared.clone().find_map(|(key, _)| Operator::of(key).and_then(wanted)) {
            return Err(not_of(&column.name, &info.graphql_name, wanted));
        }
        let compared = compared.filter(|(key, _)| !Operator::takes_column(key)).map(|(_, value)| value);
        let given = compared.flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        });
        for given in given.chain(Some(value)).filter_map(Value::as_str).filter(|text| !is_session_variable(text)) {
            if !known.contains(&given) {
                let known: Vec<String> = known.iter().map(|value| format!("'{value}'")).collect();
                let name = &info.graphql_name;
                return Err(format!(
                    "expected one of the values [{}] for type '{name}', given '{given}'",
                    known.join(", ")
                ));
            }
        }
        Ok(())
    }

    fn column_operand(&self, table: TableId, ty: &ScalarType, value: &Value) -> Result<Operand, String> {
        let path: Vec<&str> = match value {
            Value::String(name) => vec![name],
            Value::Array(steps) => steps
                .iter()
                .map(|step| step.as_str().ok_or_else(|| not_a("name", &value.to_string(), step)))
                .collect::<Result<_, _>>()?,
            _ => Vec::new(),
        };
        let column = |table: TableId, name: &str| {
            let info = &self.model.tables[table];
            let place =
                info.column(name).ok_or_else(|| format!("{name:?} is no column of {:?}", info.name.to_string()))?;
            let other = &info.columns[place].ty;
            match (&other.database, other.list) == (&ty.database, ty.list) {
                true => Ok(place),
                false => {
                    let (own, other) = (&ty.database, &other.database);
                    Err(format!("incompatible column types: {own:?} is compared with {name:?}, which is {other:?}"))
                }
            }
        };
        match path.as_slice() {
            [name] => Ok(Operand::Column(column(table, name)?)),
            ["$", name] => Ok(Operand::RootColumn(column(self.root, name)?, self.root)),
            [relationship, name] => {
                let info = &self.model.tables[table];
                let place =
                    info.relationship(relationship).ok_or_else(|| format!("{relationship:?} is no relationship"))?;
                Ok(Operand::RelatedColumn(place, column(info.relationships[place].table, name)?))
            }
            _ => Err("expected a column, or [\"$\", column]".to_owned()),
        }
    }
}

/// Aggregate functions that predicates may use.
pub const AGGREGATES: &[&str] =
    &["count", "bool_and", "bool_or", "avg", "corr", "covar_samp", "max", "min", "stddev_samp", "sum", "var_samp"];

fn all(parts: impl Iterator<Item = BoolExp>) -> BoolExp {
    let mut parts: Vec<BoolExp> = parts.collect();
    match parts.len() {
        1 => parts.remove(0),
        _ => BoolExp::And(parts),
    }
}

/// Whether a value of the metadata can stand for a value of a column: a session variable, null, or a literal that its
/// type reads. Of texts only the database knows that.
///
/// # Errors
/// Hasura's complaint.
pub fn fits(value: &Value, ty: &ScalarType, place: &str) -> Result<(), String> {
    if value.as_str().is_some_and(is_session_variable) {
        return Ok(());
    }
    literal_fits(value, ty).map_err(|message| format!("{message} (at {place:?})"))
}

/// Whether a literal fits. Of a request `1.0` is taken for an integer; of the metadata it is not.
fn literal_fits(value: &Value, ty: &ScalarType) -> Result<(), String> {
    coerce(value, ty, "$").map_err(|error| error.message)?;
    let whole = matches!(ty.database.as_str(), "int2" | "int4" | "int8") && !ty.list;
    match json::digits(value).filter(|digits| whole && digits.contains(['.', 'e', 'E'])) {
        Some(digits) => Err(format!(
            "The value {digits} lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?"
        )),
        None => Ok(()),
    }
}

/// Whether a value can stand for a list of values of a type: a session variable that holds all, or literals.
fn many(value: &Value, ty: &ScalarType, place: &str) -> Result<(), String> {
    match value {
        Value::String(text) if is_session_variable(text) => Ok(()),
        // A list holds literals alone: what looks like a session variable there is a text.
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| literal_fits(item, ty))
            .map_err(|message| format!("{message} (at {place:?})")),
        other => {
            Err(format!("parsing [] failed, expected Array, but encountered {} (at {place:?})", json::kind(other)))
        }
    }
}

/// The types of columns that an operator works on, where it does not on all.
fn wanted(operator: Operator) -> Option<&'static str> {
    let binary = match operator {
        Operator::Binary(binary) => binary,
        Operator::Within(Within::Plane) => return Some("\"geometry\", \"geography\""),
        Operator::Within(Within::Space) => return Some("\"geometry\""),
        Operator::IsNull | Operator::Cast | Operator::Band(_) => return None,
    };
    Some(match binary {
        Binary::Contains | Binary::ContainedIn => "an array or JSONB",
        Binary::HasKey | Binary::HasKeysAny | Binary::HasKeysAll => "\"jsonb\"",
        Binary::Like
        | Binary::Nlike
        | Binary::Ilike
        | Binary::Nilike
        | Binary::Similar
        | Binary::Nsimilar
        | Binary::Regex
        | Binary::Iregex
        | Binary::Nregex
        | Binary::Niregex => "\"varchar\", \"text\", \"citext\", \"bpchar\"",
        Binary::Ancestor
        | Binary::AncestorAny
        | Binary::Descendant
        | Binary::DescendantAny
        | Binary::Matches
        | Binary::MatchesAny
        | Binary::MatchesFulltext => "\"ltree\"",
        Binary::StContains
        | Binary::StCrosses
        | Binary::StEquals
        | Binary::StOverlaps
        | Binary::StTouches
        | Binary::StWithin
        | Binary::St3dIntersects => "\"geometry\"",
        Binary::StIntersects => "\"geometry\", \"geography\"",
        Binary::Eq
        | Binary::Neq
        | Binary::Gt
        | Binary::Lt
        | Binary::Gte
        | Binary::Lte
        | Binary::In
        | Binary::Nin
        | Binary::StIntersectsRast => return None,
    })
}

/// Refuses an operator on a column of a type that it does not work on.
fn works_on(operator: Operator, ty: &ScalarType, of: &str) -> Result<(), String> {
    let Some(wanted) = wanted(operator) else { return Ok(()) };
    let fits = match wanted {
        "an array or JSONB" => ty.list || ty.is_jsonb(),
        "\"jsonb\"" => ty.is_jsonb(),
        "\"ltree\"" => !ty.list && ty.database == "ltree",
        "\"geometry\"" => !ty.list && ty.database == "geometry",
        "\"geometry\", \"geography\"" => ty.is_spatial(),
        _ => ty.is_text(),
    };
    if fits { Ok(()) } else { Err(not_of(of, &ty.database_name(), wanted)) }
}

fn not_a(wanted: &str, place: &str, found: &Value) -> String {
    format!("expected a {wanted} in {place}, but found {}", json::kind(found))
}

fn not_of(of: &str, ty: &str, wanted: &str) -> String {
    format!("{of:?} is of type {ty:?}; this operator works only on columns of type {wanted}")
}

/// The array type over a type.
pub fn list_of(ty: &ScalarType) -> ScalarType {
    ScalarType { list: true, sql: format!("{}[]", ty.sql), ..ty.clone() }
}

/// The type of an operator's operand, given that of the value it compares.
pub fn operand_type(operator: Binary, ty: &ScalarType) -> ScalarType {
    match operator {
        Binary::HasKey => ScalarType::builtin("text"),
        Binary::AncestorAny | Binary::DescendantAny => list_of(&ScalarType::builtin("ltree")),
        Binary::Matches => ScalarType::builtin("lquery"),
        Binary::MatchesAny => list_of(&ScalarType::builtin("lquery")),
        Binary::MatchesFulltext => ScalarType::builtin("ltxtquery"),
        // Patterns are text whatever kind of text the column holds; a length or case rule must not alter them.
        Binary::Like
        | Binary::Nlike
        | Binary::Similar
        | Binary::Nsimilar
        | Binary::Regex
        | Binary::Iregex
        | Binary::Nregex
        | Binary::Niregex
        | Binary::Ilike
        | Binary::Nilike
            if ty.database != "citext" =>
        {
            ScalarType::builtin("text")
        }
        _ => ty.clone(),
    }
}

/// A variable read as a value of a type, for errors at a path.
pub fn variable(name: &str, ty: ScalarType, many: bool, path: &str) -> Source {
    Source::Variable(name.into(), VariableType { ty, many }.into(), path.into())
}
