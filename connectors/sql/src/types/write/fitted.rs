//! What a column takes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::array::push_quoted;
use super::hex::hex;
use crate::types::cell::Unfit;
use crate::types::tree;

/// What a column takes; `Scratch` is the text in the encoder's scratch.
#[derive(Debug)]
pub(super) enum Fitted<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(&'a str),
    Scratch,
    Bytes(&'a [u8]),
    OwnedBytes(Vec<u8>),
}

impl Fitted<'_> {
    fn plain<'s>(&'s self, scratch: &'s str) -> Cow<'s, str> {
        match self {
            Self::Null => Cow::Borrowed("NULL"),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::UInt(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(ryu::Buffer::new().format(*number).to_owned()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Scratch => Cow::Borrowed(scratch),
            Self::Bytes(bytes) => Cow::Owned(hex(bytes)),
            Self::OwnedBytes(bytes) => Cow::Owned(hex(bytes)),
        }
    }

    /// Appends an item of PostgreSQL's array literal.
    pub(super) fn push_item(&self, scratch: &str, out: &mut String) -> Result<(), Unfit> {
        if matches!(self, Self::Null) {
            out.push_str("NULL");
            return Ok(());
        }
        push_quoted(&self.plain(scratch), out);
        Ok(())
    }

    pub(super) fn push_json(&self, scratch: &str, bare: bool, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            _ if bare => out.push_str(&self.plain(scratch)),
            Self::Bytes(bytes) => tree::write_text(&STANDARD.encode(bytes), out),
            _ => tree::write_text(&self.plain(scratch), out),
        }
    }
}
