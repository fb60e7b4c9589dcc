//! A key/value index on one append-only log (hypertrie 5 format)
