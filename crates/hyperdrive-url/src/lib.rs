//! hyper:// links: parse, check, print
