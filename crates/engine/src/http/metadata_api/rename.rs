//! `rename_relationship`: the name follows into every permission that leads over it.

use serde_json::Value;

use super::change::{self, Accept};
use super::references::Renames;
use super::{document, success};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::serving::Surface;

/// Runs `rename_relationship`.
pub(super) async fn run(surface: &Surface, args: &Value) -> Result<Value> {
    let (old, new) = (document::text(args, "name")?, document::text(args, "new_name")?);
    let table = document::qualified(document::required(args, "table")?)?;
    let state = surface.core.state();
    let mut metadata = state.metadata.as_ref().clone();
    let found = metadata.sources.iter().flat_map(|source| &source.tables).find(|other| other.table == table);
    let missing = |message: String| GraphqlError::new(ErrorCode::NotExists, message);
    let found = found.ok_or_else(|| {
        missing(format!("table {:?} does not exist in source: {}", table.to_string(), document::source_name(args)))
    })?;
    let mut relationships = found.object_relationships.iter().map(|one| &one.name);
    let mut arrays = found.array_relationships.iter().map(|one| &one.name);
    if !relationships.any(|name| name == old) && !arrays.any(|name| name == old) {
        return Err(missing(format!("relationship {old:?} does not exist on table {:?}", table.to_string())));
    }
    let info = state.model.by_name.get(&table).map(|&id| &state.model.tables[id]);
    if info.is_some_and(|info| info.column(new).is_some() || info.relationship(new).is_some()) {
        let table = table.to_string();
        let message = format!(
            "cannot rename relationship {old:?} to {new:?} in table {table:?} as a column/relationship with the name \
             already exists"
        );
        return Err(GraphqlError::new(ErrorCode::AlreadyExists, message));
    }
    let mut renames = Renames::default();
    renames.relationships.insert((table, old.to_owned()), new.to_owned());
    renames.apply(&mut metadata, &state.model);
    change::put_in_force(surface, metadata, Accept::NothingNew(None)).await?;
    Ok(success())
}
