use std::path::Path;

use super::*;

/// The same expectations for each way of walking.
macro_rules! suite {
    ($name:ident, $folder:path) => {
        mod $name {
            use super::*;
            use $folder as Folder;

            #[test]
            fn files_are_whole_or_absent() {
                let dir = tempfile::tempdir().unwrap();
                let mut folder = Folder::open(&dir.path().join("new")).unwrap();
                let mut file = folder.create("a/b/c").unwrap();
                file.write(b"con").unwrap();
                drop(file);
                assert_eq!(folder.find("a/b/c").unwrap(), None);
                assert_eq!(
                    std::fs::read_dir(dir.path().join("new/a/b"))
                        .unwrap()
                        .count(),
                    0
                );

                let mut file = folder.create("a/b/c").unwrap();
                file.write(b"content").unwrap();
                file.finish(0o644, 1_600_000_000_123).unwrap();
                let found = folder.find("a/b/c").unwrap().unwrap();
                assert_eq!((found.kind, found.size), (Kind::File, 7));
                assert_eq!((found.mtime, found.mode), (1_600_000_000_123, 0o644));
                folder.remove("a/b/c").unwrap();
                folder.remove_dir("a/b").unwrap();
                assert_eq!(folder.find("a/b").unwrap(), None);
            }

            #[test]
            fn names_that_lead_elsewhere_are_refused() {
                let dir = tempfile::tempdir().unwrap();
                let mut folder = Folder::open(dir.path()).unwrap();
                for key in [
                    "..",
                    "../x",
                    "a/../../x",
                    "/etc/x",
                    "",
                    "a//b",
                    ".",
                    r"a\b",
                    "a\0b",
                ] {
                    let error = folder.create(key).unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{key:?}");
                    assert!(folder.find(key).is_err(), "{key:?}");
                    assert!(folder.make_dir(key).is_err(), "{key:?}");
                    assert!(folder.remove(key).is_err(), "{key:?}");
                }
            }

            #[cfg(unix)]
            #[test]
            fn links_are_never_gone_through() {
                let dir = tempfile::tempdir().unwrap();
                let outside = dir.path().join("outside");
                std::fs::create_dir(&outside).unwrap();
                std::fs::write(outside.join("secret"), "secret").unwrap();
                let inside = dir.path().join("inside");
                let mut folder = Folder::open(&inside).unwrap();
                std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
                std::os::unix::fs::symlink(outside.join("secret"), inside.join("file")).unwrap();

                assert_eq!(folder.create("link/x").unwrap_err().kind(), NOT_A_DIRECTORY);
                assert_eq!(
                    folder.make_dir("link/x").unwrap_err().kind(),
                    NOT_A_DIRECTORY
                );
                assert_eq!(
                    folder.remove("link/secret").unwrap_err().kind(),
                    NOT_A_DIRECTORY
                );
                assert_eq!(folder.find("link/secret").unwrap(), None);
                assert_eq!(folder.find("file").unwrap().unwrap().kind, Kind::Symlink);
                // A file takes the link's place, and not that of what it points to.
                let mut file = folder.create("file").unwrap();
                file.write(b"x").unwrap();
                file.finish(0o600, 0).unwrap();
                check_content(&outside.join("secret"), "secret");
                check_content(&inside.join("file"), "x");
            }
        }
    };
}

suite!(portably, super::super::portable::Folder);
#[cfg(unix)]
suite!(by_handle, super::super::unix::Folder);

#[cfg(unix)]
const NOT_A_DIRECTORY: io::ErrorKind = io::ErrorKind::NotADirectory;

#[cfg(unix)]
#[track_caller]
fn check_content(path: &Path, content: &str) {
    assert_eq!(std::fs::read_to_string(path).unwrap(), content);
}
