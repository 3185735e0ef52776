//! Boolean expressions over a table's rows, of permissions and of clients alike.

use std::sync::Arc;

use serde_json::Value;

use super::coerce::coerce;
use super::model::TableId;
use super::scalar::ScalarType;
use crate::engine::json;
use crate::engine::session::is_session_variable;

/// A boolean expression over a row of a table. Columns and relationships are places in that table's lists.
#[derive(Debug, Clone, PartialEq)]
pub enum BoolExp {
    /// All hold; an empty list holds.
    And(Vec<BoolExp>),
    /// One holds; an empty list does not.
    Or(Vec<BoolExp>),
    /// It does not hold.
    Not(Box<BoolExp>),
    /// A column compares.
    Column(usize, Comparison),
    /// A column compares as the role sees it: null where an inherited role sees the row but not this value.
    Cell(usize, Comparison),
    /// A computed field compares as the role sees it.
    ComputedCell(usize, Comparison),
    /// A computed field compares.
    Computed(usize, Vec<(usize, Source)>, Comparison),
    /// A related row exists for which it holds.
    Relationship(usize, Box<BoolExp>),
    /// Related rows of a computed field that returns rows.
    ComputedRows(usize, Vec<(usize, Source)>, Box<BoolExp>),
    /// An aggregate over related rows compares.
    Aggregate(usize, Box<AggregatePredicate>),
    /// A permission of the row's table inside another expression: the row is its root.
    Permission(Box<BoolExp>),
    /// A row of any table exists for which it holds.
    Exists(TableId, Box<BoolExp>),
}

impl BoolExp {
    /// The expression that always holds.
    pub const TRUE: Self = Self::And(Vec::new());

    /// Whether it always holds, by its form.
    pub fn is_true(&self) -> bool {
        matches!(self, Self::And(parts) if parts.iter().all(Self::is_true))
    }

    /// Both hold.
    pub fn and(self, other: Self) -> Self {
        match (self.is_true(), other.is_true()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self::And(vec![self, other]),
        }
    }
}

/// An aggregate over related rows that compares.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregatePredicate {
    /// The function, such as `count` or `bool_and`.
    pub function: &'static str,
    /// Columns of the related table that it takes; none for `count(*)`.
    pub arguments: Vec<usize>,
    /// Whether equal values count once.
    pub distinct: bool,
    /// Which related rows count.
    pub filter: BoolExp,
    /// How the aggregate compares; all must hold.
    pub predicate: Vec<Comparison>,
}

/// How a value compares.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The operator.
    pub operator: Operator,
    /// What it is compared with.
    pub operand: Operand,
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A value, cast to a type.
    Value(Source, ScalarType),
    /// A column of the same row.
    Column(usize),
    /// A column of the row at which the whole expression began.
    RootColumn(usize, TableId),
    /// A column of a related row.
    RelatedColumn(usize, usize),
    /// Nothing: `is null` and `is not null`.
    None,
    /// Comparisons of the value cast to text (jsonb `_cast`).
    Cast(ScalarType, Vec<Comparison>),
    /// Comparisons of which one must hold.
    Any(Vec<Comparison>),
    /// Comparisons of which all must hold.
    Every(Vec<Comparison>),
    /// Distance with a spatial value: value, distance, and whether a sphere is used.
    Distance(Source, Source, Option<Source>),
    /// A geometry that a raster meets, in one of its bands or in its hull.
    Band(Source, Option<Source>),
}

/// Where a bound value comes from. All are sent as text and cast in SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A value that stands in the document, the metadata, or a variable that was taken apart.
    Text(Arc<str>),
    /// A list of the document or the metadata, as PostgreSQL's own text of an array; it is sent as an array of texts.
    List(Arc<str>),
    /// Null.
    Null,
    /// A session variable, by its name in lower case.
    Session(Arc<str>),
    /// All session variables as JSON.
    SessionJson,
    /// A variable of the operation as a whole: name, type, and the path for errors.
    Variable(Arc<str>, Arc<VariableType>, Arc<str>),
    /// The cursor of a stream, by place.
    Cursor(usize),
    /// The rows that a mutation changed, as an array of texts.
    Rows,
    /// A value that the row above or below a nested insert gives, by place.
    Key(usize),
}

impl Source {
    /// A list of values of a type, from the text of an array.
    pub fn list(literal: String, ty: &ScalarType) -> Self {
        if ty.is_read_alike() { Self::List(literal.into()) } else { Self::Text(literal.into()) }
    }

    /// Whether the value is sent as an array of texts.
    pub fn is_list(&self) -> bool {
        match self {
            Self::List(_) => true,
            Self::Variable(_, ty, _) => ty.many && ty.ty.is_read_alike(),
            _ => false,
        }
    }
}

