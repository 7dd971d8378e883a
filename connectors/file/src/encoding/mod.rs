//! Text encodings by label, in both directions, without ever putting one character in place of another by itself.
//!
//! ```text
//! label ─► TextEncoding ─► decode: bytes → text, or where the first byte is that means nothing
//!                  └► encode: text → bytes, or the first character that has none
//! ```
//!
//! The web's encodings come from `encoding_rs`; the Korean ones ([`korean`]) and EBCDIC ([`ebcdic`]) have tables here, because
//! legacy files use codes that the web's standard leaves out. [`layer`] puts a text format on top of encoded bytes.

mod double;
mod ebcdic;
mod korean;
mod layer;
mod utf16;

#[cfg(test)]
mod tests;

pub(crate) use ebcdic::Page;
pub(crate) use korean::Korean;
pub(crate) use layer::TextLayer;
pub(crate) use utf16::Order;

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    Utf8,
    Ascii,
    /// ISO 8859-1 with its control characters, which the web reads as windows-1252.
    Latin1,
    /// An encoding of the web: Shift-JIS, Big5, GB18030, windows-125x, …
    Web(&'static encoding_rs::Encoding),
    Korean(Korean),
    Utf16(Order),
    Ebcdic(Page),
}

/// Bytes that stand for no character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undecodable {
    /// Where they begin.
    pub(crate) at: usize,
    /// How many they are.
    pub(crate) len: usize,
}

/// A character without a code in the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unmappable {
    pub(crate) character: char,
}

/// What is written for a character without a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    Refuse,
    /// This byte, a character of its own in the encoding.
    Byte(u8),
}

/// The labels that people write, beside those of the web's standard.
const KOREAN_LABELS: [&str; 12] = [
    "euc-kr",
    "euckr",
    "euc_kr",
    "cp949",
    "949",
    "uhc",
    "ms949",
    "windows-949",
    "x-windows-949",
    "ks_c_5601-1987",
    "ksc5601",
    "ksc_5601",
];

/// What the option's documentation and errors name.
pub(crate) const LABELS: &str = "`utf-8`, `utf-16`, `utf-16le`, `utf-16be`, `euc-kr` (= `cp949`), `euc-kr-strict`, `shift_jis`, \
     `euc-jp`, `big5`, `gb18030`, `iso-8859-1`, `windows-1252`, the other labels of the web's encodings, and EBCDIC `cp037`, \
     `cp500`, `cp1047`, `cp1140`, `cp933`, `cp1364`";

impl TextEncoding {
    /// Finds the encoding of a label, in any case; `None` for an unknown one.
    pub(crate) fn for_label(label: &str) -> Option<Self> {
        let label = label.trim().to_ascii_lowercase();
        let found = match label.as_str() {
            "utf-8" | "utf8" => Self::Utf8,
            "ascii" | "us-ascii" => Self::Ascii,
            "iso-8859-1" | "latin1" | "latin-1" => Self::Latin1,
            "utf-16" | "utf16" => Self::Utf16(Order::Marked),
            "utf-16le" | "utf16le" => Self::Utf16(Order::Little),
            "utf-16be" | "utf16be" => Self::Utf16(Order::Big),
            "euc-kr-strict" => Self::Korean(Korean {
                strict: true,
                user_defined: false,
            }),
            "cp932" | "ms932" | "windows-932" | "windows-31j" | "sjis" | "shift-jis" => {
                Self::Web(encoding_rs::SHIFT_JIS)
            }
            other if KOREAN_LABELS.contains(&other) => Self::Korean(Korean::default()),
            other => match Page::for_label(other) {
                Some(page) => Self::Ebcdic(page),
                None => Self::web(other)?,
            },
        };
        Some(found)
    }

