use super::WireError;
use super::fields::{Fields, put_bytes, put_number, varint_bytes};

/// Longer datagrams are not read. The reference's longest is below 1,700 bytes.
pub const MAX_DATAGRAM_BYTES: usize = 2048;

/// Longer error texts are not read, in bytes.
pub const MAX_ERROR_BYTES: usize = 256;

/// What a datagram is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// A question.
    Query,
    /// An order to store something, with the token that the receiver gave.
    Update,
    /// The answer to either.
    Response,
}

/// One datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// Version of the protocol: 1. Whoever sends less has no id, whatever the message says.
    pub version: Option<u64>,
    /// What it is.
    pub kind: Kind,
    /// Chosen by the asker, repeated by the answer.
    pub rid: u64,
    /// The receiver's address as the sender sees it: 6 bytes.
    pub to: Option<&'a [u8]>,
    /// The sender's id: 32 bytes. Absent if the sender is ephemeral.
    pub id: Option<&'a [u8]>,
    /// What the question is about.
    pub target: Option<&'a [u8]>,
    /// Nodes near the target: 38 bytes each.
    pub closer_nodes: Option<&'a [u8]>,
    /// In answers: what entitles the asker to an update. In updates: the same.
    pub token: Option<&'a [u8]>,
    /// What is asked.
    pub command: Option<&'a str>,
    /// Why the answer is none.
    pub error: Option<&'a str>,
    /// Depends on the command.
    pub value: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// A message without optional fields, of the current version.
    pub const fn new(kind: Kind, rid: u64) -> Self {
        Self {
            version: Some(VERSION),
            kind,
            rid,
            to: None,
            id: None,
            target: None,
            closer_nodes: None,
            token: None,
            command: None,
            error: None,
            value: None,
        }
    }

    /// Reads a datagram.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, WireError> {
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return Err(WireError("too long"));
        }
        let mut message = Message {
            version: None,
            ..Message::new(Kind::Query, 0)
        };
        let (mut kind, mut rid) = (None, None);
        for field in Fields::new(datagram) {
            let (number, value) = field?;
            match number {
                1 => kind = Some(value.varint()?),
                2 => rid = Some(value.varint()?),
                3 => message.id = Some(value.bytes()?),
                4 => message.target = Some(value.bytes()?),
                5 => message.closer_nodes = Some(value.bytes()?),
                6 => message.token = Some(value.bytes()?),
                7 => message.command = Some(text(value.bytes()?)?),
                8 => message.error = Some(text(value.bytes()?)?),
                9 => message.value = Some(value.bytes()?),
                10 => message.to = Some(value.bytes()?),
                11 => message.version = Some(value.varint()?),
                _ => {}
            }
        }
        message.kind = match kind {
            Some(1) => Kind::Query,
            Some(2) => Kind::Update,
            Some(3) => Kind::Response,
            Some(_) => return Err(WireError("of no known type")),
            None => return Err(WireError("without a type")),
        };
        message.rid = rid.ok_or(WireError("without a request id"))?;
        if message.error.is_some_and(|it| it.len() > MAX_ERROR_BYTES) {
            return Err(WireError("the error text is too long"));
        }
        Ok(message)
    }

    /// The datagram, with the fields in the reference's order.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_bytes());
        put_number(&mut out, 11, self.version);
        let kind = match self.kind {
            Kind::Query => 1,
            Kind::Update => 2,
            Kind::Response => 3,
        };
        put_number(&mut out, 1, Some(kind));
        put_number(&mut out, 2, Some(self.rid));
        put_bytes(&mut out, 10, self.to);
        put_bytes(&mut out, 3, self.id);
        put_bytes(&mut out, 4, self.target);
        put_bytes(&mut out, 5, self.closer_nodes);
        put_bytes(&mut out, 6, self.token);
        put_bytes(&mut out, 7, self.command.map(str::as_bytes));
        put_bytes(&mut out, 8, self.error.map(str::as_bytes));
        put_bytes(&mut out, 9, self.value);
        debug_assert_eq!(out.len(), self.encoded_bytes());
        out
    }

    /// The encoded length, in bytes.
    pub(crate) fn encoded_bytes(&self) -> usize {
        let fields = [
            self.to,
            self.id,
            self.target,
            self.closer_nodes,
            self.token,
            self.command.map(str::as_bytes),
            self.error.map(str::as_bytes),
            self.value,
        ];
        let fields = fields.into_iter().flatten();
        let version = self.version.map_or(0, |version| 1 + varint_bytes(version));
        let numbers = version + 2 + 1 + varint_bytes(self.rid);
        numbers
            + fields
                .map(|field| 1 + varint_bytes(field.len() as u64) + field.len())
                .sum::<usize>()
    }
}

fn text(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes).map_err(|_| WireError("a text is not UTF-8"))
}

const VERSION: u64 = 1;
