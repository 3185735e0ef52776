//! Dragonfly (or Redis): cache-aside, sessions, sliding-window limits, locks.
