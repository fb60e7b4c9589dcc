//! What has to be changed in packets so that the crate and the reference understand each other.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is remembered of packets that passed.
#[derive(Default)]
pub(super) struct Corrections(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Packets that open streams and may still be answered, the latest last.
    openings: VecDeque<Opening>,
    /// Of each stream, by where its packets go: the number after the highest of its data.
    next: HashMap<(SocketAddr, u16), Next>,
    /// Counts packets, to tell which stream was silent longest.
    clock: u64,
}

/// To whom, the stream's id and the packet's number.
type Opening = (SocketAddr, u16, u16);

struct Next {
    number: u16,
    /// The number of the packet that ends our half.
    end: Option<u16>,
    used: u64,
}

impl Corrections {
    /// Corrects a packet that came in.
    pub(super) fn incoming(&self, from: SocketAddr, packet: &mut [u8]) {
        match kind(packet) {
            Some(STATE) if !self.memory().is_opening_answered(from, packet) => {
                let long_ago = field(packet, NUMBER).wrapping_sub(LONG_AGO);
                // It says which packet comes next, and is of no use. But when a packet acknowledges
                // the end of our half of a stream and names the number that comes next, as the
                // reference's do, the crate takes it for the end of the other half too. It then
                // forgets the stream and leaves what the other end still says unacknowledged, which
                // the reference repeats for half a minute.
                set_field(packet, NUMBER, long_ago);
            }
            Some(SYN) => {
                self.memory().next.remove(&(from, field(packet, ID)));
            }
            _ => {}
        }
    }

