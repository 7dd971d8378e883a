//! All encodings, with `iconv` as the judge where it knows them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::charset::Charset as _;

use super::{Fallback, Page, TextEncoding, TextLayer, Undecodable, Unmappable};

fn encoding(label: &str) -> TextEncoding {
    TextEncoding::for_label(label).unwrap_or_else(|| panic!("no encoding `{label}`"))
}

fn decode(encoding: TextEncoding, bytes: &[u8]) -> Result<String, Undecodable> {
    let mut out = String::new();
    encoding.decode(bytes, &mut out).map(|()| out)
}

fn encode(encoding: TextEncoding, text: &str) -> Result<Vec<u8>, Unmappable> {
    let mut out = Vec::new();
    encoding
        .encode(text, Fallback::Refuse, &mut out)
        .map(|_| out)
}

fn check(label: &str, text: &str, bytes: &[u8]) {
    let encoding = encoding(label);
    assert_eq!(decode(encoding, bytes).as_deref(), Ok(text), "{label}");
    assert_eq!(encode(encoding, text).as_deref(), Ok(bytes), "{label}");
}

/// What `iconv` makes of bytes, `None` where it refuses them.
fn iconv(from: &str, to: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("iconv")
        .args(["-c", "-f", from, "-t", to])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("iconv is part of every glibc system");
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap().ok()?;
    Some(out.stdout)
}

#[test]
fn labels_name_encodings() {
    for label in [
        "utf-8",
        "UTF8",
        "ascii",
        "latin1",
        "utf-16",
        "utf-16be",
        "EUC-KR",
        "cp949",
        "uhc",
        "euc-kr-strict",
        "Shift_JIS",
        "cp932",
        "euc-jp",
        "big5",
        "gbk",
        "gb18030",
        "windows-1252",
        "koi8-r",
        "cp037",
        "IBM500",
        "ibm-1047",
        "1140",
        "cp933",
        "cp1364",
    ] {
        encoding(label);
    }
    for label in [
        "",
        "utf-7",
        "johab",
        "iso-2022-jp",
        "x-user-defined",
        "replacement",
        "cp9999",
    ] {
        assert_eq!(TextEncoding::for_label(label), None, "{label}");
    }
    assert_eq!(encoding("ks_c_5601-1987"), encoding("cp949"));
}

#[test]
fn known_texts() {
    check(
        "cp949",
        "A가힝똠방각하",
        b"A\xb0\xa1\xc8\xfe\x8c\x63\xb9\xe6\xb0\xa2\xc7\xcf",
    );
    check("shift_jis", "日本ｱ", b"\x93\xfa\x96\x7b\xb1");
    check("utf-16le", "a\u{1f600}", b"a\0\x3d\xd8\x00\xde");
    check("utf-16be", "가", b"\xac\x00");
    check("iso-8859-1", "é\u{80}", b"\xe9\x80");
    check("windows-1252", "é€", b"\xe9\x80");
    check("cp037", "HELLO 1", b"\xc8\xc5\xd3\xd3\xd6\x40\xf1");
    check("cp1140", "€", b"\x9f");
    let korean = encode(encoding("cp933"), "A가나B다").unwrap();
    assert_eq!(
        (korean.first(), korean.get(1), korean.get(6)),
        (Some(&0xc1), Some(&0x0e), Some(&0x0f))
    );
    check("cp933", "A가나B다", &korean);
}

#[test]
fn nothing_is_replaced_unless_asked_for() {
    for (label, text, bad) in [
        ("cp949", "a—b", '—'),
        ("euc-kr-strict", "가똠", '똠'),
        ("ascii", "é", 'é'),
        ("iso-8859-1", "가", '가'),
        ("shift_jis", "똠", '똠'),
        ("cp037", "가", '가'),
        ("cp933", "똠", '똠'),
        ("cp949", "\u{e000}", '\u{e000}'),
    ] {
        assert_eq!(
            encode(encoding(label), text),
            Err(Unmappable { character: bad }),
            "{label}"
        );
    }
    for (label, text, expected) in [
        ("cp949", "a—b😀", &b"a?b?"[..]),
        ("euc-kr-strict", "가똠", b"\xb0\xa1?"),
        ("shift_jis", "똠a", b"?a"),
    ] {
        let mut out = Vec::new();
        let replaced = encoding(label)
            .encode(text, Fallback::Byte(b'?'), &mut out)
            .unwrap();
        assert_eq!(out, expected, "{label}");
        assert!(replaced > 0);
    }
    let mut out = Vec::new();
    // The replacement is a single byte: the double-byte part ends before it.
    encoding("cp933")
        .encode("가똠나", Fallback::Byte(0x6f), &mut out)
        .unwrap();
    assert_eq!(decode(encoding("cp933"), &out).as_deref(), Ok("가?나"));
}

