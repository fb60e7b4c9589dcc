//! Folders with known contents.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a path below a folder is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Thing {
    Folder,
    File(Vec<u8>),
    Link(PathBuf),
}

/// Everything below a folder, by its path with `/` between components.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, Thing> {
    let mut things = BTreeMap::new();
    walk(folder, "", &mut things);
    things
}

fn walk(folder: &Path, prefix: &str, things: &mut BTreeMap<String, Thing>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        let kind = entry.file_type().expect("a type");
        let thing = if kind.is_symlink() {
            Thing::Link(fs::read_link(&path).expect("a link"))
        } else if kind.is_dir() {
            walk(&path, &format!("{name}/"), things);
            Thing::Folder
        } else {
            Thing::File(fs::read(&path).expect("a file"))
        };
        things.insert(name, thing);
    }
}

/// Writes a file and the folders above it.
pub(crate) fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, content).expect("written");
}

/// Bytes that look random, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    // xorshift64*: no two blocks of it are alike.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A small folder with a bit of everything: several blocks, empty things, scripts, depth.
pub(crate) fn sample(folder: &Path) {
    write(folder, "hello.txt", "hello\n");
    write(folder, "empty", "");
    write(folder, "docs/readme.md", "# Read me\n");
    write(folder, "docs/deep/er/still/here.txt", "deep\n");
    write(folder, "större/日本語/ملف.txt", "scripts\n");
    write(folder, "with space & (signs) #1?.txt", "signs\n");
    write(folder, "two-blocks.bin", noise(1, 100_000));
    write(folder, "many-blocks.bin", noise(2, 700_001));
    fs::create_dir_all(folder.join("hollow/inside")).expect("folders");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("docs/readme.md", folder.join("link")).expect("a link");
        std::os::unix::fs::symlink("../hello.txt", folder.join("docs/up")).expect("a link");
        std::os::unix::fs::symlink("gone", folder.join("dangling")).expect("a link");
    }
}
