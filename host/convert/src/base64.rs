//! Base64 as Jackson reads and writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Appends padded base64.
pub(crate) fn encode(bytes: &[u8], out: &mut String) {
    STANDARD.encode_string(bytes, out);
}

/// Reads padded base64. Blanks may stand between groups of four; bits behind the last byte are not looked at.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut input = text.bytes();
    loop {
        let Some(first) = input.by_ref().find(|byte| *byte > b' ') else {
            return Some(out);
        };
        let (first, second) = (sextet(first)?, sextet(input.next()?)?);
        let mut bits = (first << 6) | second;
        let third = input.next()?;
        if third == b'=' {
            if input.next()? != b'=' {
                return None;
            }
            out.push(low_byte(bits >> 4));
            continue;
        }
        bits = (bits << 6) | sextet(third)?;
        let fourth = input.next()?;
        if fourth == b'=' {
            out.push(low_byte(bits >> 10));
            out.push(low_byte(bits >> 2));
            continue;
        }
        bits = (bits << 6) | sextet(fourth)?;
        out.extend([low_byte(bits >> 16), low_byte(bits >> 8), low_byte(bits)]);
    }
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

fn low_byte(bits: u32) -> u8 {
    let [.., low] = bits.to_be_bytes();
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padding_is_required_and_blanks_may_stand_between_groups() {
        assert_eq!(decode("AQI="), Some(vec![1, 2]));
        assert_eq!(decode(" AQI=\nAQ==  "), Some(vec![1, 2, 1]));
        assert_eq!(decode(""), Some(vec![]));
        for bad in ["AQI", "A", "A===", "AQ=x", "A QI=", "!!!!", "5"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn bytes_survive_the_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let mut text = String::new();
            encode(&bytes, &mut text);
            prop_assert_eq!(decode(&text), Some(bytes));
        }
    }
}
