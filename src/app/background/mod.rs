//! Input-less reconcilers: periodic and nudged, the table is the truth.
