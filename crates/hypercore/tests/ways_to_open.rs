//! By key pair, by a signer, by key, for reading only, over what is there, and the end of a log.

mod common;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{block, file, make_log, pair, reader};
use hypercore::{
    AppendError, Hypercore, OpenError, Options, PutError, RemoteTree, Signer, StaticLog,
};
use hypercore_crypto::{KeyPair, PublicKey, Signature};
use hypercore_storage::{MemoryDir, StorageDir};

/// A key somewhere else, which may be out of reach, or answer nonsense.
#[derive(Debug, Default)]
struct Token {
    lost: AtomicBool,
    confused: AtomicBool,
}

impl Signer for Token {
    fn public_key(&self) -> PublicKey {
        pair().public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn Error + Send + Sync>> {
        if self.lost.load(Ordering::Relaxed) {
            return Err("the token was pulled out".into());
        }
        if self.confused.load(Ordering::Relaxed) {
            return Ok(pair().sign(b"something else"));
        }
        Ok(pair().sign(message))
    }
}

#[test]
fn a_signer_elsewhere_signs_the_same_log() {
    let token = Arc::new(Token::default());
    let dir = MemoryDir::new();
    let options = || Options::new().signer(token.clone());
    let mut log = Hypercore::open(Arc::new(dir.clone()), options()).unwrap();
    assert!(log.is_writable());
    log.append(block(0)).unwrap();
    for flag in [&token.lost, &token.confused] {
        flag.store(true, Ordering::Relaxed);
        let error = log.append(block(1)).unwrap_err();
        assert!(matches!(error, AppendError::Signer(_)), "{error}");
        assert_eq!(log.length(), 1);
        flag.store(false, Ordering::Relaxed);
    }
    log.append(block(1)).unwrap();
    log.close().unwrap();
    let plain = MemoryDir::new();
    make_log(&plain, "single", 2).close().unwrap();
    for name in ["key", "tree", "signatures", "bitfield", "data"] {
        assert_eq!(file(&dir, name), file(&plain, name), "{name}");
    }
    assert!(!dir.exists("secret_key").unwrap());

    let other = Options::new().signer(token.clone()).overwrite(false);
    let elsewhere = MemoryDir::new();
    let theirs = KeyPair::from_seed(&[9; 32]);
    let theirs = Options::new().key_pair(theirs);
    drop(Hypercore::open(Arc::new(elsewhere.clone()), theirs).unwrap());
    let error = Hypercore::open(Arc::new(elsewhere), other).unwrap_err();
    assert!(matches!(error, OpenError::OtherLog { .. }), "{error}");
}

#[test]
fn overwriting_leaves_nothing_of_the_old_log() {
    let dir = MemoryDir::new();
    make_log(&dir, "single", 5).close().unwrap();
    let other = KeyPair::from_seed(&[9; 32]);
    let options = Options::new().key_pair(other.clone()).overwrite(true);
    let mut log = Hypercore::open(Arc::new(dir.clone()), options).unwrap();
    assert_eq!((log.length(), log.public_key()), (0, other.public));
    log.append_batch(&["a", "b", "c"]).unwrap();
    // The reference leaves old signatures in place, and finds them later.
    assert_eq!(log.signature(0).unwrap().unwrap().0, 3);
    log.close().unwrap();
    let log = Hypercore::open(Arc::new(dir), Options::new()).unwrap();
    assert_eq!((log.length(), log.public_key()), (3, other.public));
}

#[test]
fn a_destroyed_log_is_gone() {
    let dir = MemoryDir::new();
    let log = make_log(&dir, "single", 5);
    log.destroy().unwrap();
    assert!(dir.list("").unwrap().is_empty());
    // Also one of which most files were never made.
    reader(&dir).destroy().unwrap();
    assert!(dir.list("").unwrap().is_empty());
}

#[test]
fn reading_only_changes_nothing_and_needs_no_lock() {
    let dir = MemoryDir::new();
    let mut open = make_log(&dir, "single", 3);
    open.flush().unwrap();
    let options = || Options::new().read_only(true);
    let mut log = Hypercore::open(Arc::new(dir.clone()), options()).unwrap();
    assert!(!log.is_writable());
    assert_eq!(log.get(2).unwrap().unwrap(), block(2));
    assert!(matches!(log.append("x"), Err(AppendError::NotWritable)));
    assert!(log.clear(0..1).is_err() && log.repair().is_err());
    log.close().unwrap();
    let log = Hypercore::open(Arc::new(dir.clone()), options()).unwrap();
    assert!(log.destroy().is_err());
    open.append(block(3)).unwrap();

    let empty = MemoryDir::new();
    let options = Options::new().key(pair().public).create(false);
    let error = Hypercore::open(Arc::new(empty.clone()), options).unwrap_err();
    assert!(matches!(error, OpenError::NotFound), "{error}");
    assert!(!empty.exists("key").unwrap());
}

#[test]
fn an_author_clears_only_when_told_twice() {
    let mut log = make_log(&MemoryDir::new(), "single", 4);
    let error = log.clear(1..3).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(log.downloaded(0..4), 4);
    assert_eq!(log.clear_own(1..3).unwrap(), 2);
    assert_eq!(log.downloaded(0..4), 2);
}

#[test]
fn a_hook_sees_each_verified_block_before_it_is_stored() {
    let source = make_log(&MemoryDir::new(), "single", 4);
    let options = Options::new().key(pair().public);
    let options = options.before_store(|index, bytes| {
        assert_eq!(bytes, block(index));
        index != 2
    });
    let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    let mut bring = |index, value: &[u8]| {
        let proof = source.proof(index, log.digest(index), false, &mut RemoteTree::new());
        log.put(index, Some(value), proof.unwrap().unwrap())
    };
    assert!(bring(1, &block(1)).is_ok());
    let declined = bring(2, &block(2)).unwrap_err();
    assert!(matches!(declined, PutError::Declined { index: 2 }));
    assert!(!declined.is_senders_fault());
    // What does not verify never gets there.
    assert!(bring(3, b"forged").unwrap_err().is_senders_fault());
    assert!(bring(3, &block(3)).is_ok());
    assert_eq!((log.has(1), log.has(2), log.has(3)), (true, false, true));
}

#[test]
fn a_static_log_is_named_by_its_content_and_believed_without_a_signature() {
    let make = |dir: &MemoryDir| {
        let mut log = StaticLog::create(Arc::new(dir.clone()), Options::new()).unwrap();
        log.append_batch(&[block(0), block(1)]).unwrap();
        assert_eq!(log.append_batch(&[block(2)]).unwrap(), 2);
        log.finish().unwrap()
    };
    let dir = MemoryDir::new();
    let mut log = make(&dir);
    let key = log.public_key();
    assert_eq!(make(&MemoryDir::new()).public_key(), key);
    assert!(matches!(log.append("x"), Err(AppendError::NotWritable)));
    log.close().unwrap();
    assert!(StaticLog::create(Arc::new(dir.clone()), Options::new()).is_err());

    let log = Hypercore::open(Arc::new(dir.clone()), Options::new()).unwrap();
    assert!(log.is_static());
    assert_eq!((log.length(), log.public_key()), (3, key));
    assert_eq!(file(&dir, "key"), key.as_bytes());
    let copied = MemoryDir::new();
    let options = || Options::new().key(key);
    let mut copy = Hypercore::open(Arc::new(copied.clone()), options()).unwrap();
    for index in [1, 0, 2] {
        let mut told = RemoteTree::new();
        let proof = log
            .proof(index, copy.digest(index), false, &mut told)
            .unwrap()
            .unwrap();
        assert!(proof.signature.is_none());
        assert!(copy.put(index, Some(b"forged"), proof.clone()).is_err());
        copy.put(index, Some(&block(index)), proof).unwrap();
    }
    copy.close().unwrap();
    let copy = Hypercore::open(Arc::new(copied), options()).unwrap();
    assert!(copy.is_static() && copy.has_range(0..3));
    let mut of_other_key = reader(&MemoryDir::new());
    let proof = copy
        .proof(0, 0, false, &mut RemoteTree::new())
        .unwrap()
        .unwrap();
    assert!(of_other_key.put(0, Some(&block(0)), proof).is_err());
}
