//! What the database holds: tables, columns, constraints and functions, read by one catalogue query.

mod types;

use std::collections::HashMap;

use serde::Deserialize;
use sqlx::PgPool;

use super::metadata::QualifiedName;

pub use types::{Column, ColumnType, Constraint, ForeignKey, Function, FunctionArgument, Table, Volatility};

/// What a database holds, apart from the system's own schemas.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: HashMap<QualifiedName, Table>,
    functions: HashMap<QualifiedName, Vec<Function>>,
}

impl Catalog {
    /// Reads the catalogue: one query, one row.
    ///
    /// # Errors
    /// The database's, or that its answer was not understood.
    pub async fn read(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut transaction = pool.begin().await?;
        // Compiling the plan takes PostgreSQL a hundred times as long as running it.
        sqlx::query("set local jit = off").execute(&mut *transaction).await?;
        let text: String = sqlx::query_scalar(include_str!("introspect.sql")).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Self::from_json(&text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }

    /// Reads the document that the catalogue query gives.
    ///
    /// # Errors
    /// When it is not that document.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Document {
            tables: Vec<types::RawTable>,
            functions: Vec<Function>,
        }
        let document: Document = serde_json::from_str(text)?;
        let tables = document.tables.into_iter().map(|raw| (raw.name.clone(), raw.into())).collect();
        let mut functions: HashMap<QualifiedName, Vec<Function>> = HashMap::new();
        for function in document.functions {
            functions.entry(function.name.clone()).or_default().push(function);
        }
        Ok(Self { tables, functions })
    }

    /// A table, view or the like.
    pub fn table(&self, name: &QualifiedName) -> Option<&Table> {
        self.tables.get(name)
    }

    /// All tables, in no order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// The functions of a name; several when it is overloaded.
    pub fn functions(&self, name: &QualifiedName) -> &[Function] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// All functions, in no order.
    pub fn all_functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.values().flatten()
    }
}
