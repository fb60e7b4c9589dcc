//! `seed`: writes the seeds of all corpora, made from the vectors of the crates.

use std::fs;

use hyperdrive_fuzz::{corpus, seed};

fn main() -> std::io::Result<()> {
    for (target, name, bytes) in seed::all() {
        let dir = corpus(target);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(name), bytes)?;
    }
    Ok(())
}
