//! The simulated Kubernetes cluster, through the same client that the product uses.

mod exec;
mod faults;
mod gateway;
mod known;
mod kubelet;
mod normal;
mod persistence;
mod replay;
mod store;
mod support;
mod verbs;
