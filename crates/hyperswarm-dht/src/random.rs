use blake2::{Blake2b512, Digest};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Random numbers that a seed repeats and that nobody without the seed foretells: BLAKE2b-512 of the
/// seed and a counter.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Random {
    seed: [u8; 32],
    counter: u64,
    block: [u8; 64],
    /// Bytes of the block that were given out.
    used: u8,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            counter: 0,
            block: [0; 64],
            used: 64,
        }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        if self.used >= 64 {
            let digest = Blake2b512::new()
                .chain_update(self.seed)
                .chain_update(self.counter.to_le_bytes())
                .finalize();
            self.block.copy_from_slice(&digest);
            self.counter += 1;
            self.used = 0;
        }
        let start = usize::from(self.used);
        self.used += 8;
        let mut word = [0; 8];
        word.copy_from_slice(&self.block[start..start + 8]);
        u64::from_le_bytes(word)
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number below `end`, which is not 0. The unevenness is below one in 2^32 for any `end` that
    /// is used.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let below = self.next_u64() % end.max(1) as u64;
        usize::try_from(below).expect("it is below a usize")
    }

    pub(crate) fn bytes32(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for piece in bytes.chunks_exact_mut(8) {
            piece.copy_from_slice(&self.next_u64().to_le_bytes());
        }
        bytes
    }

    /// Brings `wanted` random ones of the items to the front; they are as likely in any order.
    pub(crate) fn shuffle_front<T>(&mut self, items: &mut [T], wanted: usize) {
        for i in 0..wanted.min(items.len()) {
            let j = i + self.below(items.len() - i);
            items.swap(i, j);
        }
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random(…)")
    }
}