/// What a variable's value is read as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VariableType {
    /// The type of the value.
    pub ty: ScalarType,
    /// Whether it is a list of such values (`_in`).
    pub many: bool,
}

/// A literal of the metadata as a bound value: session variables by name, anything else as text.
pub fn literal(value: &Value) -> Source {
    match json::text(value) {
        Some(text) if is_session_variable(text) => Source::Session(text.to_ascii_lowercase().into()),
        _ => json::column_text(value).map_or(Source::Null, |text| Source::Text(text.into())),
    }
}

/// A literal of the metadata as a bound value of a type: lists for arrays, and JSON for documents.
pub fn constant(value: &Value, ty: &ScalarType) -> Source {
    match (literal(value), coerce(value, ty, "$")) {
        (session @ Source::Session(_), _) => session,
        (_, Ok(Some(text))) => Source::Text(text.into()),
        (plain, _) => plain,
    }
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is Hasura's operator of its name")]
pub enum Operator {
    Eq,
    Neq,
    Gt,
    Lt,
    Gte,
    Lte,
    In,
    Nin,
    IsNull,
    IsNotNull,
    Like,
    Nlike,
    Ilike,
    Nilike,
    Similar,
    Nsimilar,
    Regex,
    Iregex,
    Nregex,
    Niregex,
    Contains,
    ContainedIn,
    HasKey,
    HasKeysAny,
    HasKeysAll,
    Cast,
    Ancestor,
    AncestorAny,
    Descendant,
    DescendantAny,
    Matches,
    MatchesAny,
    MatchesFulltext,
    StContains,
    StCrosses,
    StEquals,
    StIntersects,
    St3dIntersects,
    StOverlaps,
    StTouches,
    StWithin,
    StDWithin,
    St3dDWithin,
    StIntersectsRast,
    StIntersectsNbandGeom,
    StIntersectsGeomNband,
}

impl Operator {
    /// The operator of a client's or permission's key, such as `_eq`. Keys without underscore are old spellings.
    pub fn of(key: &str) -> Option<Self> {
        // Old metadata writes `$eq` for `_eq`.
        let name = key.strip_prefix(['_', '$'])?;
        Some(match name {
            "eq" | "ceq" => Self::Eq,
            "neq" | "ne" | "cne" | "cneq" => Self::Neq,
            "gt" | "cgt" => Self::Gt,
            "lt" | "clt" => Self::Lt,
            "gte" | "cgte" => Self::Gte,
            "lte" | "clte" => Self::Lte,
            "in" => Self::In,
            "nin" => Self::Nin,
            "is_null" => Self::IsNull,
            "like" => Self::Like,
            "nlike" => Self::Nlike,
            "ilike" => Self::Ilike,
            "nilike" => Self::Nilike,
            "similar" => Self::Similar,
            "nsimilar" => Self::Nsimilar,
            "regex" => Self::Regex,
            "iregex" => Self::Iregex,
            "nregex" => Self::Nregex,
            "niregex" => Self::Niregex,
            "contains" => Self::Contains,
            "contained_in" => Self::ContainedIn,
            "has_key" => Self::HasKey,
            "has_keys_any" => Self::HasKeysAny,
            "has_keys_all" => Self::HasKeysAll,
            "cast" => Self::Cast,
            "ancestor" => Self::Ancestor,
            "ancestor_any" => Self::AncestorAny,
            "descendant" => Self::Descendant,
            "descendant_any" => Self::DescendantAny,
            "matches" => Self::Matches,
            "matches_any" => Self::MatchesAny,
            "matches_fulltext" => Self::MatchesFulltext,
            "st_contains" => Self::StContains,
            "st_crosses" => Self::StCrosses,
            "st_equals" => Self::StEquals,
            "st_intersects" => Self::StIntersects,
            "st_3d_intersects" => Self::St3dIntersects,
            "st_overlaps" => Self::StOverlaps,
            "st_touches" => Self::StTouches,
            "st_within" => Self::StWithin,
            "st_d_within" => Self::StDWithin,
            "st_3d_d_within" => Self::St3dDWithin,
            "st_intersects_rast" => Self::StIntersectsRast,
            "st_intersects_nband_geom" => Self::StIntersectsNbandGeom,
            "st_intersects_geom_nband" => Self::StIntersectsGeomNband,
            _ => return None,
        })
    }

    /// Whether a permission's key compares with another column rather than with a value.
    pub fn takes_column(key: &str) -> bool {
        matches!(key.trim_start_matches(['_', '$']), "ceq" | "cne" | "cneq" | "cgt" | "clt" | "cgte" | "clte")
    }
}
