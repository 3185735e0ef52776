//! The database: pools, transactions with retry, one file of queries an aggregate, migrator, leases.
