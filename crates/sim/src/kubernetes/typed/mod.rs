//! Typed decoding: the Go types behind the API, as `k8s-openapi` has them, say which fields are known and what
//! type each has. The value itself stays JSON; the types only judge it.

mod decode;
mod duplicates;
mod prune;
mod quantity;

pub(crate) use decode::{Decoded, check};
pub(crate) use duplicates::duplicates;
pub(crate) use prune::normalise;
pub(crate) use quantity::{Quantity, canonical};
