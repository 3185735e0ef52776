//! The service over HTTP: every route in one list, actions, event webhooks, remote schema, health.
