//! What is no link, and what the error tells.

use hyperdrive_url::{Link, LinkError};

const KEY: &str = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";

#[track_caller]
fn check(text: &str, error: LinkError) {
    assert_eq!(Link::parse(&text.replace("KEY", KEY)), Err(error));
}

#[test]
fn nothing() {
    check("", LinkError::Empty);
    check(" \t", LinkError::Empty);
    check("hyper://", LinkError::KeyLength { digits: 0 });
    check("/", LinkError::KeyLength { digits: 0 });
    check("hyper:///a", LinkError::KeyLength { digits: 0 });
}

#[test]
fn other_schemes() {
    let scheme = |scheme: &str| LinkError::Scheme {
        scheme: scheme.to_owned(),
    };
    check("http://KEY/", scheme("http"));
    check("hyper:KEY", scheme("hyper"));
    check("hyper:/KEY", scheme("hyper"));
    check("C:/folder", scheme("C"));
    check("KEY:3282/", scheme(&format!("{}…", &KEY[..40])));
}

#[test]
fn other_names() {
    let name = |host: &str| LinkError::Name {
        host: host.to_owned(),
    };
    check("hyper://example.com/", name("example.com"));
    check("./folder", name("."));
    check("hyper://abcdefghijklm.cap/", name("abcdefghijklm.cap"));
    check(
        &format!("hyper://{}/", "ü".repeat(500)),
        name(&format!("{}…", "ü".repeat(40))),
    );
}

#[test]
fn keys_of_another_length() {
    check(&KEY[..63], LinkError::KeyLength { digits: 63 });
    check("KEY0", LinkError::KeyLength { digits: 65 });
    check("hyper://00+1/", LinkError::KeyLength { digits: 2 });
}

#[test]
fn keys_with_other_characters() {
    check(
        &format!("g{}", &KEY[1..]),
        LinkError::KeyDigit {
            found: 'g',
            position: 1,
        },
    );
    check(
        &format!("{}é", &KEY[1..]),
        LinkError::KeyDigit {
            found: 'é',
            position: 64,
        },
    );
}

#[test]
fn versions_that_are_none() {
    let version = |version: &str| LinkError::Version {
        version: version.to_owned(),
    };
    check("KEY+/", version(""));
    check("KEY+-1", version("-1"));
    check("KEY++1", version("+1"));
    check("KEY+1e3", version("1e3"));
    check("KEY+v1", version("v1"));
    check("KEY+18446744073709551616", version("18446744073709551616"));
}

#[test]
fn paths_that_are_none() {
    check("KEY/%ff", LinkError::PathNotUtf8);
    check("KEY/%c3", LinkError::PathNotUtf8);
    check("KEY/a%00b", LinkError::PathHasNul);
    let link = Link::parse(KEY).unwrap();
    assert_eq!(link.with_path("a\0"), Err(LinkError::PathHasNul));
}

#[test]
fn messages_say_what_would_do() {
    let message = |text: &str| Link::parse(text).unwrap_err().to_string();
    assert_eq!(
        message("http://x"),
        "'http' is not a scheme of drives: a link starts with hyper://"
    );
    assert_eq!(
        message(&KEY[..60]),
        "the key has 60 hex digits, but a key has 64: part of the link may be missing"
    );
}
