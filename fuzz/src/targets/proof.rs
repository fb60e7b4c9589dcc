use std::sync::{Arc, LazyLock};

use hypercore::{Hypercore, Node, NodeIndex, Options, Proof, RemoteTree, rle};
use hypercore_crypto::KeyPair;
use hypercore_protocol::{Data, Event, Message};
use hypercore_storage::MemoryDir;

use crate::encode::frame;
use crate::input::Input;
use crate::plant;
use crate::targets::wire;

/// Steps that fill an empty log, each behind its length in two bytes.
///
/// One of two bytes asks the honest writer: a block, and whether only its hash. A longer one is the
/// body of a `Data` message, as a hostile peer would send it. Whatever is stored in the end is the
/// writer's, and is still there when the log is opened again.
pub fn proof(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let dir = Arc::new(MemoryDir::new());
    let options = Options::new().key(WRITER.public_key());
    let mut reader = Hypercore::open(dir.clone(), options).expect("an empty log opens");
    let mut remote = RemoteTree::default();
    for _ in 0..MAX_STEPS {
        let step = input.piece();
        if let &[index, hash] = step {
            honest(&mut reader, index.into(), hash & 1 == 1, &mut remote);
        } else if let Some(data) = decode(step) {
            let value = data.value.clone();
            if let Some(proof) = proof_of(data.nodes, data.signature) {
                let _ = reader.put(data.index, value.as_deref(), proof);
            }
        }
        if input.is_empty() {
            break;
        }
    }
    check(&reader);
    let length = reader.length();
    let held: Vec<bool> = (0..length).map(|index| reader.has(index)).collect();
    reader.close().expect("memory has room");
    let reader = Hypercore::open(dir, Options::new()).expect("what was closed opens again");
    assert_eq!(reader.length(), length);
    assert_eq!(
        held,
        (0..length)
            .map(|index| reader.has(index))
            .collect::<Vec<_>>()
    );
    check(&reader);
}

/// A bitfield: a limit in two bytes, then what is to be decoded, or encoded.
pub fn bitfield(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limit = input.number();
    let content = input.rest();
    let trimmed = |bits: &[u8]| {
        let end = bits
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        bits[..end].to_vec()
    };
    if let Ok(bits) = rle::decode(content, limit) {
        assert!(bits.len() <= limit);
        let mut again = rle::decode(&rle::encode(&bits), limit).expect("our own encoding decodes");
        // Planted: long runs lose their end.
        if plant::strikes(bits.len() > 300) {
            again.truncate(300);
        }
        assert_eq!(trimmed(&again), trimmed(&bits));
    }
    let encoded = rle::encode(content);
    assert!(encoded.len() <= content.len() + 3);
    let again = rle::decode(&encoded, content.len()).expect("our own encoding decodes");
    assert_eq!(trimmed(&again), trimmed(content));
}

/// A message body, decoded as from the wire.
fn decode(body: &[u8]) -> Option<Data> {
    let (mut connection, _) = wire::opened();
    connection.handle_input(wire::NOW, &frame(9, body)).ok()?;
    match connection.poll_event()? {
        Event::Message(_, Message::Data(data)) => Some(data),
        _ => None,
    }
}

/// What the writer answers. It must be accepted while all that was stored before is honest, which
/// nobody can change.
fn honest(reader: &mut Hypercore, index: u64, hash: bool, remote: &mut RemoteTree) {
    let proof = WRITER.proof(index, reader.digest(index), hash, remote);
    let Some(proof) = proof.expect("memory can be read") else {
        return;
    };
    let value = if hash {
        None
    } else {
        WRITER.get(index).expect("memory can be read")
    };
    // What the writer believes of our tree may be outdated: then the proof is too short.
    let _ = reader.put(index, value.as_deref(), proof);
}

/// All that `reader` holds is the writer's.
pub(super) fn check(reader: &Hypercore) {
    let length = reader.length();
    assert!(length <= WRITER.length());
    let bytes: usize = (0..length).map(|index| block(index).len()).sum();
    assert_eq!(reader.byte_length(), bytes as u64);
    for index in 0..length {
        if let Ok(Some(mut value)) = reader.get(index) {
            // Planted: blocks that came out of order lie in each other's places.
            if plant::strikes(index > 4 && !reader.has(index - 1) && reader.has(index - 2)) {
                value = block(index - 1).into();
            }
            assert_eq!(value[..], block(index)[..], "block {index}");
        }
    }
}

pub(super) fn proof_of(
    nodes: Vec<hypercore_protocol::Node>,
    signature: Option<hypercore_crypto::Signature>,
) -> Option<Proof> {
    let node = |node: hypercore_protocol::Node| {
        Some(Node {
            index: NodeIndex::new(node.index)?,
            hash: node.hash,
            size: node.size,
        })
    };
    Some(Proof {
        nodes: nodes.into_iter().map(node).collect::<Option<_>>()?,
        signature,
    })
}

/// Block `index` of the logs in the vectors.
pub(crate) fn block(index: u64) -> Vec<u8> {
    let length = [5, 0, 1, 12, 3, 40, 2, 7][usize::try_from(index & 7).expect("below 8")];
    (0..length)
        .map(|j: u64| ((index * 31 + j * 7 + 1) & 0xff).to_le_bytes()[0])
        .collect()
}

/// The key pair of the vectors' logs.
pub(super) fn pair() -> KeyPair {
    let mut seed = [0; 32];
    (0..).zip(&mut seed).for_each(|(i, byte)| *byte = i);
    KeyPair::from_seed(&seed)
}

/// The log `single-33` of the vectors, every length of it signed.
pub(super) static WRITER: LazyLock<Hypercore> = LazyLock::new(|| {
    let options = Options::new().key_pair(pair());
    let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options).expect("memory has room");
    for index in 0..33 {
        log.append(block(index)).expect("memory has room");
    }
    log
});

const MAX_STEPS: usize = 64;