#[test]
fn bad_bytes_are_named_with_their_place() {
    for (label, bytes, at, len) in [
        ("utf-8", &b"ab\xff"[..], 2, 1),
        ("utf-8", b"a\xea\xb0", 1, 2),
        ("ascii", b"ab\x80", 2, 1),
        ("cp949", b"a\xb0", 1, 1),
        ("cp949", b"\xb0\xa1\xb0 x", 2, 1),
        ("cp949", b"\xc9\xa1", 0, 2),
        ("cp949", b"\xff", 0, 1),
        ("euc-kr-strict", b"a\x8c\x63", 1, 1),
        ("shift_jis", b"a\x93", 1, 1),
        ("utf-16le", b"a\0b", 2, 1),
        ("utf-16le", b"\x00\xd8a\0", 0, 2),
        ("cp933", b"\xc1\x0e\xd0\x65", 1, 3),
        ("cp933", b"\xc1\x0e\x40\x41\x0f", 2, 2),
        ("cp933", b"\x0f", 0, 1),
    ] {
        assert_eq!(
            decode(encoding(label), bytes),
            Err(Undecodable { at, len }),
            "{label} {bytes:x?}"
        );
    }
}

#[test]
fn all_188_user_defined_codes_come_back() {
    let with = encoding("cp949").with_user_defined(true);
    let mut codes = 0_u32;
    for lead in [0xc9, 0xfe] {
        for trail in 0xa1..=0xfe {
            let code = [lead, trail];
            let text = decode(with, &code).unwrap();
            let expected = char::from_u32(0xe000 + codes).unwrap();
            assert_eq!(text.chars().collect::<Vec<_>>(), [expected]);
            assert_eq!(encode(with, &text).as_deref(), Ok(&code[..]));
            assert!(decode(encoding("cp949"), &code).is_err());
            codes += 1;
        }
    }
    assert_eq!(codes, 188);
    assert!(encode(with, "\u{e0bc}").is_err());
    assert!(
        decode(
            encoding("euc-kr-strict").with_user_defined(true),
            b"\xc9\xa1"
        )
        .is_err()
    );
}

#[test]
fn korean_is_what_iconv_says() {
    let table: Vec<[u8; 2]> = (0x81..=0xfe_u8)
        .flat_map(|lead| (0x41..=0xfe_u8).map(move |trail| [lead, trail]))
        .filter(|code| decode(encoding("cp949"), code).is_ok())
        .collect();
    assert_eq!(table.len(), 17_048);
    let bytes: Vec<u8> = table
        .iter()
        .flat_map(|code| [code[0], code[1], b'\n'])
        .collect();
    let judged = iconv("CP949", "UTF-8", &bytes).unwrap();
    let judged = String::from_utf8(judged).unwrap();
    let ours = decode(encoding("cp949"), &bytes).unwrap();
    let differing = ours
        .lines()
        .zip(judged.lines())
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(ours.lines().count(), judged.lines().count());
    assert_eq!(differing, 0);
    assert_eq!(encode(encoding("cp949"), &ours).unwrap(), bytes);
}

