//! Whether the templates of transforms are templates.

use super::{LoadError, Metadata, RequestTransform, ResponseTransform};
use crate::transform::{RequestTransformer, ResponseTransformer};

/// Refuses a template that cannot be parsed.
pub(super) fn check(metadata: &Metadata) -> Result<(), LoadError> {
    for (index, action) in metadata.actions.iter().enumerate() {
        let definition = &action.definition;
        pair(&format!("actions[{index}].definition"), &definition.request_transform, &definition.response_transform)?;
    }
    for (index, cron) in metadata.cron_triggers.iter().enumerate() {
        pair(&format!("cron_triggers[{index}]"), &cron.request_transform, &cron.response_transform)?;
    }
    for (source, tables) in metadata.sources.iter().map(|source| &source.tables).enumerate() {
        for (table, triggers) in tables.iter().map(|table| &table.event_triggers).enumerate() {
            for (index, trigger) in triggers.iter().enumerate() {
                let key = format!("sources[{source}].tables[{table}].event_triggers[{index}]");
                pair(&key, &trigger.request_transform, &trigger.response_transform)?;
            }
        }
    }
    Ok(())
}

fn pair(key: &str, request: &Option<RequestTransform>, response: &Option<ResponseTransform>) -> Result<(), LoadError> {
    if let Some(Err(error)) = request.as_ref().map(RequestTransformer::compile) {
        return Err(LoadError::at(format!("{key}.request_transform"), error.to_string()));
    }
    if let Some(Err(error)) = response.as_ref().map(ResponseTransformer::compile) {
        return Err(LoadError::at(format!("{key}.response_transform"), error.to_string()));
    }
    Ok(())
}
