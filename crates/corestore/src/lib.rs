//! Many Hypercore logs in one directory, with keys derived from one secret
