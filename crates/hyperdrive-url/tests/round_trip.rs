//! Whatever is a link is written and read back as the same link, and nothing panics.

use hyperdrive_url::Link;
use proptest::prelude::*;

proptest! {
    #[test]
    fn written_and_read_back(
        key in any::<[u8; 32]>(),
        version in any::<Option<u64>>(),
        path in "[^\0]{0,40}",
    ) {
        let link = Link::new(key).with_version(version).with_path(&path).unwrap();
        prop_assert_eq!(Link::parse(&link.to_string()), Ok(link));
    }

    #[test]
    fn parsed_written_and_read_back(tail in ".{0,60}") {
        let key = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";
        if let Ok(link) = Link::parse(&format!("{key}{tail}")) {
            prop_assert_eq!(Link::parse(&link.to_string()), Ok(link));
        }
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let _ = Link::parse(&text);
    }

    #[test]
    fn anything_like_a_link_is_answered(
        text in "(hyper://|dat:|KEY|[0-9a-fA-F]{62,66}|[+/?#%:.]|latest|[0-9]{1,22}|%[0-9a-f]{2}){0,12}",
    ) {
        let _ = Link::parse(&text);
    }
}
