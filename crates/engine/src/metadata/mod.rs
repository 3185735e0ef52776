//! Hasura metadata v3: its types, its two forms (the CLI's directory and the API's document) and what is refused.
//!
//! The types follow `MetadataV3` of Hasura's `metadata.openapi.json`. Unknown keys are refused everywhere. Boolean
//! expressions stay JSON here: `schema` resolves them against the catalogue.

mod action;
mod actions_sdl;
mod collection;
mod compatibility;
mod directory;
mod document;
mod error;
mod limits;
mod names;
mod permission;
mod relationship;
mod remote;
mod source;
mod table;
mod transforms;
mod trigger;
pub mod unsupported;

pub use action::*;
pub use collection::*;
pub use compatibility::compatibility;
pub use document::{Metadata, NoExtras};
pub use error::LoadError;
pub use limits::*;
pub use names::is_name;
pub use permission::*;
pub use relationship::*;
pub use remote::*;
pub use source::*;
pub use table::*;
pub use trigger::*;

/// Serialises an absent list as nothing.
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Reads `null` as the default of the type, as Hasura does for optional keys.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
