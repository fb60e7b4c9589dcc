//! Paths of a drive and the trie keys that they stand for (format page, "Paths").

use crate::DriveError;

/// The longest path that is written, in bytes. Each component costs a trie node 32 more hash
/// digits; this is what Linux allows in one call.
pub(crate) const MAX_PATH_BYTES: usize = 4096;

/// The trie key of a path as people write them: `.` and empty components dropped, `..` taken back
/// (the root is its own parent), backslashes read as slashes. Empty for the root.
pub(crate) fn clean(path: &str) -> String {
    let mut key = String::with_capacity(path.len());
    walk(&mut key, path);
    key
}

/// The key of a symlink's target: from the root of the drive when it starts with a slash, else from
/// the directory `parent`, which is a clean key.
pub(crate) fn resolve(parent: &str, target: &str) -> String {
    let mut key = if target.starts_with(['/', '\\']) {
        String::new()
    } else {
        parent.to_owned()
    };
    walk(&mut key, target);
    key
}

/// The key under which the reference looks up `path`, if it is another one than [`clean`] finds.
///
/// Drives written by it may hold entries under such keys: it keeps `.` and `..`, and drops a
/// leading `letters:` or `./` once.
pub(crate) fn legacy(path: &str, clean: &str) -> Option<String> {
    // Twice: the drive and the trie below it each do it once.
    let key = legacy_fix(&legacy_fix(path));
    let key = key.strip_prefix('/').unwrap_or(&key);
    (key != clean && !key.is_empty()).then(|| key.to_owned())
}

/// Checks that a clean key may be written, and gives it back.
pub(crate) fn check_writable(key: &str) -> Result<&str, DriveError> {
    let reason = if key.is_empty() {
        // A node with an empty key empties the whole drive for the reference.
        "it is the root"
    } else if key.contains('\0') {
        "it contains a NUL character"
    } else if key.len() > MAX_PATH_BYTES {
        "it is longer than 4096 bytes"
    } else {
        return Ok(key);
    };
    Err(DriveError::InvalidPath {
        path: shown(key),
        reason,
    })
}

/// The key of the directory that an entry is in.
pub(crate) fn parent(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Two keys as one.
pub(crate) fn join(above: &str, below: &str) -> String {
    match (above, below) {
        ("", key) | (key, "") => key.to_owned(),
        _ => format!("{above}/{below}"),
    }
}

/// The rest of a key that is at or below another one.
pub(crate) fn below<'k>(key: &'k str, above: &str) -> Option<&'k str> {
    match key.strip_prefix(above)? {
        rest if above.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('/'),
    }
}

/// The proper prefixes of a key that name its parent directories, outermost first.
pub(crate) fn ancestors(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(index, _)| &key[..index])
}

/// A key as people write paths.
pub(crate) fn shown(key: &str) -> String {
    format!("/{key}")
}

/// Whether a name may be a component of a path on any system: not empty, not `.` or `..`, without
/// separators and NUL.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

fn walk(key: &mut String, path: &str) {
    for component in path.split(['/', '\\']) {
        match component {
            "" | "." => {}
            ".." => key.truncate(key.rfind('/').unwrap_or(0)),
            name => {
                if !key.is_empty() {
                    key.push('/');
                }
                key.push_str(name);
            }
        }
    }
}

fn legacy_fix(path: &str) -> String {
    let mut fixed = String::with_capacity(path.len() + 1);
    for character in path.chars() {
        let character = if character == '\\' { '/' } else { character };
        if character != '/' || !fixed.ends_with('/') {
            fixed.push(character);
        }
    }
    if fixed.len() >= 3 && fixed.ends_with('/') {
        fixed.pop();
    }
    let letters = fixed
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(fixed.len());
    let rest = match fixed[letters..].strip_prefix(':') {
        Some(rest) if letters > 0 => rest,
        _ => fixed.strip_prefix("./").unwrap_or(&fixed),
    };
    if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, key: &str, old_key: &str) {
        assert_eq!(clean(path), key);
        assert_eq!(legacy(path, key).as_deref().unwrap_or(key), old_key);
    }

    #[test]
    fn keys_of_paths() {
        check("", "", "");
        check("/", "", "");
        check("a", "a", "a");
        check("//a//b/", "a/b", "a/b");
        check(r"\a\b\", "a/b", "a/b");
        check("./x", "x", "x");
        check("/..", "", "..");
        check("a/../b", "b", "a/../b");
        check("/./a", "a", "./a");
        check("././x", "x", "./x");
        check("http:foo", "http:foo", "foo");
        check("C:/foo", "C:/foo", "foo");
        check("ab:cd:ef", "ab:cd:ef", "cd:ef");
        check("/C:x", "C:x", "C:x");
        check("sub/C:x", "sub/C:x", "sub/C:x");
        check("1:x", "1:x", "1:x");
        check("日本/é", "日本/é", "日本/é");
    }

    #[test]
    fn targets_of_links() {
        assert_eq!(resolve("a/b", "c"), "a/b/c");
        assert_eq!(resolve("a/b", "../c"), "a/c");
        assert_eq!(resolve("a/b", "/c/./d"), "c/d");
        assert_eq!(resolve("a", "../../../c"), "c");
        assert_eq!(resolve("", "."), "");
    }

    #[test]
    fn what_is_not_written() {
        assert!(check_writable("").is_err());
        assert!(check_writable("a\0").is_err());
        assert!(check_writable(&"x".repeat(MAX_PATH_BYTES)).is_ok());
        assert!(check_writable(&"x".repeat(MAX_PATH_BYTES + 1)).is_err());
    }

    #[test]
    fn parents() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(ancestors("a").count(), 0);
        assert_eq!((parent("a/b/c"), parent("a")), ("a/b", ""));
    }
}