    fn web(label: &str) -> Option<Self> {
        let encoding = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())?;
        // A line end may be part of a character there, and user-defined bytes have no meaning at all.
        let unfit = encoding == encoding_rs::ISO_2022_JP || encoding == encoding_rs::X_USER_DEFINED;
        (!unfit).then_some(match encoding {
            e if e == encoding_rs::UTF_8 => Self::Utf8,
            e if e == encoding_rs::EUC_KR => Self::Korean(Korean::default()),
            e if e == encoding_rs::UTF_16LE => Self::Utf16(Order::Little),
            e if e == encoding_rs::UTF_16BE => Self::Utf16(Order::Big),
            e => Self::Web(e),
        })
    }

    /// Maps the user-defined rows of CP949 to the private use area, in both directions.
    pub(crate) fn with_user_defined(self, on: bool) -> Self {
        match self {
            Self::Korean(korean) => Self::Korean(Korean {
                user_defined: on && !korean.strict,
                ..korean
            }),
            other => other,
        }
    }

    /// Appends the text of `bytes`. On an error the text before the bad bytes is there.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
        match self {
            Self::Utf8 => utf8(bytes, out),
            Self::Ascii => match bytes.iter().position(|byte| !byte.is_ascii()) {
                None => utf8(bytes, out),
                Some(at) => {
                    utf8(bytes.get(..at).unwrap_or_default(), out)?;
                    Err(Undecodable { at, len: 1 })
                }
            },
            Self::Latin1 => {
                out.extend(bytes.iter().map(|&byte| char::from(byte)));
                Ok(())
            }
            Self::Web(encoding) => web_decode(encoding, bytes, out),
            Self::Korean(korean) => korean.decode(bytes, out),
            Self::Utf16(order) => order.decode(bytes, out),
            Self::Ebcdic(page) => page.decode(bytes, out),
        }
    }

    /// Appends the bytes of `text`; returns how many characters `fallback` stands for. On an error some bytes may be there.
    pub(crate) fn encode(
        self,
        text: &str,
        fallback: Fallback,
        out: &mut Vec<u8>,
    ) -> Result<u64, Unmappable> {
        match self {
            Self::Utf8 => {
                out.extend_from_slice(text.as_bytes());
                Ok(0)
            }
            Self::Ascii => each(text, fallback, out, |c, out| {
                let byte = u8::try_from(c).ok().filter(u8::is_ascii);
                byte.map(|byte| out.push(byte)).is_some()
            }),
            Self::Latin1 => each(text, fallback, out, |c, out| {
                u8::try_from(c).map(|byte| out.push(byte)).is_ok()
            }),
            Self::Web(encoding) => web_encode(encoding, text, fallback, out),
            Self::Korean(korean) => each(text, fallback, out, |c, out| korean.encode(c, out)),
            Self::Utf16(order) => {
                order.encode(text, out);
                Ok(0)
            }
            Self::Ebcdic(page) => page.encode(text, fallback, out),
        }
    }

    /// Returns the encoding's space, one byte or, in UTF-16, two.
    pub(crate) fn space(self) -> &'static [u8] {
        match self {
            Self::Ebcdic(_) => &[0x40],
            Self::Utf16(Order::Big) => &[0, b' '],
            Self::Utf16(_) => &[b' ', 0],
            _ => b" ",
        }
    }

    /// Whether the letters, digits and line ends of ASCII are single bytes of the same number.
    pub(crate) fn is_ascii_compatible(self) -> bool {
        !matches!(self, Self::Utf16(_) | Self::Ebcdic(_))
    }
}

fn utf8(bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            out.push_str(text);
            Ok(())
        }
        Err(error) => {
            let at = error.valid_up_to();
            let good = bytes.get(..at).unwrap_or_default();
            out.push_str(std::str::from_utf8(good).unwrap_or_default());
            let len = error.error_len().unwrap_or(bytes.len() - at);
            Err(Undecodable { at, len })
        }
    }
}

fn web_decode(
    encoding: &'static encoding_rs::Encoding,
    bytes: &[u8],
    out: &mut String,
) -> Result<(), Undecodable> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut read = 0;
    loop {
        let rest = bytes.get(read..).unwrap_or_default();
        // Four bytes of UTF-8 for each byte is more than any of these encodings needs.
        out.reserve(rest.len().saturating_mul(4).max(16));
        let (result, n) = decoder.decode_to_string_without_replacement(rest, out, true);
        read += n;
        match result {
            encoding_rs::DecoderResult::InputEmpty => return Ok(()),
            encoding_rs::DecoderResult::OutputFull => {}
            encoding_rs::DecoderResult::Malformed(len, after) => {
                let (len, after) = (usize::from(len), usize::from(after));
                return Err(Undecodable {
                    at: read.saturating_sub(len + after),
                    len,
                });
            }
        }
    }
}

fn web_encode(
    encoding: &'static encoding_rs::Encoding,
    text: &str,
    fallback: Fallback,
    out: &mut Vec<u8>,
) -> Result<u64, Unmappable> {
    let mut encoder = encoding.new_encoder();
    let (mut read, mut replaced) = (0, 0);
    loop {
        let rest = text.get(read..).unwrap_or_default();
        out.reserve(rest.len().saturating_mul(2).max(16));
        let (result, n) = encoder.encode_from_utf8_to_vec_without_replacement(rest, out, true);
        read += n;
        match result {
            encoding_rs::EncoderResult::InputEmpty => return Ok(replaced),
            encoding_rs::EncoderResult::OutputFull => {}
            encoding_rs::EncoderResult::Unmappable(character) => match fallback {
                Fallback::Refuse => return Err(Unmappable { character }),
                Fallback::Byte(byte) => {
                    out.push(byte);
                    replaced += 1;
                }
            },
        }
    }
}

/// Encodes character by character; `push` says whether there is a code.
fn each(
    text: &str,
    fallback: Fallback,
    out: &mut Vec<u8>,
    mut push: impl FnMut(char, &mut Vec<u8>) -> bool,
) -> Result<u64, Unmappable> {
    let mut replaced = 0;
    for character in text.chars() {
        if push(character, out) {
            continue;
        }
        match fallback {
            Fallback::Refuse => return Err(Unmappable { character }),
            Fallback::Byte(byte) => {
                out.push(byte);
                replaced += 1;
            }
        }
    }
    Ok(replaced)
}
