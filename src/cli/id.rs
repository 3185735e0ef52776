//! Ids on the command line.

use uuid::Uuid;

/// Reads an id.
pub fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text)
        .map_err(|_| "an id looks like 6f1c0a3e-9d0b-4a51-8a57-0f4f2d1f5e0b; the lists show them".to_owned())
}
