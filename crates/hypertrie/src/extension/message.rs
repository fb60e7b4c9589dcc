use bytes::Bytes;
use prost::Message as _;

use super::{HINTS_A_MESSAGE, MAX_MESSAGE_BYTES};
use crate::node::MAX_KEY_BYTES;
use crate::schema::{CacheMessage, Extension, GetMessage, IteratorMessage};

/// What peers tell each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message {
    /// These blocks will be needed.
    Hints(Vec<u64>),
    /// The sender looks a visible key up, in the version whose newest node is `head`.
    Get { head: u64, key: String },
    /// The sender lists.
    List(Listing),
}

/// What a peer lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listing {
    pub(crate) head: u64,
    pub(crate) prefix: String,
    pub(crate) recursive: bool,
    pub(crate) reverse: bool,
    pub(crate) gt: bool,
    pub(crate) hidden: bool,
    /// Where it stands, unless it has not begun.
    pub(crate) checkpoint: Option<Bytes>,
}

impl Listing {
    /// All that is visible at and under a prefix.
    pub(crate) fn new(head: u64, prefix: &str) -> Self {
        Self {
            head,
            prefix: prefix.to_owned(),
            recursive: true,
            reverse: false,
            gt: false,
            hidden: false,
            checkpoint: None,
        }
    }
}

impl Message {
    /// Reads a message. `None` if it is none, or says nothing.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return None;
        }
        let message = Extension::decode(bytes).ok()?;
        if let Some(cache) = message.cache {
            let (start, end) = (cache.start?, cache.end?);
            let inside = |block: &u64| (start..end).contains(block);
            let hints = cache.blocks.into_iter().filter(inside).collect();
            return Some(Self::Hints(hints));
        }
        if let Some(listing) = message.iterator {
            let prefix = listing.key.unwrap_or_default();
            let flags = listing.flags.unwrap_or(RECURSIVE);
            let is = |flag: u64| flags & flag != 0;
            let listing = Listing {
                head: listing.head.unwrap_or(0),
                prefix,
                recursive: is(RECURSIVE),
                reverse: is(REVERSE),
                gt: is(GT),
                hidden: is(HIDDEN),
                checkpoint: listing.checkpoint,
            };
            return (listing.prefix.len() <= MAX_KEY_BYTES).then_some(Self::List(listing));
        }
        let get = message.get?;
        let (head, key) = (get.head.unwrap_or(0), get.key.unwrap_or_default());
        (!key.is_empty() && key.len() <= MAX_KEY_BYTES).then_some(Self::Get { head, key })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut message = Extension::default();
        match self {
            Self::Hints(blocks) => {
                message.cache = Some(CacheMessage {
                    start: blocks.iter().min().copied().or(Some(0)),
                    end: blocks.iter().max().map(|last| last + 1).or(Some(0)),
                    blocks: blocks.clone(),
                });
            }
            Self::Get { head, key } => {
                message.get = Some(GetMessage {
                    head: Some(*head),
                    key: Some(key.clone()),
                });
            }
            Self::List(listing) => {
                let flag = |is: bool, flag: u64| if is { flag } else { 0 };
                let flags = flag(listing.recursive, RECURSIVE)
                    | flag(listing.reverse, REVERSE)
                    | flag(listing.gt, GT)
                    | flag(listing.hidden, HIDDEN);
                message.iterator = Some(IteratorMessage {
                    head: Some(listing.head),
                    key: Some(listing.prefix.clone()),
                    flags: Some(flags),
                    checkpoint: listing.checkpoint.clone(),
                });
            }
        }
        message.encode_to_vec()
    }

    /// Hints as the messages that carry them.
    pub(crate) fn hints(blocks: &[u64]) -> Vec<Vec<u8>> {
        let messages = blocks.chunks(HINTS_A_MESSAGE);
        messages
            .map(|blocks| Self::Hints(blocks.to_vec()).encode())
            .collect()
    }
}

const RECURSIVE: u64 = 1;
const REVERSE: u64 = 2;
const GT: u64 = 4;
const HIDDEN: u64 = 8;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The vector's message in our words.
    fn message(value: &Value) -> Option<Message> {
        let number = |value: &Value| value.as_u64().unwrap();
        if let Some(cache) = value.get("cache") {
            let blocks = cache["blocks"].as_array().unwrap();
            return Some(Message::Hints(blocks.iter().map(number).collect()));
        }
        if let Some(listing) = value.get("iterator") {
            let flags = number(&listing["flags"]);
            let checkpoint = listing["checkpoint"].as_str();
            return Some(Message::List(Listing {
                head: number(&listing["head"]),
                prefix: listing["key"].as_str().unwrap().to_owned(),
                recursive: flags & 1 != 0,
                reverse: flags & 2 != 0,
                gt: flags & 4 != 0,
                hidden: flags & 8 != 0,
                checkpoint: checkpoint.map(|hex| hex::decode(hex).unwrap().into()),
            }));
        }
        let get = &value["get"];
        let key = get["key"].as_str().unwrap().to_owned();
        let head = number(&get["head"]);
        Some(Message::Get { head, key })
    }

    #[test]
    fn codec_is_the_reference_s() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../tests/vectors/hypertrie.json")).unwrap();
        let extension = &vectors["extension"];
        assert_eq!(extension["name"], super::super::NAME);
        for vector in extension["codec"].as_array().unwrap() {
            let message = message(&vector["message"]).unwrap();
            assert_eq!(json!(hex::encode(message.encode())), vector["hex"]);
            let decoded = Message::decode(&testkit::vectors::bytes(&vector["hex"]));
            // A request for the empty key asks for nothing.
            let asks = !matches!(&message, Message::Get { key, .. } if key.is_empty());
            assert_eq!(decoded, asks.then_some(message));
        }
    }

    #[test]
    fn what_is_no_message_is_passed_over() {
        for bytes in [
            &b""[..],
            b"\x0a",
            b"\x0a\xff",
            b"\x22\x00",
            b"\x1a\x02\x08\x01",
        ] {
            assert_eq!(Message::decode(bytes), None, "{bytes:?}");
        }
        // Hints without bounds, then hints outside of theirs.
        assert_eq!(Message::decode(b"\x0a\x03\x1a\x01\x07"), None);
        let outside = b"\x0a\x09\x08\x02\x10\x05\x1a\x03\x01\x04\x05";
        assert_eq!(Message::decode(outside), Some(Message::Hints(vec![4])));
    }

    #[test]
    fn messages_are_looked_at_up_to_the_limit() {
        let checkpoint = |bytes: usize| {
            let listing = Listing {
                head: 1,
                prefix: "a".to_owned(),
                recursive: true,
                reverse: false,
                gt: false,
                hidden: false,
                checkpoint: Some(vec![1; bytes].into()),
            };
            Message::List(listing).encode()
        };
        let around = checkpoint(100_000).len() - 100_000;
        let fits = checkpoint(MAX_MESSAGE_BYTES - around);
        assert_eq!(fits.len(), MAX_MESSAGE_BYTES);
        assert!(Message::decode(&fits).is_some());
        assert!(Message::decode(&checkpoint(MAX_MESSAGE_BYTES - around + 1)).is_none());
    }
}