#[test]
fn ebcdic_tables_are_what_iconv_says() {
    for (name, page) in [
        ("IBM037", Page::Cp037),
        ("IBM500", Page::Cp500),
        ("IBM1047", Page::Cp1047),
        ("IBM1140", Page::Cp1140),
        ("IBM933", Page::Cp933),
        ("IBM1364", Page::Cp1364),
    ] {
        let single: Vec<u8> = (0..=u8::MAX)
            .filter(|byte| page.decode(&[*byte], &mut String::new()).is_ok())
            .collect();
        let mut ours = String::new();
        page.decode(&single, &mut ours).unwrap();
        assert_eq!(
            iconv(name, "UTF-8", &single).unwrap(),
            ours.as_bytes(),
            "{name}"
        );
        let mut back = Vec::new();
        page.encode(&ours, Fallback::Refuse, &mut back).unwrap();
        assert_eq!(back, single, "{name}");
        if !page.has_double() {
            assert_eq!(single.len(), 256, "{name}");
            continue;
        }
        let mut all = Vec::new();
        for lead in 0x40..=0xff_u8 {
            for trail in 0x40..=0xff_u8 {
                all.extend_from_slice(&[0x0e, lead, trail, 0x0f, 0x25]);
            }
        }
        let judged = String::from_utf8(iconv(name, "UTF-8", &all).unwrap()).unwrap();
        let mut pairs = 0;
        for (code, line) in all.chunks(5).zip(judged.split('\n')) {
            let mut ours = String::new();
            let known = page.decode(code.get(..4).unwrap(), &mut ours).is_ok();
            assert_eq!(
                if known { ours.as_str() } else { "" },
                line,
                "{name} {code:x?}"
            );
            pairs += usize::from(known);
        }
        assert!(pairs > 10_000, "{name} has {pairs}");
    }
}

#[test]
fn a_text_layer_keeps_raw_positions() {
    let check = |label: &str, lines: [&str; 3]| {
        let encoding = encoding(label);
        let raw: Vec<Vec<u8>> = lines
            .iter()
            .map(|line| encode(encoding, line).unwrap())
            .collect();
        let bytes = raw.concat();
        let mut layer = TextLayer::new(encoding);
        layer.begin(&bytes);
        let mut text = String::new();
        let decoded = layer.decode(&bytes, true, &mut text);
        assert_eq!((decoded.used, decoded.bad), (bytes.len(), None));
        assert_eq!(text, lines.concat(), "{label}");
        assert_eq!(
            layer.raw_len(&bytes, lines[0].len()),
            raw[0].len(),
            "{label}"
        );
        assert_eq!(layer.raw_len(&bytes, text.len()), bytes.len(), "{label}");
        let inside = encode(encoding, "a,").unwrap().len();
        assert_eq!(layer.raw_len(&bytes, 2), inside, "{label}");
        // Whatever was read so far: what is text of it is the front of the text.
        for n in 0..bytes.len() {
            let mut front = String::new();
            let decoded = layer.decode(&bytes[..n], false, &mut front);
            assert!(
                decoded.bad.is_none() && text.starts_with(&front),
                "{label} {n}"
            );
            assert_eq!(
                layer.raw_len(&bytes[..n], front.len()),
                decoded.used,
                "{label} {n}"
            );
        }
    };
    for label in ["utf-8", "cp949", "utf-16le", "utf-16be", "cp933"] {
        check(label, ["a,가나\n", "다\n", "last 라"]);
    }
    check("shift_jis", ["a,日本\n", "表\n", "last"]);
    check("cp037", ["a,b\n", "c d\n", "last e"]);
}

#[test]
fn a_text_layer_names_bad_bytes_and_takes_marks() {
    let mut layer = TextLayer::new(encoding("cp949"));
    let mut text = String::new();
    let decoded = layer.decode(b"ok\nb\xff\xff\nx\n", true, &mut text);
    assert_eq!(
        decoded.bad,
        Some((
            4,
            "the bytes FFFF are no character of the encoding".to_owned()
        ))
    );
    assert_eq!((text.as_str(), decoded.used), ("ok\n", 3));
    for (bytes, expected) in [
        (&b"\xfe\xff\0a\0\n"[..], "a\n"),
        (b"\xff\xfea\0\n\0", "a\n"),
        (b"a\0\n\0", "a\n"),
    ] {
        let mut layer = TextLayer::new(encoding("utf-16"));
        layer.begin(bytes);
        let mut text = String::new();
        let decoded = layer.decode(bytes, true, &mut text);
        assert_eq!((text.as_str(), decoded.used), (expected, bytes.len()));
        assert_eq!(layer.raw_len(bytes, 2), bytes.len());
    }
}
