//! `PIC` strings.

/// What a picture describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// Characters of one byte each: X, A, and edited numbers.
    Text {
        chars: usize,
    },
    /// Characters of two bytes each: G and N.
    Double {
        chars: usize,
    },
    Number {
        digits: u8,
        scale: u8,
        signed: bool,
    },
}

/// The most digits of a number.
const DIGITS_MAX: usize = 38;
/// The most characters of a text.
const CHARS_MAX: usize = 16 << 20;

/// Reads a picture such as `S9(7)V99`; says why it cannot be used.
pub(crate) fn parse(text: &str) -> Result<Picture, String> {
    let symbols = expand(text)?;
    let count = |wanted: char| {
        symbols
            .iter()
            .filter(|(symbol, _)| *symbol == wanted)
            .map(|(_, n)| n)
            .sum::<usize>()
    };
    let total: usize = symbols.iter().map(|(_, n)| n).sum();
    let only = |allowed: &str| symbols.iter().all(|(symbol, _)| allowed.contains(*symbol));
    if total == 0 || total > CHARS_MAX {
        return Err(format!("`PIC {text}` has no sensible length"));
    }
    if only("S9V") {
        let behind = symbols
            .iter()
            .skip_while(|(symbol, _)| *symbol != 'V')
            .filter(|(symbol, _)| *symbol == '9');
        let scale: usize = behind.map(|(_, n)| n).sum();
        let digits = count('9');
        let misplaced = symbols.iter().skip(1).any(|(symbol, _)| *symbol == 'S')
            || count('S') > 1
            || count('V') > 1;
        return match (u8::try_from(digits), u8::try_from(scale)) {
            (Ok(digits), Ok(scale))
                if (1..=DIGITS_MAX).contains(&usize::from(digits)) && !misplaced =>
            {
                Ok(Picture::Number {
                    digits,
                    scale,
                    signed: count('S') == 1,
                })
            }
            _ => Err(format!(
                "`PIC {text}` must have 1 to {DIGITS_MAX} digits, one S in front and one V"
            )),
        };
    }
    if only("GNB") && count('B') < total {
        return Ok(Picture::Double { chars: total });
    }
    if only("SP9V") {
        return Err(format!(
            "`PIC {text}` scales with P, which is not supported"
        ));
    }
    if only("XA9") || only("XA90BZ*+-,./$CRD") {
        return Ok(Picture::Text { chars: total });
    }
    // A V in an edited number takes no place.
    if only("XA90BZ*+-,./$CRDV") {
        return Ok(Picture::Text {
            chars: total - count('V'),
        });
    }
    Err(format!("`PIC {text}` has a symbol that is not known"))
}

/// `9(3)V99` as symbols with their counts.
fn expand(text: &str) -> Result<Vec<(char, usize)>, String> {
    let mut symbols = Vec::new();
    let mut rest = text.chars();
    while let Some(symbol) = rest.next() {
        let symbol = symbol.to_ascii_uppercase();
        let mut n = 1;
        if rest.as_str().starts_with('(') {
            let inner = rest
                .as_str()
                .get(1..)
                .and_then(|inner| inner.split_once(')'));
            let (digits, behind) =
                inner.ok_or_else(|| format!("`PIC {text}` has an open bracket"))?;
            n = digits
                .trim()
                .parse()
                .map_err(|_| format!("`PIC {text}` has no number in brackets"))?;
            rest = behind.chars();
        }
        symbols.push((symbol, n));
    }
    Ok(symbols)
}
