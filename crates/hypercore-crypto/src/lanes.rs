//! BLAKE2b-256 of several inputs side by side: one lane of the vector registers for each.
//!
//! One input alone cannot be hashed like that, since each of its chunks needs the result of the one
//! before; the `blake2` crate does those.

use multiversion::multiversion;

/// Something to be hashed: a few bytes, then many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub(crate) prefix: [u8; PREFIX_BYTES],
    pub(crate) body: &'a [u8],
}

/// Bytes before the body: a type and a size.
pub(crate) const PREFIX_BYTES: usize = 9;

/// Inputs hashed at once: what one vector of 512 bits holds, or two of 256.
pub(crate) const LANES: usize = 8;

/// Hashes up to [`LANES`] inputs, which are best of about the same length.
pub(crate) fn hash(inputs: &[Input<'_>]) -> [[u8; 32]; LANES] {
    let mut digests = [[0; 32]; LANES];
    let Some(longest) = inputs.iter().map(Input::chunks).max() else {
        return digests;
    };
    let mut state = IV.map(|word| [word; LANES]);
    state[0] = [IV[0] ^ PARAMETERS; LANES];
    let mut next = 0;
    while next < longest {
        let whole = inputs.iter().filter_map(|input| input.whole_chunks(next));
        let steps = whole.min().unwrap_or(0);
        if steps > 0 {
            // All lanes are in the middle of their inputs, or done.
            let mut chunks: [&[Chunk]; LANES] = [&[]; LANES];
            let busy = inputs.iter().position(|input| next < input.chunks());
            let busy = busy.map_or(&[][..], |at| inputs[at].middle(next, steps));
            for (lane, slot) in chunks.iter_mut().enumerate() {
                let input = inputs.get(lane).filter(|input| next < input.chunks());
                *slot = input.map_or(busy, |input| input.middle(next, steps));
            }
            let before = [(next * CHUNK_BYTES) as u64; LANES];
            absorb(&mut state, &chunks, before, &[0; LANES]);
            next += steps;
            continue;
        }
        let mut buffers = [[0; CHUNK_BYTES]; LANES];
        let mut before = [0; LANES];
        let mut last = [0; LANES];
        for (lane, input) in inputs.iter().enumerate() {
            input.copy(next, &mut buffers[lane]);
            before[lane] = (next * CHUNK_BYTES) as u64;
            if next + 1 == input.chunks() {
                // The count of bytes does not include what the last chunk is filled up with.
                before[lane] = (input.bytes() as u64).wrapping_sub(CHUNK_BYTES as u64);
                last[lane] = u64::MAX;
            }
        }
        let chunks = buffers.each_ref().map(std::slice::from_ref);
        absorb(&mut state, &chunks, before, &last);
        for (lane, input) in inputs.iter().enumerate() {
            if next + 1 == input.chunks() {
                for (bytes, word) in digests[lane].chunks_exact_mut(8).zip(&state) {
                    bytes.copy_from_slice(&word[lane].to_le_bytes());
                }
            }
        }
        next += 1;
    }
    digests
}

impl<'a> Input<'a> {
    fn bytes(&self) -> usize {
        PREFIX_BYTES + self.body.len()
    }

    /// How many chunks the input is hashed in.
    pub(crate) fn chunks(&self) -> usize {
        self.bytes().div_ceil(CHUNK_BYTES)
    }

    /// How many chunks from number `next` on lie in the body as they are; `None` once it is over.
    fn whole_chunks(&self, next: usize) -> Option<usize> {
        let last = self.chunks() - 1;
        match next {
            0 => Some(0),
            _ => (next <= last).then(|| last - next),
        }
    }

    fn middle(&self, next: usize, count: usize) -> &'a [Chunk] {
        let start = next * CHUNK_BYTES - PREFIX_BYTES;
        &self.body[start..].as_chunks().0[..count]
    }

    /// Copies what chunk number `next` has of the input.
    fn copy(&self, next: usize, out: &mut Chunk) {
        if next == 0 {
            let (prefix, rest) = out.split_at_mut(PREFIX_BYTES);
            prefix.copy_from_slice(&self.prefix);
            let bytes = rest.len().min(self.body.len());
            rest[..bytes].copy_from_slice(&self.body[..bytes]);
        } else if let Some(rest) = self.body.get(next * CHUNK_BYTES - PREFIX_BYTES..) {
            let bytes = rest.len().min(CHUNK_BYTES);
            out[..bytes].copy_from_slice(&rest[..bytes]);
        }
    }
}

const CHUNK_BYTES: usize = 128;

type Chunk = [u8; CHUNK_BYTES];

/// One word of the state of every lane.
type Lanes = [u64; LANES];

/// [`absorb_any`], compiled once for processors with the widest vectors, which also rotate in one
/// instruction, once for those with wide ones, and once for all others.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn absorb(state: &mut [Lanes; 8], chunks: &[&[Chunk]; LANES], before: Lanes, last: &Lanes) {
    absorb_any(state, chunks, before, last);
}

