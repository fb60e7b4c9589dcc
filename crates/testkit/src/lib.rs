//! Test doubles: faulty storage, fixed keys, vector loading, a virtual clock
