//! What every way in shares: who may enter, how much they may ask, what answers, and what runs in the background.

mod admission;
pub(crate) mod allow_list;
mod background;
pub(crate) mod core;
pub(crate) mod live;
mod planning;
mod rates;
pub(crate) mod results;
mod start;
mod surface;
mod turns;
mod windows;

pub use admission::{Admission, Wording};
pub use core::Current;
pub(crate) use planning::Planning;
pub use rates::{OperationRates, RateSource};
pub use start::SurfaceError;
pub use surface::{Surface, SurfaceLimits};
pub use turns::TurnLimits;
