//! A feed seen as values.

use std::sync::Arc;

use futures_lite::{StreamExt, future};
use hypercore::{Codec, CodecError, Feed, Hypercore, Options, ReadRange, Utf8, ValueError};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;

fn feed() -> Feed {
    let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
}

/// Numbers below ten, as a digit.
struct Digit;

impl Codec for Digit {
    type Value = u8;

    fn encode(&self, value: &u8) -> Result<Vec<u8>, CodecError> {
        match value {
            0..=9 => Ok(vec![b'0' + value]),
            _ => Err("more than one digit".into()),
        }
    }

    fn decode(&self, block: &[u8]) -> Result<u8, CodecError> {
        Ok(std::str::from_utf8(block)?.parse()?)
    }
}

#[test]
fn values_come_back() {
    let feed = feed();
    let text = feed.typed(Utf8);
    assert_eq!(text.append(&"grüße".to_owned()).unwrap(), 0);
    assert_eq!(feed.typed(Digit).append_batch(&[7, 8]).unwrap(), 1);
    assert_eq!(text.get_local(0).unwrap().unwrap(), "grüße");
    assert_eq!(future::block_on(text.get(1)).unwrap(), "7");
    assert_eq!(text.feed().get_local(2).unwrap().unwrap(), "8");
    assert!(text.get_local(3).unwrap().is_none());
}

/// In the reference an encoder that throws locks the queue of appends for ever.
#[test]
fn a_value_that_cannot_be_encoded_leaves_the_log_as_it_was() {
    let digits = feed().typed(Digit);
    assert!(matches!(digits.append(&10), Err(ValueError::Codec(_))));
    assert!(matches!(
        digits.append_batch(&[1, 2, 11]),
        Err(ValueError::Codec(_))
    ));
    assert_eq!(digits.feed().length(), 0);
    assert_eq!(digits.append(&3).unwrap(), 0);
}

#[test]
fn a_block_that_is_no_value_is_an_error() {
    let feed = feed();
    feed.append([0xff]).unwrap();
    assert!(matches!(
        feed.typed(Utf8).get_local(0),
        Err(ValueError::Codec(_))
    ));
    assert!(matches!(
        feed.typed(Digit).get_local(0),
        Err(ValueError::Codec(_))
    ));
}

#[test]
fn a_stream_of_blocks_is_a_stream_of_values() {
    let digits = feed().typed(Digit);
    digits.append_batch(&[1, 2]).unwrap();
    digits.feed().append("x").unwrap();
    digits.append(&3).unwrap();
    let found: Vec<Option<u8>> = future::block_on(
        digits
            .read(ReadRange::new().start(1))
            .map(Result::ok)
            .collect(),
    );
    assert_eq!(found, [Some(2), None, Some(3)]);
}
