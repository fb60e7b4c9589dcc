//! `info` tells what is known of a drive, from the author and from afar.

mod common;

use common::{Place, noise, write};

#[test]
fn the_same_from_everywhere() {
    let place = Place::new();
    write(&place.folder("source"), "one", noise(1, 70_000));
    write(&place.path("source"), "two", "second");
    let sharing = place.share("author", "source");
    let args = ["info", &sharing.link, "--json", "--peer", &sharing.address];
    let afar = place.run("reader", &args).expect(0).json();
    assert_eq!(afar["link"], sharing.link.as_str());
    assert_eq!(afar["version"], 3);
    assert_eq!(afar["writable"], false);
    assert_eq!(afar["metadata"]["length"], 3);
    assert_eq!(afar["content"]["length"], 3);
    assert_eq!(afar["content"]["byteLength"], 70_006);
    assert_eq!(afar["content"]["blocksHeld"], 0);

    let here = place
        .run("author", &["info", &sharing.link, "--json"])
        .expect(0)
        .json();
    assert_eq!(here["writable"], true);
    assert_eq!(here["content"]["blocksHeld"], 3);
    for field in ["link", "key", "discoveryKey", "version"] {
        assert_eq!(here[field], afar[field]);
    }
    for field in ["key", "discoveryKey", "length", "byteLength"] {
        assert_eq!(here["content"][field], afar["content"][field]);
    }
    let text = place
        .run("author", &["info", &sharing.link])
        .expect(0)
        .text();
    assert!(text.contains("version       3\n"), "{text}");
    assert!(
        text.contains("70006 bytes (68.3 KiB), 3 held here"),
        "{text}"
    );
}
