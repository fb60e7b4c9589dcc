/// Why a value was not signed, not accepted or not stored. Whoever made it is at fault; nothing has
/// changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The value is too long.
    #[error("value of {length} bytes is too long")]
    Value {
        /// Its length in bytes.
        length: usize,
    },
    /// The salt is too long, or a length was asked for that no salt has.
    #[error("salt of {length} bytes is out of bounds")]
    Salt {
        /// Its length in bytes.
        length: usize,
    },
    /// The number is 2^53 or more.
    #[error("number {seq} is 2^53 or more")]
    Seq {
        /// The number.
        seq: u64,
    },
    /// The signature is not the owner's over this value.
    #[error("signature is not the owner's")]
    Signature,
}

/// Why an operation ended without what it was for. What happened until then has been told in events.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// Nobody answered: no network, no bootstrap node, or all of them are gone.
    #[error("no node responded")]
    NoReplies,
    /// Nodes were found, and none of them confirmed to have stored what it was sent.
    #[error("no node confirmed to have stored it")]
    NotStored,
    /// Nodes near the key have a newer value, which has been told in an event, or another one of the
    /// same number.
    #[error("a newer value is stored")]
    Newer,
    /// As many operations run as the limit allows.
    #[error("too many operations run at once")]
    TooMany,
}
