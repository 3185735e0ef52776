//! A simulated Kubernetes cluster that speaks the real API (v1.36) over HTTP on loopback.
//!
//! [`Simulator::start`] serves the API to clients such as `kube` and `kubectl`: discovery, get, list, watch, create,
//! update, the four kinds of patch with server-side apply, delete with propagation, status and scale subresources,
//! logs, exec over WebSocket, and the service proxy. The objects are typed and checked; controllers give them their
//! visible effects: namespaces terminate, claims bind, Deployments roll out through ReplicaSets to Pods that become
//! ready, quotas refuse, Ingresses serve. Containers of the images that a store needs have small interpreters
//! (`sh`, `wp`, `mysql`) over the state of their disks, and WordPress pods serve a shop.
//!
//! Every request needs the bearer token of [`Simulator::kubeconfig`]. With a `state_dir` the cluster survives a
//! restart, also one by `kill -9`. Faults are ordered over `/simulator/faults`; see the module `faults` for what can
//! be ordered.
//!
//! What it does not do, and a real cluster does: RBAC (the one token may do everything), more than one node, custom
//! resources (but for Gateways and HTTPRoutes, where they are installed), webhooks (but for what ingress-nginx's says of
//! a host and path that are taken), liveness probes but by a fault, measuring (the numbers of `metrics.k8s.io` are made
//! up), and running images other than by the interpreters named above.

mod api;
mod clock;
mod cluster;
mod controllers;
mod defaults;
mod error;
mod exec;
mod faults;
mod fields;
mod gateway;
mod json;
mod kinds;
mod logs;
mod network;
mod options;
mod plane;
mod registry;
mod server;
mod status;
mod storage;
mod storefront;
mod typed;
mod validate;
mod wp;

pub use error::StartError;
pub use options::{SimulatorOptions, SimulatorTiming};
pub use server::Simulator;
