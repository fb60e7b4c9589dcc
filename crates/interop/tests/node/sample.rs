//! Folders with everything that a folder can hold. [`interop::Tree::of_folder`] reads what they
//! write.

use std::fs;
use std::path::Path;

use interop::pattern;

/// Names that some program somewhere trips over, and that are fine in a drive and in a folder.
const NAMES: [&str; 14] = [
    "日本語.txt",
    "Ελληνικά",
    "русский текст",
    "عربى",
    "हिन्दी",
    "emoji 🦀.md",
    "e\u{301} combining",
    "spaces  in   it",
    "quotes ' here",
    ".hidden",
    "-dash",
    "%41 percent",
    "plus+hash#equals=",
    "dots...",
];

/// Sizes around the border between one block and several.
const SIZES: [usize; 7] = [0, 1, 1000, 65_535, 65_536, 65_537, 200_000];

/// Empty files and folders, names in several scripts, deep paths, sizes around a block.
#[track_caller]
pub(crate) fn everything(folder: &Path) {
    for size in SIZES {
        file(&folder.join(format!("sizes/{size}")), size);
    }
    for (i, name) in NAMES.iter().enumerate() {
        file(&folder.join("names").join(name), 100 + i);
        file(
            &folder
                .join("names")
                .join(format!("folder {name}"))
                .join(name),
            i,
        );
    }
    empty_folder(&folder.join("empty folder"));
    empty_folder(&folder.join("folders/empty/in/a/row"));
    let deep: String = (0..40).map(|level| format!("level {level}/")).collect();
    file(&folder.join(deep).join("bottom"), 10);
    file(&folder.join("a.txt"), 11);
}

/// A thousand small files in ten folders.
#[track_caller]
pub(crate) fn thousand_files(folder: &Path) {
    for i in 0..1000 {
        file(&folder.join(format!("d{}/f{}", i % 10, i / 10)), i);
    }
}

/// Writes a file of so many bytes, and the folders that lead to it.
#[track_caller]
pub(crate) fn file(path: &Path, size: usize) {
    let parent = path.parent().expect("the file lies in a folder");
    fs::create_dir_all(parent).expect("the folder can be made");
    let seed = u32::try_from(size).expect("sizes in tests fit");
    fs::write(path, pattern(size, seed)).expect("the file can be written");
}

#[track_caller]
fn empty_folder(path: &Path) {
    fs::create_dir_all(path).expect("the folder can be made");
}

/// Links that stay inside: beside, below, above, to a folder, through a folder, to nothing.
#[cfg(unix)]
#[track_caller]
pub(crate) fn links_inside(folder: &Path) {
    file(&folder.join("target.txt"), 5);
    file(&folder.join("sub/below.txt"), 6);
    for (path, target) in [
        ("beside", "target.txt"),
        ("below", "sub/below.txt"),
        ("sub/above", "../target.txt"),
        ("to a folder", "sub"),
        ("dangling", "nothing here"),
        ("sub/dangling", "../nor/here"),
    ] {
        link(&folder.join(path), target);
    }
}

#[cfg(unix)]
#[track_caller]
pub(crate) fn link(path: &Path, target: impl AsRef<Path>) {
    std::os::unix::fs::symlink(target, path).expect("the link can be made");
}
