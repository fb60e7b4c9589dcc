//! A log of values, by serde: one line of JSON a block, as Node's `valueEncoding: 'json'` has it.

use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;

use hypercore::{Codec, CodecError, Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Anything that serde can write as JSON.
struct Json<T>(PhantomData<T>);

impl<T: Serialize + DeserializeOwned> Codec for Json<T> {
    type Value = T;

    fn encode(&self, value: &T) -> Result<Vec<u8>, CodecError> {
        let mut block = serde_json::to_vec(value)?;
        block.push(b'\n');
        Ok(block)
    }

    fn decode(&self, block: &[u8]) -> Result<T, CodecError> {
        Ok(serde_json::from_slice(block)?)
    }
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Reading {
    place: String,
    celsius: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new().key_pair(KeyPair::from_seed(&[7; 32]));
    let feed = Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options)?);
    let readings = feed.typed(Json::<Reading>(PhantomData));
    let written = Reading {
        place: "roof".to_owned(),
        celsius: 21.5,
    };
    let index = readings.append(&written)?;
    assert_eq!(readings.get_local(index)?, Some(written));
    let block = feed.get_local(index)?.ok_or("it was just appended")?;
    println!("{}", String::from_utf8_lossy(&block));
    Ok(())
}
