//! A reader takes one block of a log from somebody it need not trust.

use std::error::Error;
use std::sync::Arc;

use hypercore::{Hypercore, Options, RemoteTree};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;

fn main() -> Result<(), Box<dyn Error>> {
    let pair = KeyPair::from_seed(&[7; 32]);
    let key = pair.public;
    let mut author = Hypercore::open(Arc::new(MemoryDir::new()), Options::new().key_pair(pair))?;
    author.append_batch(&["one", "two", "three", "four", "five"])?;

    let mut reader = Hypercore::open(Arc::new(MemoryDir::new()), Options::new().key(key))?;
    let wanted = 3;
    let proof = author
        .proof(wanted, reader.digest(wanted), false, &mut RemoteTree::new())?
        .ok_or("the author has no such block")?;

    // A block that is not the author's is refused, whoever brings it.
    let forged = reader.put(wanted, Some(b"fore"), proof.clone());
    println!("a forged block: {}", forged.unwrap_err());

    reader.put(wanted, Some(b"four"), proof)?;
    let held: Vec<u64> = (0..reader.length())
        .filter(|index| reader.has(*index))
        .collect();
    println!(
        "a log of {} blocks, of which {held:?} are here",
        reader.length()
    );
    Ok(())
}
