//! What is read as a link, and what it says.

use hyperdrive_url::Link;

const KEY: &str = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";

/// `text` parses to the canonical form `canonical`, with `KEY` standing for the key in both.
#[track_caller]
fn check(text: &str, canonical: &str) -> Link {
    let link = Link::parse(&text.replace("KEY", KEY)).expect("is a link");
    assert_eq!(link.to_string(), canonical.replace("KEY", KEY));
    assert_eq!(link.key()[..4], [0x7b, 0x88, 0xcc, 0x75]);
    link
}

#[test]
fn schemes() {
    check("KEY", "hyper://KEY/");
    check("hyper://KEY", "hyper://KEY/");
    check("hyper://KEY/", "hyper://KEY/");
    check("HYPER://KEY/", "hyper://KEY/");
    check("dat://KEY/a", "hyper://KEY/a");
    check("KEY/a", "hyper://KEY/a");
    check("  hyper://KEY/\n", "hyper://KEY/");
}

#[test]
fn capital_hex() {
    let link = Link::parse(&KEY.to_uppercase()).unwrap();
    assert_eq!(link, Link::parse(KEY).unwrap());
}

#[test]
fn versions() {
    assert_eq!(check("hyper://KEY+0/", "hyper://KEY+0/").version(), Some(0));
    assert_eq!(check("KEY+14", "hyper://KEY+14/").version(), Some(14));
    assert_eq!(check("KEY+007", "hyper://KEY+7/").version(), Some(7));
    assert_eq!(check("KEY+latest/a", "hyper://KEY/a").version(), None);
    assert_eq!(check("KEY/a+2", "hyper://KEY/a+2").version(), None);
    check(
        "KEY+18446744073709551615",
        "hyper://KEY+18446744073709551615/",
    );
}

#[test]
fn paths_are_decoded_once() {
    assert_eq!(check("KEY/a%20b", "hyper://KEY/a%20b").path(), "/a b");
    assert_eq!(check("KEY/a b", "hyper://KEY/a%20b").path(), "/a b");
    assert_eq!(check("KEY/%2520", "hyper://KEY/%2520").path(), "/%20");
    assert_eq!(check("KEY/100%", "hyper://KEY/100%25").path(), "/100%");
    assert_eq!(check("KEY/%zz%4", "hyper://KEY/%25zz%254").path(), "/%zz%4");
    assert_eq!(
        check("KEY/%e6%96%87", "hyper://KEY/%E6%96%87").path(),
        "/文"
    );
    assert_eq!(
        check("KEY/文/é", "hyper://KEY/%E6%96%87/%C3%A9").path(),
        "/文/é"
    );
    assert_eq!(
        check("KEY/a%2Fb%3Fc%23", "hyper://KEY/a/b%3Fc%23").path(),
        "/a/b?c#"
    );
}

#[test]
fn paths_are_otherwise_as_written() {
    assert_eq!(
        check("KEY//a/./../b/", "hyper://KEY//a/./../b/").path(),
        "//a/./../b/"
    );
    assert_eq!(check("KEY/c:/d", "hyper://KEY/c:/d").path(), "/c:/d");
}

#[test]
fn query_and_fragment() {
    let link = check("KEY/a?x=%20&y#top?", "hyper://KEY/a?x=%20&y#top?");
    assert_eq!(
        (link.query(), link.fragment()),
        (Some("x=%20&y"), Some("top?"))
    );
    let link = check("KEY?q", "hyper://KEY/?q");
    assert_eq!((link.path(), link.query()), ("/", Some("q")));
    let link = check("KEY#a/b?c", "hyper://KEY/#a/b?c");
    assert_eq!(
        (link.path(), link.query(), link.fragment()),
        ("/", None, Some("a/b?c"))
    );
    assert_eq!(check("KEY/?#", "hyper://KEY/?#").query(), Some(""));
    // The authority ends at the question mark, so a later plus sign is no version.
    assert_eq!(check("KEY?a+2", "hyper://KEY/?a+2").version(), None);
}

#[test]
fn built_from_parts() {
    let link = check("KEY/old?q#f", "hyper://KEY/old?q#f");
    let link = link.with_path("new name").unwrap().with_version(Some(3));
    assert_eq!(link.to_string(), format!("hyper://{KEY}+3/new%20name"));
    assert_eq!(
        Link::new(*link.key()).to_string(),
        format!("hyper://{KEY}/")
    );
}
