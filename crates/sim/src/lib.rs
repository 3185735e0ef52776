//! Simulators that speak the vendors' real wire protocols, for tests and `northstack dev`.

pub mod kubernetes;
