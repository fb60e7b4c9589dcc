//! Of two connections between the same peers, both sides keep the same one: the reference's.

use hyperswarm::{Carrier, Keep, Side, decide};
use testkit::vectors;

#[test]
fn all_32_cases_end_as_in_the_reference() {
    let cases = &vectors::load("tests/vectors/hyperswarm.json")["dedup"];
    let cases = cases.as_array().expect("a list");
    assert_eq!(cases.len(), 32);
    for case in cases {
        let smaller = case["localIsSmaller"].as_bool().expect("a boolean");
        let (local, remote) = if smaller {
            ([1; 32], [2; 32])
        } else {
            ([2; 32], [1; 32])
        };
        let kept = decide(&local, &remote, leg(&case["existing"]), leg(&case["fresh"]));
        let dropped = match kept {
            Keep::Existing => "fresh",
            Keep::Fresh => "existing",
        };
        assert_eq!(dropped, case["drop"], "{case}");
    }
}

#[test]
fn both_sides_keep_the_same_connection() {
    let swapped = |(carrier, side)| match side {
        Side::Dialled => (carrier, Side::Accepted),
        Side::Accepted => (carrier, Side::Dialled),
    };
    let legs = [Carrier::Utp, Carrier::Tcp]
        .into_iter()
        .flat_map(|carrier| [(carrier, Side::Dialled), (carrier, Side::Accepted)]);
    for existing in legs.clone() {
        for fresh in legs.clone() {
            let here = decide(&[1], &[2], existing, fresh);
            let there = decide(&[2], &[1], swapped(existing), swapped(fresh));
            assert_eq!(here, there);
        }
    }
}

fn leg(text: &vectors::Value) -> (Carrier, Side) {
    match text.as_str().expect("a string") {
        "utp-out" => (Carrier::Utp, Side::Dialled),
        "utp-in" => (Carrier::Utp, Side::Accepted),
        "tcp-out" => (Carrier::Tcp, Side::Dialled),
        "tcp-in" => (Carrier::Tcp, Side::Accepted),
        other => panic!("{other}"),
    }
}
