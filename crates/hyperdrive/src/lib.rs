//! A filesystem that anyone with its key can read and verify (hyperdrive 10 format)
