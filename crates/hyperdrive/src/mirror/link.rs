//! Targets of links, in a drive and on disk.
//!
//! In a drive a target with a leading slash starts at the drive's root; on disk it would start at
//! the system's. So on disk all links are relative, and none leaves the folder.

use std::path::Path;

use crate::path;

/// What to write on disk for the link at `key`; `None` if the target leaves the root.
///
/// Names after which `..` takes a step back may be links themselves, by which the system would step
/// back from elsewhere. Such targets are written without the detour, as the drive reads them.
pub(crate) fn to_disk(key: &str, target: &str) -> Option<String> {
    let parent = path::parent(key);
    let place = inside(parent, target)?;
    if target.starts_with(['/', '\\']) || target.contains('\\') || has_detour(target) {
        Some(relative(parent, &place))
    } else {
        Some(target.to_owned())
    }
}

/// What to write in the drive for a link at `key` of the folder `root` that says `target` on disk.
/// An error says why it cannot be in a drive.
pub(crate) fn from_disk(root: &Path, key: &str, target: &str) -> Result<String, &'static str> {
    if target.contains('\\') && !cfg!(windows) {
        return Err("its target has a backslash, which a drive reads as a slash");
    }
    if Path::new(target).is_absolute() {
        let below = Path::new(target).strip_prefix(root).map_err(|_| LEAVES)?;
        let below = below.to_str().ok_or("its target is not UTF-8")?;
        let place = inside("", below).ok_or(LEAVES)?;
        return Ok(format!("/{place}"));
    }
    match inside(path::parent(key), target) {
        Some(_) => Ok(target.to_owned()),
        None => Err(LEAVES),
    }
}

/// Where a target leads, without ever stepping out of the root.
fn inside(parent: &str, target: &str) -> Option<String> {
    let absolute = target.starts_with(['/', '\\']);
    let mut names: Vec<&str> = Vec::new();
    if !absolute {
        names.extend(parent.split('/').filter(|name| !name.is_empty()));
    }
    for name in target.split(['/', '\\']) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

fn has_detour(target: &str) -> bool {
    target
        .split('/')
        .skip_while(|name| matches!(*name, "" | "." | ".."))
        .any(|name| name == "..")
}

/// The way from the directory `from` to `to`, both clean keys.
fn relative(from: &str, to: &str) -> String {
    let from: Vec<&str> = from.split('/').filter(|name| !name.is_empty()).collect();
    let to: Vec<&str> = to.split('/').filter(|name| !name.is_empty()).collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - common);
    let way: Vec<&str> = up.chain(to[common..].iter().copied()).collect();
    if way.is_empty() {
        ".".to_owned()
    } else {
        way.join("/")
    }
}

const LEAVES: &str = "its target is outside the folder";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, target: &str, on_disk: Option<&str>) {
        assert_eq!(to_disk(key, target).as_deref(), on_disk);
    }

    #[test]
    fn links_on_disk_are_relative_and_stay_inside() {
        check("a", "b", Some("b"));
        check("x/a", "../b", Some("../b"));
        check("x/a", "../../b", None);
        check("a", "..", None);
        check("x/a", "..", Some(".."));
        check("a", "/b/c", Some("b/c"));
        check("x/y/a", "/b/c", Some("../../b/c"));
        check("x/y/a", "/x/c", Some("../c"));
        check("x/a", "/x", Some("."));
        check("x/a", "/../etc", None);
        check("a", r"..\etc", None);
        check("a", r"x\y", Some("x/y"));
    }

    #[test]
    fn steps_back_over_names_are_taken_beforehand() {
        // `x/d` may be a link to the root: then the system would leave it with `d/../..`.
        check("x/y/a", "d/../..", Some(".."));
        check("x/a", "d/../b", Some("b"));
    }

    #[test]
    fn links_of_a_folder() {
        let root = Path::new("/home/me/site");
        assert_eq!(from_disk(root, "a", "b").as_deref(), Ok("b"));
        assert_eq!(from_disk(root, "x/a", "../b").as_deref(), Ok("../b"));
        assert_eq!(from_disk(root, "x/a", "../../b"), Err(LEAVES));
        assert_eq!(
            from_disk(root, "x/a", "/home/me/site/c/d").as_deref(),
            Ok("/c/d")
        );
        assert_eq!(from_disk(root, "x/a", "/home/me/site").as_deref(), Ok("/"));
        assert_eq!(from_disk(root, "x/a", "/home/me/site2"), Err(LEAVES));
        assert_eq!(
            from_disk(root, "x/a", "/home/me/site/../other"),
            Err(LEAVES)
        );
        assert_eq!(from_disk(root, "x/a", "/etc/passwd"), Err(LEAVES));
    }
}
