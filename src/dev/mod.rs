//! The local stack supervisor: private servers, readiness, seed data.
