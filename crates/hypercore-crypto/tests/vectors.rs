//! Keys, hashes and signatures are those of hypercore-crypto 2.3.

use hypercore_crypto::{Hash, KeyPair, Signature, leaf_hash, parent_hash, signable, tree_hash};
use serde_json::Value;

fn section(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/crypto.json")).unwrap();
    all["crypto"][name].as_array().unwrap().clone()
}

fn unhex<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap()
}

fn hex_of(hash: Hash) -> String {
    hex::encode(hash.as_bytes())
}

#[test]
fn key_pairs_of_seeds() {
    for case in section("keyPairs") {
        let pair = KeyPair::from_seed(&unhex(&case["seed"]));
        assert_eq!(pair.public.to_string(), case["publicKey"].as_str().unwrap());
        assert_eq!(
            hex::encode(pair.secret.as_bytes()),
            case["secretKey"].as_str().unwrap()
        );
        let discovery_key = pair.public.discovery_key().to_string();
        assert_eq!(discovery_key, case["discoveryKey"].as_str().unwrap());
        let again = KeyPair::from_secret(&unhex(&case["secretKey"]), Some(&pair.public)).unwrap();
        assert_eq!(again.public, pair.public);
    }
}

#[test]
fn leaves() {
    for case in section("leaves") {
        let block = hex::decode(case["data"].as_str().unwrap()).unwrap();
        assert_eq!(hex_of(leaf_hash(&block)), case["hash"].as_str().unwrap());
    }
}

#[test]
fn parents() {
    for case in section("parents") {
        let mut children: Vec<&Value> = case["children"].as_array().unwrap().iter().collect();
        children.sort_by_key(|child| child["index"].as_u64());
        let size = children
            .iter()
            .map(|child| child["size"].as_u64().unwrap())
            .sum();
        let [left, right] = [0, 1].map(|n: usize| Hash::from_bytes(unhex(&children[n]["hash"])));
        assert_eq!(
            hex_of(parent_hash(size, &left, &right)),
            case["hash"].as_str().unwrap()
        );
    }
}

#[test]
fn trees_and_their_signatures() {
    let seed = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let pair = KeyPair::from_seed(&seed);
    for case in section("trees") {
        let roots = case["roots"].as_array().unwrap().iter().map(|root| {
            let number = |field: &str| root[field].as_u64().unwrap();
            (
                Hash::from_bytes(unhex(&root["hash"])),
                number("index"),
                number("size"),
            )
        });
        let tree = tree_hash(roots);
        let length = case["length"].as_u64().unwrap();
        assert_eq!(hex_of(tree), case["hash"].as_str().unwrap());
        assert_eq!(
            hex::encode(signable(&tree, length)),
            case["signable"].as_str().unwrap()
        );
        let signature = Signature::from_bytes(unhex(&case["signature"]));
        assert_eq!(pair.sign_tree(&tree, length), signature);
        assert!(pair.public.verify_tree(&tree, length, &signature));
        assert!(!pair.public.verify_tree(&tree, length + 1, &signature));
        // Version 8 signed the tree hash alone.
        let legacy = Signature::from_bytes(unhex(&case["legacySignature"]));
        assert!(pair.public.verify_tree(&tree, length, &legacy));
    }
}

#[test]
fn a_secret_key_of_somebody_else_is_noticed() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let other = KeyPair::from_seed(&[2; 32]);
    assert!(KeyPair::from_secret(pair.secret.as_bytes(), Some(&other.public)).is_err());
    let mut torn = *pair.secret.as_bytes();
    torn[32..].copy_from_slice(other.public.as_bytes());
    assert!(KeyPair::from_secret(&torn, None).is_err());
}
