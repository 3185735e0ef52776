//! How database types appear in GraphQL, by Hasura's rules.

use crate::catalog::ColumnType;

/// A column's GraphQL type: a scalar, or a list of one for arrays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScalarType {
    /// The scalar's name, such as `Int` or `timestamptz`.
    pub name: String,
    /// The database's name of the (element) type, such as `int4`.
    pub database: String,
    /// Whether it is an array.
    pub list: bool,
    /// Whether it is one of the database's own enums, whose values have an order.
    pub native_enum: bool,
    /// As SQL writes the column's whole type, for casts.
    pub sql: String,
}

impl ScalarType {
    /// The type of a column.
    pub fn of(ty: &ColumnType) -> Self {
        // `character` and `bit` without a length mean a length of one; their catalogue names mean any.
        let sql = match ty.name.as_str() {
            "bpchar" if ty.kind == "b" => "pg_catalog.bpchar".to_owned(),
            "_bpchar" if ty.kind == "b" => "pg_catalog.bpchar[]".to_owned(),
            "bit" if ty.kind == "b" => "pg_catalog.\"bit\"".to_owned(),
            _ => ty.sql.clone(),
        };
        let (database, list) = match &ty.element {
            Some(element) => (element.clone(), true),
            None => (ty.name.clone(), false),
        };
        Self { name: graphql_name(&database), database, list, native_enum: ty.kind == "e", sql }
    }

    /// A built-in type by its database name, as SQL writes it too.
    pub fn builtin(database: &str) -> Self {
        let (name, sql) = (graphql_name(database), database.to_owned());
        Self { name, database: database.to_owned(), list: false, native_enum: false, sql }
    }

    /// As Hasura names the database's type.
    pub fn database_name(&self) -> String {
        let name = match self.database.as_str() {
            "int2" => "smallint",
            "int4" => "integer",
            "int8" => "bigint",
            "bool" => "boolean",
            other => other,
        };
        if self.list { format!("{name}[]") } else { name.to_owned() }
    }

    /// Whether a text is cast to it as a column of it reads that text, so that a list may come as texts.
    pub fn is_read_alike(&self) -> bool {
        !self.list
            && matches!(
                self.database.as_str(),
                "int2"
                    | "int4"
                    | "int8"
                    | "float4"
                    | "float8"
                    | "numeric"
                    | "text"
                    | "varchar"
                    | "uuid"
                    | "bool"
                    | "date"
                    | "timestamp"
                    | "timestamptz"
            )
    }

    /// Whether sums and averages exist.
    pub fn is_numeric(&self) -> bool {
        !self.list
            && matches!(self.database.as_str(), "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" | "money")
    }

    /// Whether its numbers are more than JavaScript's can hold exactly; they may be written as strings.
    pub fn is_large_number(&self) -> bool {
        !self.list && matches!(self.database.as_str(), "int8" | "numeric" | "float8")
    }

    /// Whether least and greatest values exist (Hasura's list of types that it knows, and enums).
    pub fn is_comparable(&self) -> bool {
        self.is_numeric()
            || self.native_enum
            || matches!(
                self.database.as_str(),
                "bpchar"
                    | "varchar"
                    | "text"
                    | "citext"
                    | "date"
                    | "timestamp"
                    | "timestamptz"
                    | "timetz"
                    | "uuid"
                    | "ltree"
                    | "int2"
                    | "int4"
                    | "int8"
                    | "float4"
                    | "float8"
                    | "numeric"
            )
    }

    /// Whether values are texts that patterns can match.
    pub fn is_text(&self) -> bool {
        !self.list && matches!(self.database.as_str(), "text" | "varchar" | "bpchar" | "citext")
    }

    /// Whether it is `jsonb`.
    pub fn is_jsonb(&self) -> bool {
        !self.list && self.database == "jsonb"
    }

    /// Whether it is `json` or `jsonb`.
    pub fn is_json(&self) -> bool {
        !self.list && matches!(self.database.as_str(), "json" | "jsonb")
    }

    /// Whether it is PostGIS's `geometry` or `geography`.
    pub fn is_spatial(&self) -> bool {
        !self.list && matches!(self.database.as_str(), "geometry" | "geography")
    }
}

/// The GraphQL name of a database type.
pub fn graphql_name(database: &str) -> String {
    match database {
        "int4" => "Int",
        "int2" => "smallint",
        "int8" => "bigint",
        "float4" => "Float",
        "bool" => "Boolean",
        "text" | "varchar" => "String",
        "timetz" => "timetz",
        other => return name_of(other),
    }
    .to_owned()
}

/// A name that GraphQL allows.
fn name_of(database: &str) -> String {
    let fits = |(index, character): (usize, char)| {
        character == '_' || character.is_ascii_alphabetic() || index > 0 && character.is_ascii_digit()
    };
    database.char_indices().map(|(index, c)| if fits((index, c)) { c } else { '_' }).collect()
}

/// The type to which `_cast` casts values of a type, by their database names.
pub fn cast_target(from: &str) -> &'static str {
    match from {
        "geography" => "geometry",
        "geometry" => "geography",
        _ => "text",
    }
}
