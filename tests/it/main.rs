//! The one integration-test binary: every test against real servers, started privately.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compose;
mod dependencies;
mod deployments;
mod dev;
mod engine;
mod engine_serving;
mod faults;
mod generated;
mod http;
mod identity;
mod journey;
mod kubernetes;
mod metadata;
mod platform;
mod reconcile;
mod rooms;
mod runtime;
mod secrets;
mod stores;
mod support;
mod tenancy;
mod workflow;
