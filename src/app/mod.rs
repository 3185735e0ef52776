//! Use cases, one file a resource, called by every face: authorise, then write or start a flow.

pub mod background;