    /// Corrects a packet that goes out.
    pub(super) fn outgoing(&self, to: SocketAddr, packet: &mut [u8]) {
        let Some(kind) = kind(packet) else {
            return;
        };
        let (id, number) = (field(packet, ID), field(packet, NUMBER));
        let mut memory = self.memory();
        if kind == SYN {
            memory.next.remove(&(to, id.wrapping_add(1)));
            if memory.openings.len() == MAX_OPENINGS {
                memory.openings.pop_front();
            }
            memory.openings.push_back((to, id, number));
        } else if kind == DATA {
            memory.sent((to, id), number.wrapping_add(1));
        } else if let Some(next) = memory.next.get_mut(&(to, id)) {
            // After a timeout the crate counts from the first packet that it sends again, though
            // later ones have arrived. What carries an old number the reference ignores, and with it
            // every acknowledgement, until there is data again.
            let due = match next.end {
                Some(end) if kind != FIN => end.wrapping_add(1),
                _ => next.number,
            };
            let number = if is_before(number, due) { due } else { number };
            if kind == FIN {
                next.end = Some(number);
            }
            set_field(packet, NUMBER, number);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn is_opening_answered(&mut self, from: SocketAddr, packet: &[u8]) -> bool {
        let answered = (from, field(packet, ID), field(packet, ACKNOWLEDGED));
        let found = self.openings.iter().position(|it| *it == answered);
        found.and_then(|at| self.openings.remove(at)).is_some()
    }

    fn sent(&mut self, stream: (SocketAddr, u16), number: u16) {
        self.clock += 1;
        let used = self.clock;
        if let Some(next) = self.next.get_mut(&stream) {
            next.used = used;
            if is_before(next.number, number) {
                next.number = number;
            }
            return;
        }
        if self.next.len() == MAX_STREAMS {
            let oldest = self.next.iter().min_by_key(|(_, next)| next.used);
            if let Some(oldest) = oldest.map(|(stream, _)| *stream) {
                self.next.remove(&oldest);
            }
        }
        let end = None;
        self.next.insert(stream, Next { number, end, used });
    }
}

/// Numbers go round.
fn is_before(a: u16, b: u16) -> bool {
    (1..1 << 15).contains(&b.wrapping_sub(a))
}

/// What a packet is, if it has a header.
fn kind(packet: &[u8]) -> Option<u8> {
    (packet.len() >= HEADER_BYTES).then(|| packet[0] >> 4)
}

fn field(packet: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

fn set_field(packet: &mut [u8], at: usize, value: u16) {
    packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The header of BEP 29: its length, kinds of packets, and where its fields are.
const HEADER_BYTES: usize = 20;
const DATA: u8 = 0;
const FIN: u8 = 1;
const STATE: u8 = 2;
const SYN: u8 = 4;
const ID: usize = 2;
const NUMBER: usize = 16;
const ACKNOWLEDGED: usize = 18;

/// More packets than a window has.
const LONG_AGO: u16 = 1 << 14;

/// Openings that are remembered; more than are under way at once.
const MAX_OPENINGS: usize = 512;

/// Streams that are remembered; those that sent nothing for longest are forgotten first.
const MAX_STREAMS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 7);

    fn packet(kind: u8, id: u16, number: u16, acknowledged: u16) -> [u8; HEADER_BYTES] {
        let mut packet = [0; HEADER_BYTES];
        packet[0] = kind << 4 | 1;
        set_field(&mut packet, ID, id);
        set_field(&mut packet, NUMBER, number);
        set_field(&mut packet, ACKNOWLEDGED, acknowledged);
        packet
    }

    fn after(packet: [u8; HEADER_BYTES], correct: impl FnOnce(&mut [u8])) -> u16 {
        let mut corrected = packet;
        correct(&mut corrected);
        let number = field(&corrected, NUMBER);
        set_field(&mut corrected, NUMBER, field(&packet, NUMBER));
        assert_eq!(corrected, packet, "the number alone is corrected");
        number
    }

    fn sent(it: &Corrections, packet: [u8; HEADER_BYTES]) -> u16 {
        after(packet, |packet| it.outgoing(PEER.into(), packet))
    }

    fn received(it: &Corrections, packet: [u8; HEADER_BYTES]) -> u16 {
        after(packet, |packet| it.incoming(PEER.into(), packet))
    }

    #[test]
    fn the_answer_to_an_opening_keeps_its_number_and_no_other_does() {
        let it = Corrections::default();
        assert_eq!(
            received(&it, packet(STATE, 8, 50, 9)),
            50u16.wrapping_sub(LONG_AGO)
        );
        assert_eq!(sent(&it, packet(SYN, 8, 9, 0)), 9);
        assert_eq!(received(&it, packet(STATE, 8, 50, 9)), 50);
        assert_eq!(
            received(&it, packet(STATE, 8, 50, 9)),
            50u16.wrapping_sub(LONG_AGO)
        );
        assert_eq!(received(&it, packet(DATA, 8, 50, 9)), 50);
    }

    #[test]
    fn what_carries_no_data_names_the_number_that_comes_next() {
        let it = Corrections::default();
        assert_eq!(sent(&it, packet(STATE, 3, 65_534, 0)), 65_534);
        for number in [65_534, 65_535, 0, 1, 65_535] {
            assert_eq!(sent(&it, packet(DATA, 3, number, 0)), number);
        }
        assert_eq!(sent(&it, packet(STATE, 3, 0, 0)), 2);
        assert_eq!(sent(&it, packet(STATE, 3, 2, 0)), 2);
        assert_eq!(sent(&it, packet(STATE, 4, 0, 0)), 0);
    }

    #[test]
    fn the_end_comes_after_all_data_and_keeps_its_number() {
        let it = Corrections::default();
        for number in 10..20 {
            sent(&it, packet(DATA, 3, number, 0));
        }
        for _ in 0..2 {
            assert_eq!(sent(&it, packet(FIN, 3, 12, 0)), 20);
            assert_eq!(sent(&it, packet(STATE, 3, 13, 0)), 21);
        }
        sent(&it, packet(DATA, 4, 10, 0));
        assert_eq!(sent(&it, packet(FIN, 4, 11, 0)), 11);
        assert_eq!(sent(&it, packet(STATE, 4, 12, 0)), 12);
    }

    #[test]
    fn a_new_stream_with_an_old_id_begins_anew() {
        let it = Corrections::default();
        for id in [3, 9] {
            sent(&it, packet(DATA, id, 700, 0));
        }
        received(&it, packet(SYN, 3, 1, 0));
        sent(&it, packet(SYN, 8, 1, 0));
        for id in [3, 9] {
            assert_eq!(sent(&it, packet(STATE, id, 5, 0)), 5);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let it = Corrections::default();
        let ids = u16::try_from(MAX_STREAMS).expect("it fits");
        for id in 0..=ids {
            sent(&it, packet(DATA, id, 700, 0));
            sent(&it, packet(SYN, id, 5, 0));
        }
        assert_eq!(it.memory().openings.len(), MAX_OPENINGS);
        assert!(it.memory().next.len() <= MAX_STREAMS);
        // An opening begins the stream behind it anew.
        assert_eq!(sent(&it, packet(STATE, ids, 5, 0)), 700 + 1);
        assert_eq!(received(&it, packet(STATE, ids, 50, 5)), 50);
    }

    #[test]
    fn what_has_no_header_passes() {
        let it = Corrections::default();
        let mut short = [STATE << 4 | 1; HEADER_BYTES - 1];
        it.incoming(PEER.into(), &mut short);
        it.outgoing(PEER.into(), &mut short);
        assert_eq!(short, [STATE << 4 | 1; HEADER_BYTES - 1]);
    }
}
