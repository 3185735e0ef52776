//! Times as Kubernetes writes them, and random name suffixes in its alphabet.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const SECONDS: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MICROS: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Letters and digits that cannot spell words, as `k8s.io/apimachinery/pkg/util/rand`.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Now, to the second (`metav1.Time`).
pub(crate) fn now() -> String {
    format(OffsetDateTime::now_utc(), SECONDS)
}

/// Now plus some seconds.
pub(crate) fn after(seconds: i64) -> String {
    format(OffsetDateTime::now_utc() + time::Duration::seconds(seconds), SECONDS)
}

/// Now, to the microsecond (`metav1.MicroTime`).
pub(crate) fn now_micros() -> String {
    format(OffsetDateTime::now_utc(), MICROS)
}

/// Seconds since a time as Kubernetes writes it; `None` when it is no such time.
pub(crate) fn seconds_since(text: &str) -> Option<f64> {
    let then = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    Some((OffsetDateTime::now_utc() - then).as_seconds_f64())
}

fn format(time: OffsetDateTime, how: &[BorrowedFormatItem<'static>]) -> String {
    time.to_offset(UtcOffset::UTC).format(how).unwrap_or_default()
}

/// A random suffix of five characters, as `generateName` appends.
pub(crate) fn suffix() -> String {
    uuid::Uuid::new_v4().as_bytes().iter().take(5).map(|byte| letter(u64::from(*byte))).collect()
}

/// A hash in the alphabet of pod-template-hash labels (FNV-1a, 32 bits, as decimal digits mapped to letters).
pub(crate) fn template_hash(text: &str) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in text.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash.to_string().bytes().map(|digit| letter(u64::from(digit))).collect()
}

fn letter(number: u64) -> char {
    let index = usize::try_from(number % ALPHABET.len() as u64).unwrap_or(0);
    ALPHABET.get(index).map_or('b', |byte| char::from(*byte))
}
