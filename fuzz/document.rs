//! Documents: parsed, bounded, validated, planned and printed.

use northstack::engine::Request;

use super::{schema, statement};

/// The first byte says who asks, the rest is the document.
pub fn run(data: &[u8]) {
    let Some((who, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(compiled) = schema::state().compile(&schema::session(*who), &Request::new(text)) {
        statement::check(&compiled);
    }
}
