//! `file-source`: formats other than lines, bad records of each, and packed files.

use std::io::Write;

use serde_json::json;

use super::source::{check, check_failure, read, source};
use super::{Folder, told};

/// Reads everything with `errors.tolerance: all`: texts, and raw bytes with the message of each rejected record.
fn tolerant(
    folder: &Folder,
    name: &str,
    config: &[(&str, &str)],
) -> (Vec<String>, Vec<(Vec<u8>, String)>) {
    let mut config = config.to_vec();
    config.push(("errors.tolerance", "all"));
    let mut source = source(&folder.path(name), &config);
    let (mut texts, mut rejected) = (Vec::new(), Vec::new());
    source.open().unwrap();
    loop {
        let polled = source.poll().unwrap();
        source.commit(&polled).unwrap();
        texts.extend(polled.records.iter().map(|record| record.value.text()));
        for (record, why) in &polled.rejected {
            let linkspan_testkit::TestData::Bytes(raw) = record.value.clone() else {
                panic!("{record:?}")
            };
            let why = why.replace(folder.0.path().to_str().unwrap(), "DIR");
            rejected.push((raw, why));
        }
        if polled.poll == linkspan_sdk::Poll::Exhausted {
            return (texts, rejected);
        }
    }
}

fn check_format(config: &[(&str, &str)], content: &str, expected: &[&str]) {
    let folder = Folder::new();
    folder.write("a", content);
    // One record a poll: every position is resumed from.
    for asked in [1, 1000] {
        let mut one = source(&folder.path("a"), config).asking(asked, 1 << 20);
        check(&mut one, expected);
        check(&mut one, &[]);
    }
    // A new task at every position.
    let mut resumed = source(&folder.path("a"), config).asking(1, 1);
    let mut texts = Vec::new();
    for _ in 0..expected.len() {
        resumed.reopen().unwrap();
        let polled = resumed.poll().unwrap();
        resumed.commit(&polled).unwrap();
        texts.extend(polled.records.iter().map(|record| record.value.text()));
    }
    assert_eq!(texts, expected, "resumed: {config:?}");
}

