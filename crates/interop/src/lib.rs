//! Tests against the Node packages
