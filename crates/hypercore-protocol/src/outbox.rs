use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use hypercore_crypto::{DiscoveryKey, PublicKey};

use crate::SendError;
use crate::capability::Split;
use crate::cipher::Cipher;
use crate::config::MAX_BODY_BYTES;
use crate::frame::{Kind, MAX_OVERHEAD_BYTES, varint_bytes, write_header, write_varint};
use crate::schema::{self, Opening};

/// Frames on their way out. They are encrypted when they enter, and wait in plain only for the
/// handshake.
pub(crate) struct Outbox {
    chunks: VecDeque<BytesMut>,
    bytes: usize,
    stage: Stage,
}

enum Stage {
    /// The handshake runs.
    Early {
        frames: Vec<Early>,
        bytes: usize,
        limit: usize,
    },
    /// Frames go out.
    Running(Option<Cipher>),
}

/// A frame that waits for the handshake.
enum Early {
    Frame(BytesMut),
    /// An `Open`, whose capability the handshake will determine.
    Open {
        channel: u32,
        key: PublicKey,
    },
}

impl Outbox {
    /// An outbox that keeps up to `limit` bytes of frames until [`Outbox::start`].
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            stage: Stage::Early {
                frames: Vec::new(),
                bytes: 0,
                limit,
            },
        }
    }

    /// Sends what has waited, and every later frame at once.
    pub(crate) fn start(&mut self, cipher: Option<Cipher>, split: Option<&Split>) {
        let early = std::mem::replace(&mut self.stage, Stage::Running(cipher));
        let Stage::Early { frames, .. } = early else {
            return;
        };
        for frame in frames {
            match frame {
                Early::Frame(frame) => self.append(frame.len(), |out| out.put_slice(&frame)),
                Early::Open { channel, key } => self.write_open(channel, &key, split),
            }
        }
    }

    /// Sends bytes of the handshake.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.chunks.push_back(bytes.into());
    }

    /// Sends an `Open`.
    pub(crate) fn open(
        &mut self,
        channel: u32,
        key: &PublicKey,
        split: Option<&Split>,
    ) -> Result<(), SendError> {
        self.reserve_early(OPEN_BYTES)?;
        match &mut self.stage {
            Stage::Early { frames, bytes, .. } => {
                frames.push(Early::Open { channel, key: *key });
                *bytes += OPEN_BYTES;
            }
            Stage::Running(_) => self.write_open(channel, key, split),
        }
        Ok(())
    }

    /// Sends a `Close`. It is small and follows something larger, so it is never refused.
    pub(crate) fn close(&mut self, channel: u32, discovery_key: Option<&DiscoveryKey>) {
        self.write(channel, Kind::Close, &schema::close(discovery_key));
    }

    /// Sends a message of a channel, or of the connection on channel 0.
    pub(crate) fn message(
        &mut self,
        channel: u32,
        kind: Kind,
        body: &impl prost::Message,
    ) -> Result<(), SendError> {
        let length = body.encoded_len();
        if length > MAX_BODY_BYTES {
            return Err(SendError::FrameLength { length });
        }
        self.reserve_early(length + MAX_OVERHEAD_BYTES)?;
        self.write(channel, kind, body);
        Ok(())
    }

    /// Sends an extension message, which is no protobuf.
    pub(crate) fn extension(
        &mut self,
        channel: u32,
        id: u64,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let length = varint_bytes(id) + payload.len();
        if length > MAX_BODY_BYTES {
            return Err(SendError::FrameLength { length });
        }
        self.reserve_early(length + MAX_OVERHEAD_BYTES)?;
        self.append(length + MAX_OVERHEAD_BYTES, |out| {
            write_header(out, channel, Kind::Extension, length);
            write_varint(out, id);
            out.put_slice(payload);
        });
        Ok(())
    }

    /// Sends a keep-alive, unless something else is on its way.
    pub(crate) fn keep_alive(&mut self) {
        if self.chunks.is_empty() {
            self.append(1, |out| out.put_u8(0));
        }
    }

    /// The next bytes for the remote.
    pub(crate) fn poll(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?.freeze();
        self.bytes -= chunk.len();
        Some(chunk)
    }

    /// Bytes that wait to be polled or for the handshake.
    pub(crate) fn bytes(&self) -> usize {
        match &self.stage {
            Stage::Early { bytes, .. } => self.bytes + bytes,
            Stage::Running(_) => self.bytes,
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
        self.stage = Stage::Running(None);
    }

    fn reserve_early(&self, more: usize) -> Result<(), SendError> {
        match &self.stage {
            Stage::Early { bytes, limit, .. } if bytes + more > *limit => Err(SendError::QueueFull),
            _ => Ok(()),
        }
    }

    fn write_open(&mut self, channel: u32, key: &PublicKey, split: Option<&Split>) {
        let opening = Opening {
            discovery_key: key.discovery_key(),
            capability: split.map(|split| split.capability(key)),
        };
        self.write(channel, Kind::Open, &opening.encode());
    }

    fn write(&mut self, channel: u32, kind: Kind, body: &impl prost::Message) {
        let length = body.encoded_len();
        self.append(length + MAX_OVERHEAD_BYTES, |out| {
            write_header(out, channel, kind, length);
            body.encode_raw(out);
        });
    }

    /// Appends what `write` writes, of at most `room` bytes, to the last chunk or to a new one. Small
    /// frames share a chunk, so that one system call carries many; a large one is copied only once.
    fn append(&mut self, room: usize, write: impl FnOnce(&mut BytesMut)) {
        let cipher = match &mut self.stage {
            Stage::Early { frames, bytes, .. } => {
                let mut frame = BytesMut::with_capacity(room);
                write(&mut frame);
                *bytes += frame.len();
                frames.push(Early::Frame(frame));
                return;
            }
            Stage::Running(cipher) => cipher,
        };
        let shared = self
            .chunks
            .back_mut()
            .filter(|chunk| chunk.len() + room <= CHUNK_BYTES);
        let chunk = match shared {
            Some(chunk) => chunk,
            None => {
                self.chunks.push_back(BytesMut::with_capacity(room));
                self.chunks.back_mut().expect("a chunk was just pushed")
            }
        };
        let start = chunk.len();
        write(chunk);
        self.bytes += chunk.len() - start;
        if let Some(cipher) = cipher {
            cipher.apply(&mut chunk[start..]);
        }
    }
}

/// Frames are gathered up to this size.
const CHUNK_BYTES: usize = 16 << 10;

/// An `Open` frame: two fields of 32 bytes, and what surrounds them.
const OPEN_BYTES: usize = 80;
