use multiversion::multiversion;
use salsa20::cipher::consts::U10;
use salsa20::hsalsa;
use zeroize::Zeroize;

/// The key stream of XSalsa20, in groups of blocks that are computed side by side: one lane of a
/// vector register for each block.
///
/// The `salsa20` crate computes one block after the other, at a third of the speed.
pub(crate) struct Salsa {
    /// The first block's input, without its number.
    input: [u32; 16],
    /// The number of the next block.
    next: u64,
}

/// Blocks in a group. Vectors of eight words are filled twice, so that the two hide the time that
/// each other's instructions take; and loops of this length are made into vector instructions,
/// where shorter ones would be unrolled first.
const LANES: usize = 16;

/// Bytes in a group.
pub(crate) const GROUP_BYTES: usize = 64 * LANES;

/// One word of the state of every block.
type Lanes = [u32; LANES];

impl Salsa {
    pub(crate) fn new(key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        let (start, rest) = nonce.split_at(16);
        let start = start.try_into().expect("16 bytes");
        let mut key = hsalsa::<U10>(key.into(), start);
        let word = |bytes: &[u8], at: usize| {
            u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().expect("4 bytes"))
        };
        // Constants on the diagonal, the key in two halves, the nonce; the block's number between.
        let mut input = [0; 16];
        for at in 0..4 {
            input[5 * at] = word(b"expand 32-byte k", at);
            input[1 + at] = word(&key, at);
            input[11 + at] = word(&key, 4 + at);
        }
        input[6] = word(rest, 0);
        input[7] = word(rest, 1);
        key.zeroize();
        Self { input, next: 0 }
    }

    /// Adds (exclusive or) the next groups of the key stream to `groups`.
    pub(crate) fn apply(&mut self, groups: &mut [[u8; GROUP_BYTES]]) {
        apply(&self.input, self.next, groups);
        self.next += (groups.len() * LANES) as u64;
    }
}

impl Drop for Salsa {
    fn drop(&mut self) {
        self.input.zeroize();
    }
}

/// [`apply_any`], compiled once for processors with the widest vectors, which also rotate in one
/// instruction, once for those with wide ones, and once for all others.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn apply(input: &[u32; 16], first: u64, groups: &mut [[u8; GROUP_BYTES]]) {
    apply_any(input, first, groups);
}

#[inline(always)]
fn apply_any(input: &[u32; 16], first: u64, groups: &mut [[u8; GROUP_BYTES]]) {
    for (number, group) in (0..).zip(groups) {
        let mut start = input.map(|word| [word; LANES]);
        let numbers = first + number * LANES as u64..;
        for (lane, number) in numbers.take(LANES).enumerate() {
            let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
            start[8][lane] = u32::from_le_bytes([a, b, c, d]);
            start[9][lane] = u32::from_le_bytes([e, f, g, h]);
        }
        let mut state = start;
        for _ in 0..10 {
            double_round(&mut state);
        }
        for (lane, block) in group.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let (words, _) = block.as_chunks_mut::<4>();
            for (word, (end, start)) in words.iter_mut().zip(state.iter().zip(&start)) {
                let key = end[lane].wrapping_add(start[lane]);
                *word = (u32::from_le_bytes(*word) ^ key).to_le_bytes();
            }
        }
    }
}

/// A column round and a row round.
#[inline(always)]
fn double_round(state: &mut [Lanes; 16]) {
    quarter_round(state, [0, 4, 8, 12]);
    quarter_round(state, [5, 9, 13, 1]);
    quarter_round(state, [10, 14, 2, 6]);
    quarter_round(state, [15, 3, 7, 11]);
    quarter_round(state, [0, 1, 2, 3]);
    quarter_round(state, [5, 6, 7, 4]);
    quarter_round(state, [10, 11, 8, 9]);
    quarter_round(state, [15, 12, 13, 14]);
}

/// A quarter round of every block. The loop becomes vector instructions as it stands: each step of
/// it is the same for all lanes, and none looks at another lane.
#[inline(always)]
fn quarter_round(state: &mut [Lanes; 16], [a, b, c, d]: [usize; 4]) {
    let [a, b, c, d] = state
        .get_disjoint_mut([a, b, c, d])
        .expect("four different words");
    for lane in 0..LANES {
        let (mut p, mut q, mut r, mut s) = (a[lane], b[lane], c[lane], d[lane]);
        q ^= p.wrapping_add(s).rotate_left(7);
        r ^= q.wrapping_add(p).rotate_left(9);
        s ^= r.wrapping_add(q).rotate_left(13);
        p ^= s.wrapping_add(r).rotate_left(18);
        (a[lane], b[lane], c[lane], d[lane]) = (p, q, r, s);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use salsa20::XSalsa20;
    use salsa20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};

    use super::*;

    /// What the `salsa20` crate makes of some groups that begin at a block.
    fn theirs(key: [u8; 32], nonce: [u8; 24], block: u64, groups: &mut [[u8; GROUP_BYTES]]) {
        let mut cipher = XSalsa20::new(&key.into(), &nonce.into());
        cipher.seek(64 * u128::from(block));
        cipher.apply_keystream(groups.as_flattened_mut());
    }

    proptest! {
        #[test]
        fn any_groups_are_those_of_the_salsa20_crate(
            key: [u8; 32],
            nonce: [u8; 24],
            block in prop_oneof![0..1_u64 << 20, (1_u64 << 32) - 40..(1 << 32) + 40, 0..1_u64 << 57],
            count in 0_usize..4,
            byte: u8,
        ) {
            let mut expected = vec![[byte; GROUP_BYTES]; count];
            let (mut fast, mut plain) = (expected.clone(), expected.clone());
            theirs(key, nonce, block, &mut expected);
            let mut salsa = Salsa::new(&key, &nonce);
            salsa.next = block;
            apply_any(&salsa.input, block, &mut plain);
            prop_assert!(plain == expected);
            salsa.apply(&mut fast);
            prop_assert!(fast == expected);
            prop_assert_eq!(salsa.next, block + (count * LANES) as u64);
        }
    }
}
