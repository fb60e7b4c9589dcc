//! Awkward names arrive as they are, or are named in a warning, and the rest is done.

mod common;

use std::fs;

use common::{Place, Thing, tree, write};

#[test]
fn names_in_every_script_and_shape() {
    let place = Place::new();
    let source = place.folder("source");
    let names = [
        "日本語.txt",
        "Ünïcödé",
        "ملف",
        "👩‍👩‍👧.png",
        "e\u{301} combined",
        " leading and trailing ",
        "100%",
        "%41",
        "a#b?c=d&e",
        "-dash",
        ".hidden",
        "...",
        "hyper",
        "[brackets] {braces}",
        "it's \"quoted\"",
    ];
    for name in names {
        write(&source, name, name);
        write(&source, &format!("dir of {name}/file"), name);
    }
    write(
        &source,
        &format!("{}/{}", ["deep"; 60].join("/"), "end"),
        "deep",
    );
    let sharing = place.share("author", "source");
    place
        .run(
            "reader",
            &["clone", &sharing.link, "copy", "--peer", &sharing.address],
        )
        .expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&source));

    let listed = place
        .run("reader", &["ls", &sharing.link, "--json"])
        .expect(0)
        .json();
    let listed: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    for name in names {
        assert!(listed.contains(&name), "{name:?} is not in {listed:?}");
    }
    // In a link they are percent-encoded.
    let read = place
        .run("reader", &["cat", &format!("{}100%25", sharing.link)])
        .expect(0);
    assert_eq!(read.text(), "100%");
    let read = place
        .run(
            "reader",
            &["cat", &format!("{}a%23b%3Fc=d&e", sharing.link)],
        )
        .expect(0);
    assert_eq!(read.text(), "a#b?c=d&e");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_drive_cannot_express_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new();
    let source = place.folder("source");
    write(&source, "good", "good");
    write(&source, "back\\slash", "left out");
    fs::write(
        source.join(OsStr::from_bytes(b"not \xff utf-8")),
        "left out",
    )
    .unwrap();
    std::os::unix::fs::symlink("../outside", source.join("escaping")).unwrap();
    let status = std::process::Command::new("mkfifo")
        .arg(source.join("pipe"))
        .status()
        .unwrap();
    assert!(status.success());
    let sharing = place.share("author", "source");
    sharing.process.interrupt();
    let ended = sharing.process.end();
    for left_out in ["slash", "utf-8", "escaping", "pipe"] {
        let named = ended
            .stderr
            .lines()
            .any(|line| line.starts_with("warning: ") && line.contains(left_out));
        assert!(named, "{left_out} is not named:\n{}", ended.stderr);
    }
    place
        .run("author", &["clone", &sharing.link, "copy"])
        .expect(0);
    let good = [("good".to_owned(), Thing::File(b"good".to_vec()))].into();
    assert_eq!(tree(&place.path("copy")), good);
}

#[cfg(unix)]
#[test]
fn links_mean_the_same_on_both_sides() {
    use std::os::unix::fs::symlink;

    let place = Place::new();
    let source = place.folder("source");
    write(&source, "a/b/file", "content");
    symlink("b/file", source.join("a/inside")).unwrap();
    symlink("../a/b", source.join("a/to-folder")).unwrap();
    symlink("nowhere", source.join("dangling")).unwrap();
    // Absolute, but inside: in the drive it starts at the drive's root.
    symlink(
        source.canonicalize().unwrap().join("a/b/file"),
        source.join("a/absolute"),
    )
    .unwrap();
    let sharing = place.share("author", "source");
    let peer = &sharing.address;
    place
        .run("reader", &["clone", &sharing.link, "copy", "--peer", peer])
        .expect(0);
    for link in ["a/inside", "a/to-folder/file", "a/absolute"] {
        let read = fs::read_to_string(place.path("copy").join(link)).unwrap();
        assert_eq!(read, "content", "{link}");
        let args = ["cat", &format!("{}{link}", sharing.link), "--peer", peer];
        assert_eq!(
            place.run("reader", &args).expect(0).text(),
            "content",
            "{link}"
        );
    }
    assert!(
        fs::symlink_metadata(place.path("copy/dangling"))
            .unwrap()
            .is_symlink()
    );
    let stat = place.run(
        "reader",
        &["stat", &format!("{}a/inside", sharing.link), "--json"],
    );
    let stat = stat.expect(0).json();
    assert_eq!(
        (&stat["type"], &stat["linkname"]),
        (&"symlink".into(), &"b/file".into())
    );
}
