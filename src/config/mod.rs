//! Typed configuration: defaults, file, `NORTHSTACK_` environment; validated once, secrets redacted, hot-reloaded.