/// Takes in the chunks of every lane, of which all have as many. `before` is how many bytes each had
/// taken in, `last` all ones where the chunk is a lane's last.
#[inline(always)]
fn absorb_any(state: &mut [Lanes; 8], chunks: &[&[Chunk]; LANES], mut before: Lanes, last: &Lanes) {
    let mut h = *state;
    let count = chunks[0].len();
    let chunks = chunks.map(|chunks| &chunks[..count]);
    for step in 0..count {
        let mut words = [[0; LANES]; 16];
        for (lane, chunks) in chunks.iter().enumerate() {
            let (chunk, _) = chunks[step].as_chunks::<8>();
            for (word, bytes) in words.iter_mut().zip(chunk) {
                word[lane] = u64::from_le_bytes(*bytes);
            }
        }
        for bytes in &mut before {
            *bytes = bytes.wrapping_add(CHUNK_BYTES as u64);
        }
        compress(&mut h, &words, &before, last);
    }
    *state = h;
}

#[inline(always)]
fn compress(h: &mut [Lanes; 8], words: &[Lanes; 16], bytes: &Lanes, last: &Lanes) {
    let mut v = [[0; LANES]; 16];
    v[..8].copy_from_slice(h);
    for (row, word) in v[8..].iter_mut().zip(IV) {
        *row = [word; LANES];
    }
    for lane in 0..LANES {
        v[12][lane] ^= bytes[lane];
        v[14][lane] ^= last[lane];
    }
    for round in 0..ROUNDS {
        let s = &SCHEDULE[round % SCHEDULE.len()];
        mix(&mut v, [0, 4, 8, 12], &words[s[0]], &words[s[1]]);
        mix(&mut v, [1, 5, 9, 13], &words[s[2]], &words[s[3]]);
        mix(&mut v, [2, 6, 10, 14], &words[s[4]], &words[s[5]]);
        mix(&mut v, [3, 7, 11, 15], &words[s[6]], &words[s[7]]);
        mix(&mut v, [0, 5, 10, 15], &words[s[8]], &words[s[9]]);
        mix(&mut v, [1, 6, 11, 12], &words[s[10]], &words[s[11]]);
        mix(&mut v, [2, 7, 8, 13], &words[s[12]], &words[s[13]]);
        mix(&mut v, [3, 4, 9, 14], &words[s[14]], &words[s[15]]);
    }
    for (at, word) in h.iter_mut().enumerate() {
        for lane in 0..LANES {
            word[lane] ^= v[at][lane] ^ v[at + 8][lane];
        }
    }
}

/// The function G of every lane. The loop becomes vector instructions as it stands: each step of it is
/// the same for all lanes, and none looks at another lane.
#[inline(always)]
fn mix(v: &mut [Lanes; 16], [a, b, c, d]: [usize; 4], x: &Lanes, y: &Lanes) {
    let [a, b, c, d] = v
        .get_disjoint_mut([a, b, c, d])
        .expect("four different words");
    for lane in 0..LANES {
        let (mut p, mut q, mut r, mut s) = (a[lane], b[lane], c[lane], d[lane]);
        p = p.wrapping_add(q).wrapping_add(x[lane]);
        s = (s ^ p).rotate_right(32);
        r = r.wrapping_add(s);
        q = (q ^ r).rotate_right(24);
        p = p.wrapping_add(q).wrapping_add(y[lane]);
        s = (s ^ p).rotate_right(16);
        r = r.wrapping_add(s);
        q = (q ^ r).rotate_right(63);
        (a[lane], b[lane], c[lane], d[lane]) = (p, q, r, s);
    }
}

/// 32 bytes of digest, no key, one input by itself (RFC 7693, "Parameter Block").
const PARAMETERS: u64 = 0x0101_0020;

const ROUNDS: usize = 12;

/// RFC 7693, "Initialization Vector".
const IV: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// RFC 7693, "Message Schedule SIGMA".
const SCHEDULE: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The dispatch picks one of the three; the plain one must not differ.
    #[test]
    fn every_version_computes_the_same() {
        let bytes: Vec<u8> = (0..=250).cycle().take(LANES * 384).collect();
        let (chunks, _) = bytes.as_chunks::<CHUNK_BYTES>();
        let lanes: Vec<&[Chunk]> = chunks.chunks(3).collect();
        let lanes = lanes.try_into().expect("three chunks for each lane");
        let mut last = [0; LANES];
        last[3] = u64::MAX;
        let mut fast = IV.map(|word| [word; LANES]);
        let mut plain = fast;
        absorb(&mut fast, &lanes, [640; LANES], &last);
        absorb_any(&mut plain, &lanes, [640; LANES], &last);
        assert_eq!(fast, plain);
        assert_ne!(fast, IV.map(|word| [word; LANES]));
    }
}
