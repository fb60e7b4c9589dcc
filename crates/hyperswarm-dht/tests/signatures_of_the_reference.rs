//! Signatures of mutable values, and salts, as the reference makes them.
#![allow(clippy::unwrap_used)]

mod common;

use common::vectors;
use hypercore_crypto::KeyPair;
use hyperswarm_dht::{SignedValue, ValueError, salt_from_name, signable};
use testkit::vectors::{array, bytes, number};

#[test]
fn signatures() {
    let vectors = vectors();
    let pair = KeyPair::from_seed(&array(&vectors["mutable"]["seed"]));
    let cases = vectors["hypersign"].as_array().unwrap();
    for case in cases {
        let value = bytes(&case["value"]);
        let seq = number(&case["seq"]);
        let salt = (!case["salt"].is_null()).then(|| bytes(&case["salt"]));
        assert_eq!(
            signable(&value, seq, salt.as_deref()),
            bytes(&case["signable"])
        );
        let signed = SignedValue::sign(&pair, &value, seq, salt.as_deref()).unwrap();
        assert_eq!(*signed.signature.as_bytes(), array(&case["signature"]));
        assert_eq!(signed.verify(), Ok(()));
        let other = SignedValue {
            seq: seq + 1,
            ..signed
        };
        assert_eq!(other.verify(), Err(ValueError::Signature));
    }
    assert_eq!(cases.len(), 6);
    let empty = &vectors["hypersignEmptySalt"];
    assert_eq!(signable(b"v", 1, Some(b"")), bytes(&empty["signable"]));
}

#[test]
fn salts_from_names() {
    let vectors = vectors();
    let case = &vectors["saltFromString"];
    let name = case["string"].as_str().unwrap().as_bytes();
    assert_eq!(salt_from_name(name, 32).unwrap(), bytes(&case["salt32"]));
    assert_eq!(salt_from_name(name, 16).unwrap(), bytes(&case["salt16"]));
    assert_eq!(salt_from_name(name, 64).unwrap().len(), 64);
    assert_eq!(
        salt_from_name(name, 15),
        Err(ValueError::Salt { length: 15 })
    );
}

#[test]
fn values_and_salts_up_to_their_limits() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let sign = |value: usize, salt: usize, seq: u64| {
        SignedValue::sign(&pair, &vec![0; value], seq, Some(&vec![0; salt])).map(|_| ())
    };
    let last = (1 << 53) - 1;
    assert_eq!(sign(1000, 64, last), Ok(()));
    assert_eq!(sign(1001, 64, 0), Err(ValueError::Value { length: 1001 }));
    assert_eq!(sign(1000, 65, 0), Err(ValueError::Salt { length: 65 }));
    assert_eq!(sign(1, 1, last + 1), Err(ValueError::Seq { seq: last + 1 }));
}
