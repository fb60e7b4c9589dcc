//! A flush that runs beside other uses of a log, and what is done to the log meanwhile.

use std::io;
use std::sync::{Arc, Mutex};

use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::{Lock, MemoryDir, OpenMode, Storage, StorageDir};

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Files whose next sync calls a hook first.
#[derive(Clone)]
struct HookedDir {
    inner: MemoryDir,
    hook: Hook,
}

impl std::fmt::Debug for HookedDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookedDir")
    }
}

struct HookedFile {
    inner: Arc<dyn Storage>,
    hook: Hook,
}

impl std::fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookedFile")
    }
}

impl Storage for HookedFile {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, buf)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.inner.truncate(len)
    }

    fn sync(&self) -> io::Result<()> {
        let hook = self.hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        self.inner.sync()
    }
}

impl StorageDir for HookedDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        Ok(Arc::new(HookedFile {
            inner: self.inner.open(name, mode)?,
            hook: self.hook.clone(),
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.inner.exists(name)
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.inner.list(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        self.inner.lock(name)
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        self.inner.subdir(name)
    }
}

fn open() -> (Feed, Hook) {
    let hook = Hook::default();
    let dir = HookedDir {
        inner: MemoryDir::new(),
        hook: hook.clone(),
    };
    let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    (
        Feed::new(Hypercore::open(Arc::new(dir), options).unwrap()),
        hook,
    )
}

/// Runs a flush beside other uses, with `meanwhile` done in its first sync.
fn flush_while(feed: &Feed, hook: &Hook, meanwhile: impl FnOnce(&Feed) + Send + 'static) {
    let user = feed.clone();
    *hook.lock().unwrap() = Some(Box::new(move || meanwhile(&user)));
    feed.flush_aside().unwrap();
    assert!(hook.lock().unwrap().is_none(), "nothing was synced");
}

#[test]
fn what_is_appended_meanwhile_is_seen_at_once_and_stays_unflushed() {
    let (feed, hook) = open();
    feed.append("before").unwrap();
    flush_while(&feed, &hook, |feed| {
        feed.append("meanwhile").unwrap();
        assert_eq!(feed.get_local(1).unwrap().unwrap(), "meanwhile");
        assert_eq!(feed.durable_length(), 0);
    });
    assert_eq!((feed.length(), feed.durable_length()), (2, 1));
    assert!(feed.is_dirty());
    feed.flush_aside().unwrap();
    assert_eq!(feed.durable_length(), 2);
    assert!(!feed.is_dirty());
}

#[test]
fn an_ordinary_flush_does_not_return_before_all_is_durable() {
    let (feed, hook) = open();
    feed.append("before").unwrap();
    // Nothing is dirty by then but what the other one has begun with.
    flush_while(&feed, &hook, |feed| {
        assert!(feed.is_flushing());
        feed.flush().unwrap();
        assert_eq!(feed.durable_length(), 1);
    });
    assert_eq!(feed.durable_length(), 1);
    assert!(!feed.is_dirty());
}

#[test]
fn a_second_one_leaves_it_to_the_first() {
    let (feed, hook) = open();
    feed.append("before").unwrap();
    flush_while(&feed, &hook, |feed| {
        feed.append("meanwhile").unwrap();
        feed.flush_aside().unwrap();
        assert_eq!(feed.durable_length(), 0);
    });
    assert_eq!(feed.durable_length(), 1);
}

#[test]
fn closing_the_log_meanwhile_flushes_it() {
    let (feed, hook) = open();
    feed.append("before").unwrap();
    flush_while(&feed, &hook, |feed| feed.close().unwrap());
    assert!(feed.is_closed());
}
