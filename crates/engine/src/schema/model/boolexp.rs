//! Boolean expressions over a table's rows, of permissions and of clients alike.

use std::sync::Arc;

use super::TableId;
use super::scalar::ScalarType;

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
    Computed(usize, Comparison),
    /// A related row exists for which it holds.
    Relationship(usize, Box<BoolExp>),
    /// A computed field returns a row of a table for which it holds.
    ComputedRows(usize, TableId, Box<BoolExp>),
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

/// How a value compares. Each form holds what it needs: none can be written that has no SQL.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// With something else, by an operator.
    Binary(Binary, Operand),
    /// It is null, or it is not.
    Null(bool),
    /// Cast to a type, all of these hold.
    Cast(ScalarType, Vec<Comparison>),
    /// One of these holds.
    Any(Vec<Comparison>),
    /// All of these hold.
    Every(Vec<Comparison>),
    /// Another spatial value is within a distance: value, distance, and whether a sphere is used.
    Within(Within, Source, Source, Option<Source>),
    /// A geometry meets the raster, in one of its bands or in its hull.
    Band(Source, Option<Source>),
}

impl Comparison {
    /// Equality with a value of a type.
    pub fn equal(source: Source, ty: ScalarType) -> Self {
        Self::Binary(Binary::Eq, Operand::Value(source, ty))
    }
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

/// A comparison operator, by what its operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// A value.
    Binary(Binary),
    /// `_is_null`: true or false.
    IsNull,
    /// `_cast`: comparisons.
    Cast,
    /// A spatial value and a distance.
    Within(Within),
    /// A geometry and a band of a raster.
    Band(Band),
}

/// How far is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Within {
    /// `_st_d_within`: in the plane or on the sphere.
    Plane,
    /// `_st_3d_d_within`: in space.
    Space,
}

/// Whether a band of a raster has to be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Band {
    /// `_st_intersects_nband_geom`.
    Required,
    /// `_st_intersects_geom_nband`.
    Optional,
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is Hasura's operator of its name")]
pub enum Binary {
    Eq,
    Neq,
    Gt,
    Lt,
    Gte,
    Lte,
    In,
    Nin,
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
    StIntersectsRast,
}

impl Operator {
    /// The operator of a client's or permission's key, such as `_eq`. Keys without underscore are old spellings.
    pub fn of(key: &str) -> Option<Self> {
        // Old metadata writes `$eq` for `_eq`.
        let name = key.strip_prefix(['_', '$'])?;
        Some(Self::Binary(match name {
            "eq" | "ceq" => Binary::Eq,
            "neq" | "ne" | "cne" | "cneq" => Binary::Neq,
            "gt" | "cgt" => Binary::Gt,
            "lt" | "clt" => Binary::Lt,
            "gte" | "cgte" => Binary::Gte,
            "lte" | "clte" => Binary::Lte,
            "in" => Binary::In,
            "nin" => Binary::Nin,
            "is_null" => return Some(Self::IsNull),
            "like" => Binary::Like,
            "nlike" => Binary::Nlike,
            "ilike" => Binary::Ilike,
            "nilike" => Binary::Nilike,
            "similar" => Binary::Similar,
            "nsimilar" => Binary::Nsimilar,
            "regex" => Binary::Regex,
            "iregex" => Binary::Iregex,
            "nregex" => Binary::Nregex,
            "niregex" => Binary::Niregex,
            "contains" => Binary::Contains,
            "contained_in" => Binary::ContainedIn,
            "has_key" => Binary::HasKey,
            "has_keys_any" => Binary::HasKeysAny,
            "has_keys_all" => Binary::HasKeysAll,
            "cast" => return Some(Self::Cast),
            "ancestor" => Binary::Ancestor,
            "ancestor_any" => Binary::AncestorAny,
            "descendant" => Binary::Descendant,
            "descendant_any" => Binary::DescendantAny,
            "matches" => Binary::Matches,
            "matches_any" => Binary::MatchesAny,
            "matches_fulltext" => Binary::MatchesFulltext,
            "st_contains" => Binary::StContains,
            "st_crosses" => Binary::StCrosses,
            "st_equals" => Binary::StEquals,
            "st_intersects" => Binary::StIntersects,
            "st_3d_intersects" => Binary::St3dIntersects,
            "st_overlaps" => Binary::StOverlaps,
            "st_touches" => Binary::StTouches,
            "st_within" => Binary::StWithin,
            "st_d_within" => return Some(Self::Within(Within::Plane)),
            "st_3d_d_within" => return Some(Self::Within(Within::Space)),
            "st_intersects_rast" => Binary::StIntersectsRast,
            "st_intersects_nband_geom" => return Some(Self::Band(Band::Required)),
            "st_intersects_geom_nband" => return Some(Self::Band(Band::Optional)),
            _ => return None,
        }))
    }

    /// Whether a permission's key compares with another column rather than with a value.
    pub fn takes_column(key: &str) -> bool {
        matches!(key.trim_start_matches(['_', '$']), "ceq" | "cne" | "cneq" | "cgt" | "clt" | "cgte" | "clte")
    }
}
