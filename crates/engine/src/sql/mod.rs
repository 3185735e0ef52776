//! SQL as a typed tree, printed once. Names are quoted; every value is a bound parameter.

mod print;
mod tree;

pub use print::{MOST_PARAMETERS, PACKED, Parameters, print};
pub use tree::*;
