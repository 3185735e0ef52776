//! The simulated Kubernetes cluster, through the same client that the product uses.

mod exec;
mod store;
mod support;
mod verbs;
