//! Drift: what of a running application is not in the cluster as its revision says, and the operation that puts it right.

mod compare;
pub mod heal;
mod look;

pub use look::{Seat, everywhere, one_by_one};
