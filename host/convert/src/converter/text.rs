//! The converter `string`: Java's text of a value, in any of the usual encodings.

use bytes::Bytes;
use encoding_rs::{EncoderResult, Encoding};

use crate::options::{ConfigProblem, OptionDef, Settings};
use crate::{Error, Schema, SchemaAndValue, Type, Value, java};

pub(super) const OPTIONS: &[OptionDef] = &[OptionDef::string(
    "converter.encoding",
    "The encoding of the text, by a name such as UTF-8, UTF-16, ISO-8859-1, EUC-KR.",
)
.default("UTF-8")];

/// Text in one encoding.
#[derive(Debug, Clone, Copy)]
pub struct StringConverter {
    charset: Charset,
}

#[derive(Debug, Clone, Copy)]
enum Charset {
    Utf8,
    /// With a byte order mark, big-endian when written.
    Utf16,
    Utf16Be,
    Utf16Le,
    Ascii,
    Latin1,
    Other(&'static Encoding),
}

impl StringConverter {
    /// Returns a converter from its options.
    ///
    /// # Errors
    /// The encoding must be a known one; Connect finds that out at the first record only.
    pub fn new(settings: &Settings) -> Result<Self, ConfigProblem> {
        let name = settings.text_or_empty("converter.encoding");
        charset(name)
            .map(|charset| Self { charset })
            .ok_or_else(|| {
                ConfigProblem::new(
                    "converter.encoding",
                    "is the name of an encoding, such as UTF-8",
                )
            })
    }

    /// Returns whether text is stored as it is.
    #[must_use]
    pub const fn is_utf8(self) -> bool {
        matches!(self.charset, Charset::Utf8)
    }

    /// Returns the text of a value, null for null; `?` stands for what the encoding lacks.
    ///
    /// # Errors
    /// Bytes have no text.
    pub fn from_connect(self, value: &Value) -> Result<Option<Bytes>, Error> {
        if value.is_null() {
            return Ok(None);
        }
        let mut text = String::new();
        java::to_string(value, &mut text)?;
        Ok(Some(self.encode(text)))
    }

    /// Returns the text with an optional schema; U+FFFD stands for what is no text.
    ///
    /// # Errors
    /// Never; the result is one for the sake of its siblings.
    pub fn to_connect(self, bytes: Option<&[u8]>) -> Result<SchemaAndValue, Error> {
        let value = bytes.map_or(Value::Null, |bytes| Value::string(self.decode(bytes)));
        Ok(SchemaAndValue::new(
            Schema::shared(Type::String, true),
            value,
        ))
    }

    fn encode(self, text: String) -> Bytes {
        match self.charset {
            Charset::Utf8 => Bytes::from(text),
            Charset::Utf16 => {
                // An empty text has no byte order mark.
                let mark = (!text.is_empty()).then_some(0xfeff).into_iter();
                mark.chain(text.encode_utf16())
                    .flat_map(u16::to_be_bytes)
                    .collect()
            }
            Charset::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Charset::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Charset::Ascii => text.chars().map(|c| byte_below(c, 0x80)).collect(),
            Charset::Latin1 => text.chars().map(|c| byte_below(c, 0x100)).collect(),
            Charset::Other(encoding) => encode_other(encoding, &text),
        }
    }

    fn decode(self, bytes: &[u8]) -> String {
        match self.charset {
            Charset::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Charset::Utf16 => match bytes {
                [0xff, 0xfe, rest @ ..] => decode_utf16(rest, u16::from_le_bytes),
                [0xfe, 0xff, rest @ ..] => decode_utf16(rest, u16::from_be_bytes),
                _ => decode_utf16(bytes, u16::from_be_bytes),
            },
            Charset::Utf16Be => decode_utf16(bytes, u16::from_be_bytes),
            Charset::Utf16Le => decode_utf16(bytes, u16::from_le_bytes),
            Charset::Ascii => bytes
                .iter()
                .map(|byte| {
                    if byte.is_ascii() {
                        char::from(*byte)
                    } else {
                        char::REPLACEMENT_CHARACTER
                    }
                })
                .collect(),
            Charset::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Charset::Other(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}

fn charset(name: &str) -> Option<Charset> {
    let upper = name.to_ascii_uppercase();
    Some(match upper.as_str() {
        "UTF-8" | "UTF8" | "UNICODE-1-1-UTF-8" => Charset::Utf8,
        "UTF-16" | "UTF_16" | "UNICODE" | "UNICODEBIG" => Charset::Utf16,
        "UTF-16BE" | "UTF_16BE" | "X-UTF-16BE" | "UNICODEBIGUNMARKED" => Charset::Utf16Be,
        "UTF-16LE" | "UTF_16LE" | "X-UTF-16LE" | "UNICODELITTLEUNMARKED" => Charset::Utf16Le,
        "US-ASCII" | "ASCII" | "ISO646-US" | "ANSI_X3.4-1968" | "CP367" => Charset::Ascii,
        "ISO-8859-1" | "ISO8859_1" | "ISO8859-1" | "ISO_8859-1" | "LATIN1" | "L1" | "CP819" => {
            Charset::Latin1
        }
        "MS949" | "X-WINDOWS-949" | "CP949" | "UHC" => Charset::Other(encoding_rs::EUC_KR),
        "MS932" | "WINDOWS-31J" | "CP932" => Charset::Other(encoding_rs::SHIFT_JIS),
        "MS936" | "CP936" | "X-MSWIN-936" => Charset::Other(encoding_rs::GBK),
        "MS950" | "CP950" | "X-WINDOWS-950" => Charset::Other(encoding_rs::BIG5),
        "CP1250" => Charset::Other(encoding_rs::WINDOWS_1250),
        "CP1251" => Charset::Other(encoding_rs::WINDOWS_1251),
        "CP1252" => Charset::Other(encoding_rs::WINDOWS_1252),
        _ => {
            let encoding = Encoding::for_label(name.as_bytes())?;
            // The web's substitutes for encodings that must not be read.
            if encoding == encoding_rs::REPLACEMENT || encoding == encoding_rs::X_USER_DEFINED {
                return None;
            }
            Charset::Other(encoding)
        }
    })
}

fn byte_below(character: char, limit: u32) -> u8 {
    let code = u32::from(character);
    u8::try_from(code)
        .ok()
        .filter(|_| code < limit)
        .unwrap_or(b'?')
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    let odd = (!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER);
    text.chain(odd).collect()
}

fn encode_other(encoding: &'static Encoding, text: &str) -> Bytes {
    let mut encoder = encoding.new_encoder();
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        out.reserve(room.unwrap_or(rest.len().saturating_mul(4)) + 16);
        let (result, read) =
            encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut out, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return Bytes::from(out),
            EncoderResult::Unmappable(_) => out.push(b'?'),
            EncoderResult::OutputFull => {}
        }
    }
}
