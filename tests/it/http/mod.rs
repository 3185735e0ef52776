//! The frame around every route.

mod edge;
mod routes;