#[test]
fn tsv_and_dialects_make_rows() {
    check_format(
        &[("format", "tsv")],
        "a\tb\n1\t2,3\n",
        &[r#"{"a":"1","b":"2,3"}"#],
    );
    check_format(
        &[
            ("format", "csv"),
            ("csv.delimiter", ";"),
            ("csv.comment", "#"),
            ("csv.trim", "true"),
            ("csv.short.rows", "pad"),
            ("csv.decimal.separator", ","),
            ("csv.group.separator", "."),
            ("csv.types", r#"{"n":"decimal(9,2)"}"#),
            ("skip.header.lines", "2"),
            ("skip.footer.lines", "1"),
        ],
        "exported by\nsomeone\nn ; t; u\n# note\n1.234,50 ; x \n-1;y;z\ntotal;2\n",
        &[
            r#"{"n":"1234.50","t":"x","u":null}"#,
            r#"{"n":"-1.00","t":"y","u":"z"}"#,
        ],
    );
    for slip in ["1,23", "1,2,3,4", ",5", "12,34.5", "1234,567", "1.234,567"] {
        let folder = Folder::new();
        folder.write("a.csv", format!("n\n\"1,234,567.5\"\n\"{slip}\"\n"));
        let mut source = source(
            &folder.path("a.csv"),
            &[
                ("format", "csv"),
                ("csv.group.separator", ","),
                ("csv.types", r#"{"n":"decimal(12,3)"}"#),
            ],
        );
        let error = source.run(10).unwrap_err();
        let (_, message) = told(&error, &folder);
        assert!(
            message.starts_with("`DIR/a.csv` line 3, byte 16: column `n` is not a `decimal(12,3)`"),
            "{slip}: {message}"
        );
    }
    check_format(
        &[("format", "csv"), ("csv.line.end", "cr")],
        "a,b\r1,2\r3,4",
        &[r#"{"a":"1","b":"2"}"#, r#"{"a":"3","b":"4"}"#],
    );
    check_format(
        &[("format", "csv"), ("csv.infer", "true")],
        "id,code,at\n1,007,2013-01-01\n2,x,2013-01-02\n",
        &[
            r#"{"id":1,"code":"007","at":"2013-01-01"}"#,
            r#"{"id":2,"code":"x","at":"2013-01-02"}"#,
        ],
    );
}

#[test]
fn inferred_types_stay_with_the_file_as_it_grows() {
    let folder = Folder::new();
    folder.write("a.csv", "n\n1\n");
    let config = [("format", "csv"), ("csv.infer", "true")];
    let mut source = source(&folder.path("a.csv"), &config);
    check(&mut source, &[r#"{"n":1}"#]);
    folder.write("a.csv", "n\n1\n2\nx\n");
    check_failure(
        &mut source,
        &folder,
        &[r#"{"n":2}"#],
        "data_invalid",
        "`DIR/a.csv` line 4, byte 6: column `n` is not of type `int64`",
    );
}

#[test]
fn json_of_every_shape_comes_record_by_record() {
    check_format(
        &[("format", "jsonl")],
        "{\"a\":1}\n\n  [2]\r\n\"x\"",
        &[r#"{"a":1}"#, "[2]", r#""x""#],
    );
    check_format(
        &[("format", "json")],
        " [ {\"a\": [1, \"]\"]} , 2 ,\n\"x\" ] ",
        &[r#"{"a": [1, "]"]}"#, "2", r#""x""#],
    );
    check_format(
        &[("format", "json")],
        "{\"a\":1}\n{\"a\":2} 3",
        &[r#"{"a":1}"#, r#"{"a":2}"#, "3"],
    );
    check_format(
        &[("format", "json"), ("json.path", "/data/items")],
        r#"{"skip":[{"items":[9]},"}"],"data":{"n":2,"items":[{"a":1},{"a":2}],"next":[7]}}"#,
        &[r#"{"a":1}"#, r#"{"a":2}"#],
    );
}

#[test]
fn xml_elements_come_record_by_record() {
    check_format(
        &[("format", "xml"), ("xml.path", "/c/list/b")],
        "<?xml version=\"1.0\"?>\n<!DOCTYPE c>\n<c><b>no</b><list n='1'>\n<b id=\"1\"><t>\u{c11c}</t></b>\n<!-- x --><o/><b>two</b></list></c>\n",
        &[r#"{"@id":"1","t":"서"}"#, r#""two""#],
    );
}

#[test]
fn lines_are_joined_from_a_start_pattern() {
    check_format(
        &[("multiline.start.pattern", r"^\d{4}")],
        "lost\n2024 a\n  at x\n  at y\r\n2025 b\n",
        &["lost", "2024 a\n  at x\n  at y", "2025 b"],
    );
    let folder = Folder::new();
    folder.write("a", "2024 a\n at x\n");
    let mut following = source(
        &folder.path("a"),
        &[
            ("multiline.start.pattern", r"^\d{4}"),
            ("multiline.timeout", "20ms"),
            ("poll.interval", "5ms"),
        ],
    )
    .bounded(false)
    .waiting(std::time::Duration::ZERO);
    following.open().unwrap();
    let mut texts = Vec::new();
    for _ in 0..500 {
        let polled = following.poll().unwrap();
        following.commit(&polled).unwrap();
        texts.extend(polled.records.iter().map(|record| record.value.text()));
        if !texts.is_empty() {
            break;
        }
        std::thread::yield_now();
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    assert_eq!(texts, ["2024 a\n at x"]);
}

#[test]
fn bad_records_go_aside_with_their_bytes_and_their_place() {
    let folder = Folder::new();
    let rejected =
        |config: &[(&str, &str)], content: &[u8], texts: usize, expected: &[(&[u8], &str)]| {
            folder.write("a", content);
            let (found, aside) = tolerant(&folder, "a", config);
            let aside: Vec<(&[u8], &str)> = aside
                .iter()
                .map(|(raw, why)| (raw.as_slice(), why.strip_prefix("`DIR/a` ").unwrap()))
                .collect();
            assert_eq!(aside, expected);
            assert_eq!(found.len(), texts, "{found:?}");
        };
    rejected(
        &[],
        b"ok\nbad \xff\xfe x\nok\n\xea\xb0",
        2,
        &[
            (
                b"bad \xff\xfe x\n",
                "line 2, byte 7: the bytes are not valid UTF-8",
            ),
            (
                b"\xea\xb0",
                "line 4, byte 15: the bytes are not valid UTF-8",
            ),
        ],
    );
    rejected(
        &[("format", "csv"), ("csv.types", r#"{"n":"int8"}"#)],
        b"n,t\n1,a\n2\n300,b\n\"x\"y,c\n3,\"\xff\nd\"\n4,e\n",
        2,
        &[
            (
                b"2\n",
                "line 3, byte 8: too few fields: 1 where 2 are expected",
            ),
            (
                b"300,b\n",
                "line 4, byte 10: column `n` is not of type `int8`",
            ),
            (
                b"\"x\"y,c\n",
                "line 5, byte 19: a field goes on after its closing quote",
            ),
            (
                b"3,\"\xff\nd\"\n",
                "line 6, byte 26: the bytes are not valid UTF-8",
            ),
        ],
    );
    rejected(
        &[("format", "jsonl")],
        b"{\"a\":1}\n{\"a\":}\n2\n",
        2,
        &[(
            b"{\"a\":}\n",
            "line 2, byte 13: it is not JSON: expected value",
        )],
    );
    rejected(
        &[("format", "json")],
        b"[1, {\"a\":tru}, 3]",
        2,
        &[(
            b"{\"a\":tru}",
            "line 1, byte 12: it is not JSON: expected ident",
        )],
    );
    rejected(
        &[("format", "xml"), ("xml.path", "/c/b")],
        b"<c><b>1</b>\n<b>&x;</b><b>3</b></c>",
        2,
        &[(
            b"<b>&x;</b>",
            "line 2, byte 12: it is not XML that can be read: the entity `x` is none of XML's own five",
        )],
    );
}

#[test]
fn a_record_that_is_too_long_is_passed_in_constant_memory() {
    let folder = Folder::new();
    let long = [b"ok\n".to_vec(), vec![b'x'; 5 << 20], b"\nend\n".to_vec()].concat();
    folder.write("a", long);
    let (texts, aside) = tolerant(&folder, "a", &[("max.line.bytes", "70000")]);
    assert_eq!(texts, ["ok", "end"]);
    assert_eq!((aside.len(), aside[0].0.len()), (1, 64 << 10));
    assert!(
        aside[0]
            .1
            .starts_with("`DIR/a` line 2, byte 3: longer than `max.line.bytes` (70000)")
    );
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (n, (name, content)) in members.iter().enumerate() {
        let method = if n % 2 == 0 {
            zip::CompressionMethod::Deflated
        } else {
            zip::CompressionMethod::Stored
        };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn packed_files_are_read_as_what_they_hold() {
    let folder = Folder::new();
    let lines: Vec<String> = (0..3000).map(|n| format!("line {n} 서울")).collect();
    let content = lines.join("\n") + "\n";
    let (front, back) = content.split_at(content.len() / 3);
    let members = [gzip(front.as_bytes()), gzip(back.as_bytes())].concat();
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz2.write_all(content.as_bytes()).unwrap();
    for (name, packed) in [
        ("a.gz", members),
        ("b.zst", zstd::encode_all(content.as_bytes(), 1).unwrap()),
        ("c.bz2", bz2.finish().unwrap()),
        (
            "d.zip",
            zipped(&[("x/1.txt", front.as_bytes()), ("2.txt", back.as_bytes())]),
        ),
    ] {
        folder.write(name, packed);
        let mut whole = source(&folder.path(name), &[]);
        let (texts, failure) = read(&mut whole);
        assert!(failure.is_none(), "{name}: {failure:?}");
        // A member of an archive is a file of its own: the line that was cut in two is two.
        if name == "d.zip" {
            assert_eq!(texts.concat(), lines.concat(), "{name}");
        } else {
            assert!(texts == lines, "{name}");
        }
        check(&mut whole, &[]);
        let size = std::fs::metadata(folder.path(name)).unwrap().len();
        assert_eq!(whole.files()[&folder.text(name)].bytes, size, "{name}");
        // Resumed in the middle.
        let mut resumed = source(&folder.path(name), &[]).asking(700, 1 << 20);
        let mut found = 0;
        for _ in 0..12 {
            resumed.reopen().unwrap();
            let polled = resumed.poll().unwrap();
            resumed.commit(&polled).unwrap();
            found += polled.records.len();
        }
        assert_eq!(found, texts.len(), "{name}");
    }
}

#[test]
fn members_of_an_archive_each_have_their_header() {
    let folder = Folder::new();
    folder.write(
        "a.zip",
        zipped(&[
            ("1.csv", b"a\n1\n"),
            ("e.csv", b""),
            ("2.csv", b"b,a\n2,3\n"),
        ]),
    );
    let config = [("format", "csv"), ("record.headers", "true")];
    let mut source = source(&folder.path("a.zip"), &config);
    source.open().unwrap();
    let polled = source.poll().unwrap();
    let found: Vec<_> = polled
        .records
        .iter()
        .map(|record| (record.value.text(), record.headers.clone()))
        .collect();
    let name = |member: &str| folder.text("a.zip") + "!" + member;
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].0.as_str(), found[1].0.as_str()),
        (r#"{"a":"1"}"#, r#"{"b":"2","a":"3"}"#)
    );
    assert_eq!(found[1].1[0].1.text(), name("2.csv"));
    assert_eq!(found[1].1[1].1.text(), "4");
}

/// Writes a file, and checks that reading it fails for this reason.
fn check_refused(
    folder: &Folder,
    name: &str,
    content: Vec<u8>,
    config: &[(&str, &str)],
    expected: &str,
) {
    folder.write(name, content);
    let (_, failure) = read(&mut source(&folder.path(name), config));
    let (kind, message) = told(&failure.expect(name), folder);
    assert_eq!(kind, "data_invalid", "{message}");
    assert!(message.contains(expected), "{name}: {message}");
}

#[test]
fn damaged_and_hostile_archives_are_refused_by_name() {
    let folder = Folder::new();
    let fails = |name: &str, content: Vec<u8>, config: &[(&str, &str)], expected: &str| {
        check_refused(&folder, name, content, config, expected);
    };
    let packed = gzip("line\n".repeat(5000).as_bytes());
    fails(
        "cut.gz",
        packed[..packed.len() - 20].to_vec(),
        &[],
        "`DIR/cut.gz` cannot be unpacked, behind byte",
    );
    let mut broken = packed.clone();
    let at = broken.len() - 6;
    broken[at] ^= 0xff;
    fails("bad.gz", broken, &[], "`DIR/bad.gz` cannot be unpacked");
    fails(
        "trail.gz",
        [packed, b"garbage".to_vec()].concat(),
        &[],
        "`DIR/trail.gz` cannot be unpacked, behind byte 25000",
    );
    fails(
        "bomb.gz",
        gzip(&vec![b'\n'; 3 << 20]),
        &[("max.unpacked.bytes", "1MiB")],
        "it unpacks to more than `max.unpacked.bytes` (1048576)",
    );
    fails(
        "bomb.zip",
        zipped(&[("z", &vec![b'\n'; 3 << 20])]),
        &[("max.unpacked.bytes", "1MiB")],
        "it unpacks to more than `max.unpacked.bytes` (1048576)",
    );
    fails(
        "up.zip",
        zipped(&[("../../etc/passwd", b"x\n")]),
        &[],
        "its member `../../etc/passwd` names a place outside the archive",
    );
    fails(
        "abs.zip",
        zipped(&[("/etc/passwd", b"x\n")]),
        &[],
        "its member `/etc/passwd` names a place outside the archive",
    );
    let whole = zipped(&[("a", b"x\ny\n")]);
    fails(
        "cut.zip",
        whole[..whole.len() - 30].to_vec(),
        &[],
        "`DIR/cut.zip` cannot be unpacked",
    );
    let mut crc = zipped(&[("s", b"x\n"), ("stored", b"hello\n")]);
    let at = crc.windows(6).position(|w| w == b"hello\n").unwrap();
    crc[at] = b'j';
    fails(
        "crc.zip",
        crc,
        &[],
        "member `stored` has another checksum than the archive says",
    );
}

#[test]
fn archives_with_links_locks_and_overlaps_are_refused() {
    let folder = Folder::new();
    let fails = |name: &str, content: Vec<u8>, expected: &str| {
        check_refused(&folder, name, content, &[], expected);
    };
    let mut linked = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let plain = zip::write::SimpleFileOptions::default();
    linked.add_symlink("l", "/etc/passwd", plain).unwrap();
    fails(
        "link.zip",
        linked.finish().unwrap().into_inner(),
        "its member `l` is a link",
    );
    // Where the fields are in the headers of a member and of its entry in the directory: APPNOTE 4.3.7 and 4.3.12.
    let places = |bytes: &[u8], mark: &[u8]| -> Vec<usize> {
        (0..bytes.len())
            .filter(|at| bytes[*at..].starts_with(mark))
            .collect()
    };
    let mut locked = zipped(&[("a", b"x\ny\n")]);
    for (mark, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = places(&locked, mark)[0] + flags;
        locked[at] |= 1;
    }
    fails("locked.zip", locked, "its member `a` is encrypted");
    let mut twice = zipped(&[("a", b"x\ny\n"), ("b", b"x\ny\n")]);
    let second = places(&twice, b"PK\x01\x02")[1] + 42;
    twice[second..second + 4].fill(0);
    fails(
        "twice.zip",
        twice,
        "its members overlap, as in an archive bomb",
    );
}

#[test]
fn a_document_that_declares_entities_is_refused() {
    let folder = Folder::new();
    folder.write(
        "a",
        "<!DOCTYPE c [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]><c><b>&b;</b></c>",
    );
    check_failure(
        &mut source(
            &folder.path("a"),
            &[("format", "xml"), ("xml.path", "/c/b")],
        ),
        &folder,
        &[],
        "data_invalid",
        "`DIR/a`: the document declares a DTD of its own: entities are not expanded, remove the declaration",
    );
    folder.write("a", r#"{"data":{"items":[{"a":1},"#);
    check_failure(
        &mut source(
            &folder.path("a"),
            &[("format", "json"), ("json.path", "/data/items")],
        ),
        &folder,
        &[r#"{"a":1}"#],
        "data_invalid",
        "`DIR/a`: the file ends inside the array of records",
    );
    folder.write("a", r#"{"data":3}"#);
    check_failure(
        &mut source(
            &folder.path("a"),
            &[("format", "json"), ("json.path", "/data/items")],
        ),
        &folder,
        &[],
        "data_invalid",
        "`DIR/a`: there is no array at `json.path` /data/items: `/data` is no object",
    );
}

#[test]
fn names_that_are_not_utf_8_are_read_and_told() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let name = std::ffi::OsStr::from_bytes(b"\xbc\xad\xbf\xef.txt");
    std::fs::write(folder.0.path().join(name), b"x\n\xff\n").unwrap();
    let mut source = source(&folder.path("*.txt"), &[]);
    check_failure(
        &mut source,
        &folder,
        &["x"],
        "data_invalid",
        "`DIR/\\xbc\\xad\\xbf\\xef.txt` line 2, byte 2: the bytes are not valid UTF-8",
    );
    let partition = json!({"filename": folder.text("\\xbc\\xad\\xbf\\xef.txt")});
    assert_eq!(source.committed(&partition).unwrap()["position"], 2);
}

/// With `FILE_TEST_BIG_GIB=10` ten GiB are read; the file is mostly holes, so that it takes up a hundredth of that on the disk.
#[test]
fn a_file_larger_than_memory_is_read_in_constant_memory() {
    use std::os::unix::fs::FileExt;
    const LINE_BYTES: u64 = 512 << 10;
    let gib: u64 = std::env::var("FILE_TEST_BIG_GIB").map_or(0, |text| text.parse().unwrap());
    let lines = if gib == 0 {
        64
    } else {
        (gib << 30) / LINE_BYTES
    };
    let folder = Folder::new();
    let file = std::fs::File::create(folder.path("big")).unwrap();
    for line in 1..=lines {
        file.write_all_at(b"\n", line * LINE_BYTES - 1).unwrap();
    }
    let resident = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let mut source = source(&folder.path("big"), &[]).asking(u32::MAX, 4 << 20);
    source.open().unwrap();
    let (mut records, mut before, mut most) = (0, None, 0);
    let started = std::time::Instant::now();
    loop {
        let polled = source.poll().unwrap();
        source.commit(&polled).unwrap();
        records += polled.records.len() as u64;
        // From when the buffers have their size on.
        before.get_or_insert_with(resident);
        most = most.max(resident());
        if polled.poll == linkspan_sdk::Poll::Exhausted {
            break;
        }
    }
    assert_eq!(records, lines);
    if gib > 0 {
        let before = before.unwrap();
        println!(
            "{gib} GiB in {:?}: resident {before} KiB after the first batch, {most} KiB at most",
            started.elapsed()
        );
        assert!(most < before + (64 << 10), "memory grew with the file");
    }
}
