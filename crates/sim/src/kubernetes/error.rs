//! Why a simulated cluster does not start.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why a simulated cluster does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port is taken, or the address is not this machine's.
    #[error("{option}: the simulated cluster cannot listen on {address}")]
    Listen {
        /// The field of [`SimulatorOptions`](super::SimulatorOptions).
        option: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error("the simulated cluster cannot read the address that it listens on")]
    Address(#[source] io::Error),
    #[error("the simulated cluster cannot open its state")]
    State(#[source] io::Error),
}
