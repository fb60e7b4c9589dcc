use std::io;
use std::path::{Component, Path};

/// Refuses names that could leave their directory or mean different files on different systems.
///
/// A name is one or more components with `/` between them. No component is empty, `.` or `..`,
/// holds a NUL or a backslash, or is what some system takes for a root or a drive.
pub(crate) fn check(name: &str) -> io::Result<()> {
    if name.split('/').all(is_plain) {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a name below the storage directory",
        ))
    }
}

/// As [`check`], where the empty name stands for the top.
pub(crate) fn check_folder(name: &str) -> io::Result<()> {
    if name.is_empty() { Ok(()) } else { check(name) }
}

/// Puts `name` below the folder `prefix`; either may be empty.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    match (prefix.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => prefix.to_owned(),
        _ => format!("{prefix}/{name}"),
    }
}

fn is_plain(component: &str) -> bool {
    let mut parts = Path::new(component).components();
    let plain = matches!(parts.next(), Some(Component::Normal(part)) if part == component);
    plain && parts.next().is_none() && !component.contains(['\0', '\\', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass() {
        for name in [
            "data",
            "aa/bb/cc",
            "a.b",
            "..a",
            "...",
            "name with spaces",
            "ü/ß",
        ] {
            assert!(check(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn names_that_leave_or_confuse_are_refused() {
        for name in [
            "", ".", "..", "../a", "a/..", "a/../b", "a/./b", "/a", "a/", "a//b", "a\\b", "..\\a",
            "C:", "C:/a", "a\0b", "//a",
        ] {
            let error = check(name).expect_err(name);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn joining_with_the_top_adds_nothing() {
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("a", ""), "a");
        assert_eq!(join("a", "b/c"), "a/b/c");
    }
}
