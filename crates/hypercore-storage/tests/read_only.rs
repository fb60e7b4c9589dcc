//! A directory lent out for reading.

use std::io::ErrorKind;
use std::sync::Arc;

use hypercore_storage::{MemoryDir, OpenMode, ReadOnlyDir, StorageDir};

#[test]
fn nothing_can_be_changed_and_everything_read() {
    let dir = MemoryDir::new();
    dir.open("a/f", OpenMode::Create)
        .unwrap()
        .write(0, b"x")
        .unwrap();
    let lent = ReadOnlyDir::new(Arc::new(dir.clone())).subdir("a");

    for mode in [OpenMode::Create, OpenMode::Existing, OpenMode::ReadOnly] {
        let file = lent.open("f", mode).unwrap();
        let mut byte = [0];
        file.read(0, &mut byte).unwrap();
        assert_eq!(byte, *b"x");
        assert_eq!(
            file.write(0, b"y").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            file.truncate(0).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            file.discard(0, 1).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
    }
    let refused = lent.open("new", OpenMode::Create).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    let missing = lent.open("new", OpenMode::Existing).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert_eq!(
        lent.remove("f").unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    assert_eq!(
        lent.lock("f").unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    assert_eq!(lent.list("").unwrap(), ["f"]);
    assert!(lent.exists("f").unwrap());
    lent.sync().unwrap();
    assert_eq!(dir.list("a").unwrap(), ["f"]);
}
