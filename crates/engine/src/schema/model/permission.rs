//! What roles may do with a table.

use std::sync::Arc;

use serde_json::Value;

use super::boolexp::BoolExp;
use crate::metadata::SelectRootField;

/// What one role may do with a table.
#[derive(Debug, Default, Clone)]
pub struct Permissions {
    /// Reading.
    pub select: Option<Arc<SelectRule>>,
    /// Inserting.
    pub insert: Option<Arc<InsertRule>>,
    /// Updating.
    pub update: Option<Arc<UpdateRule>>,
    /// Deleting.
    pub delete: Option<Arc<DeleteRule>>,
}

/// Which rows and columns a role sees.
#[derive(Debug, Clone)]
pub struct SelectRule {
    /// Visible columns.
    pub columns: Vec<bool>,
    /// Conditions under which a column's value shows, where it is not always (inherited roles).
    pub guards: Vec<Option<BoolExp>>,
    /// Visible computed fields.
    pub computed: Vec<bool>,
    /// Conditions under which a computed field's value shows, where it is not always (inherited roles).
    pub computed_guards: Vec<Option<BoolExp>>,
    /// Visible rows.
    pub filter: BoolExp,
    /// Most rows.
    pub limit: Option<u64>,
    /// Whether aggregates are offered.
    pub aggregations: bool,
    /// Root fields of `query_root`; all when absent.
    pub query_roots: Option<Vec<SelectRootField>>,
    /// Root fields of `subscription_root`; all when absent.
    pub subscription_roots: Option<Vec<SelectRootField>>,
}

/// Which rows a role may insert.
#[derive(Debug, Clone)]
pub struct InsertRule {
    /// Columns that the client may set.
    pub columns: Vec<bool>,
    /// Columns that the server sets.
    pub presets: Vec<(usize, Value)>,
    /// What each new row must satisfy.
    pub check: BoolExp,
    /// For backends only.
    pub backend_only: bool,
}

/// Which rows a role may change.
#[derive(Debug, Clone)]
pub struct UpdateRule {
    /// Columns that the client may set.
    pub columns: Vec<bool>,
    /// Columns that the server sets.
    pub presets: Vec<(usize, Value)>,
    /// Which rows.
    pub filter: BoolExp,
    /// What each changed row must satisfy.
    pub check: BoolExp,
    /// For backends only.
    pub backend_only: bool,
}

/// Which rows a role may delete.
#[derive(Debug, Clone)]
pub struct DeleteRule {
    /// Which rows.
    pub filter: BoolExp,
    /// For backends only.
    pub backend_only: bool,
}
