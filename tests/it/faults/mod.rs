//! Servers that fail while operations run: whatever happens, each operation ends as in a run without faults.

mod clock;
mod cluster;
mod database;
mod deployments;
mod drift;
mod nats;
mod poison;
mod restore;
mod rotation;
