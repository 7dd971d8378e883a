//! Files as legacy systems write them, through the whole program: the nightly job, control totals, a copybook file that GnuCOBOL
//! wrote, a guess at an unknown file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::pipeline::summary;
use crate::support::{Ran, Scratch, linkspan, repository, run, run_once, skip_outside_ci};

/// The night loads tables: it needs the plugin that writes them.
fn writes_tables() -> bool {
    let found = run(&mut linkspan(&["plugin", "inspect", "sql-sink"]))
        .status
        .success();
    if !found {
        skip_outside_ci("the nightly job", "this build has no `sql-sink`");
    }
    found
}

/// A copy of `configs/legacy` that a test may change.
fn nightly() -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let (from, to) = (repository().join("configs/legacy"), scratch.path("legacy"));
    copy(&from, &to);
    (scratch, to)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn night(folder: &Path, day: &str) -> Ran {
    let param = format!("day={day}");
    run_once(
        &folder.join("nightly.yaml"),
        &["--timeout", "90s", "--param", &param],
    )
}

/// The accounts of the database as the file that the legacy system reads.
fn way_back(folder: &Path, data: &str) -> Vec<u8> {
    let output = folder.join("out/master-2026-01-31.dat");
    fs::remove_file(&output).ok();
    let data = folder.join(data);
    let more = [
        "--timeout",
        "90s",
        "--param",
        "day=2026-01-31",
        "--data",
        data.to_str().unwrap(),
    ];
    run_once(&folder.join("back.yaml"), &more).expect_code(0);
    fs::read(output).unwrap()
}

fn connector<'a>(report: &'a Value, name: &str) -> &'a Value {
    let connectors = report["connectors"].as_array().unwrap();
    connectors
        .iter()
        .find(|connector| connector["name"] == name)
        .unwrap()
}

#[test]
fn a_night_is_loaded_once_and_comes_back_byte_for_byte() {
    if !writes_tables() {
        return;
    }
    let (_scratch, folder) = nightly();
    let report = summary(&night(&folder, "2026-01-31").expect_code(0));
    let master = &connector(&report, "master-in")["files"][0];
    assert_eq!(master["records"], 4);
    assert_eq!(master["sums"]["balance"], "92830648.39");
    assert_eq!(master["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(connector(&report, "transactions-in")["records"], 3);
    assert_eq!(connector(&report, "transactions-out")["records"], 3);
    let original = fs::read(folder.join("data/master-2026-01-31.dat")).unwrap();
    assert!(
        way_back(&folder, "back-1") == original,
        "the accounts came back as other bytes"
    );
    // Run twice it changes nothing.
    let again = summary(&night(&folder, "2026-01-31").expect_code(0));
    assert_eq!(connector(&again, "accounts-out")["records"], 0);
    assert!(way_back(&folder, "back-2") == original);
    // An earlier day, and the later one again: the key decides.
    let earlier = summary(&night(&folder, "2026-01-30").expect_code(0));
    assert_eq!(connector(&earlier, "accounts-out")["records"], 3);
    assert!(
        way_back(&folder, "back-3") != original,
        "the balance of the day before is in the database now"
    );
    let id = report["run_id"].as_str().unwrap();
    // A rerun moves nothing twice ...
    assert_eq!(rerun(&folder, id), 0);
    assert!(way_back(&folder, "back-4") != original);
    // ... loads the file when it was delivered again with other bytes ...
    let path = folder.join("data/master-2026-01-31.dat");
    fs::write(&path, corrected(&original)).unwrap();
    assert_eq!(rerun(&folder, id), 4);
    assert!(
        way_back(&folder, "back-5") == corrected(&original),
        "the correction is not in the database"
    );
    // ... and the same bytes once more when the source is told to begin anew.
    fs::write(&path, &original).unwrap();
    let data = folder.join("linkspan-data");
    let data = data.to_str().unwrap();
    let reset = ["offsets", "reset", "master-in", "--yes", "--data", data];
    run(&mut linkspan(&reset)).expect_code(0);
    assert_eq!(rerun(&folder, id), 4);
    assert!(
        way_back(&folder, "back-6") == original,
        "the later day is not what it was"
    );
}

/// Runs an earlier run again; returns how many accounts were written.
fn rerun(folder: &Path, id: &str) -> u64 {
    let mut command = linkspan(&[
        "run",
        "--once",
        "-o",
        "json",
        "--timeout",
        "90s",
        "--rerun",
        id,
    ]);
    command.arg("--data").arg(folder.join("linkspan-data"));
    let report = summary(&run(&mut command).expect_code(0));
    connector(&report, "accounts-out")["records"]
        .as_u64()
        .unwrap()
}

/// The master file with 0.10 more in the first account, and in the trailer's sum.
fn corrected(original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    // The last but one digit of the balance, and of the sum.
    for (at, digit) in [(60 + 35 + 11, b'5'), (300 + 8 + 13, b'3')] {
        assert_eq!(bytes[at], digit);
        bytes[at] += 1;
    }
    bytes
}

#[test]
fn a_trailer_that_does_not_match_stops_the_file_and_leaves_the_target() {
    if !writes_tables() {
        return;
    }
    let (_scratch, folder) = nightly();
    night(&folder, "2026-01-31").expect_code(0);
    let before = way_back(&folder, "back-1");
    let next = folder.join("data/master-2026-02-01.dat");
    let mut bytes = fs::read(folder.join("data/master-2026-01-30.dat")).unwrap();
    // The trailer is the last record; its count is 0000003.
    let at = bytes.len() - 60 + 7;
    assert_eq!(bytes[at], b'3');
    bytes[at] = b'4';
    fs::write(&next, &bytes).unwrap();
    fs::copy(
        folder.join("data/transactions-2026-01-30.dat"),
        folder.join("data/transactions-2026-02-01.dat"),
    )
    .unwrap();
    night(&folder, "2026-02-01").expect_code(1).says(&[
        "the control totals do not match: records 3, `T.cnt` says 4; sum of `balance` 1611080.50, `T.amt` says 1611080.50",
    ]);
    assert!(!next.exists_now() && folder.join("quarantine/master-2026-02-01.dat").exists_now());
    assert!(
        way_back(&folder, "back-2") == before,
        "something of the refused file is in the database"
    );
}

trait Exists {
    fn exists_now(&self) -> bool;
}

impl Exists for PathBuf {
    fn exists_now(&self) -> bool {
        self.try_exists().unwrap()
    }
}

#[test]
fn a_bad_copybook_record_goes_to_the_dead_letters_as_it_was() {
    if !writes_tables() {
        return;
    }
    let (_scratch, folder) = nightly();
    let path = folder.join("data/transactions-2026-01-31.dat");
    let mut bytes = fs::read(&path).unwrap();
    // The first record: 4 bytes of descriptor, then 18 before the packed amount.
    let len = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    bytes[4 + 18 + 2] = 0xaa;
    fs::write(&path, &bytes).unwrap();
    let report = summary(&night(&folder, "2026-01-31").expect_code(4));
    assert_eq!(report["status"], "partial");
    let source = connector(&report, "transactions-in");
    assert_eq!(
        (&source["dlq"], &source["files"][0]["rejected"]),
        (&1.into(), &1.into())
    );
    assert_eq!(connector(&report, "transactions-out")["records"], 2);
    let data = folder.join("linkspan-data");
    let letters = run(&mut linkspan(&[
        "consume",
        "transactions-dlq",
        "--exit",
        "-o",
        "json",
        "--data",
        data.to_str().unwrap(),
    ]))
    .expect_code(0);
    let letter: Value = serde_json::from_str(letters.stdout.lines().next().unwrap()).unwrap();
    let raw = letter["value"]["base64"].as_str().unwrap();
    assert_eq!(base64_len(raw), len, "the letter holds the whole record");
    assert!(
        letters
            .stdout
            .contains("record 1, byte 22: AMOUNT (bytes 19 to 24)"),
        "{}",
        letters.stdout
    );
}

fn base64_len(text: &str) -> usize {
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count()
}

/// What GnuCOBOL writes: 40 records with every storage, and two with tables of other lengths.
const PROGRAM: &str = r#"
       IDENTIFICATION DIVISION.
       PROGRAM-ID. WRITER.
       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
           SELECT OUT-FILE ASSIGN TO "out.dat"
               ORGANIZATION IS SEQUENTIAL.
       DATA DIVISION.
       FILE SECTION.
       FD  OUT-FILE.
       COPY "record.cpy".
       WORKING-STORAGE SECTION.
       01  I PIC 9(4).
       PROCEDURE DIVISION.
           OPEN OUTPUT OUT-FILE.
           PERFORM VARYING I FROM 1 BY 1 UNTIL I > 40
               MOVE SPACES TO REC
               MOVE I TO REC-NO
               MOVE "NAME" TO REC-NAME
               COMPUTE PACKED-AMT = 0 - I * 1.25
               COMPUTE BIN-AMT = I * 100
               COMPUTE NATIVE-AMT = 0 - I
               COMPUTE ZONED-AMT = 5 - I
               COMPUTE SEP-AMT = I - 20
               WRITE REC
           END-PERFORM.
           CLOSE OUT-FILE.
           STOP RUN.
"#;

const RECORD: &str = "       01  REC.
           05  REC-NO       PIC 9(4).
           05  REC-NAME     PIC X(6).
           05  PACKED-AMT   PIC S9(7)V99 COMP-3.
           05  BIN-AMT      PIC S9(9) COMP.
           05  NATIVE-AMT   PIC S9(4) COMP-5.
           05  ZONED-AMT    PIC S9(5).
           05  SEP-AMT      PIC S9(3) SIGN LEADING SEPARATE.
";

#[test]
fn a_file_that_gnucobol_wrote_reads_back_right() {
    let scratch = Scratch::new();
    if Command::new("cobc").arg("--version").output().is_err() {
        return skip_outside_ci("a file that GnuCOBOL wrote", "there is no `cobc`");
    }
    scratch.write("writer.cob", PROGRAM);
    scratch.write("record.cpy", RECORD);
    let folder = scratch.path("");
    let mut compile = Command::new("cobc");
    run(compile
        .args(["-x", "-std=ibm", "writer.cob"])
        .current_dir(&folder))
    .expect_code(0);
    run(Command::new(folder.join("writer")).current_dir(&folder)).expect_code(0);
    let yaml = scratch.write(
        "read.yaml",
        "connectors:\n  in:\n    connector: file-source\n    path: out.dat\n    topic: t\n    format: copybook\n    encoding: ascii\n    copybook: { file: record.cpy }\n  out:\n    connector: file-sink\n    topics: [t]\n    path: out.jsonl\n    format: jsonl\n  again:\n    connector: file-sink\n    topics: [t]\n    path: again.dat\n    format: copybook\n    encoding: ascii\n    copybook: { file: record.cpy }\n",
    );
    run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
    let rows: Vec<Value> = scratch
        .read("out.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 40);
    for (index, row) in (1_i64..).zip(&rows) {
        let cents = index * 125;
        let packed = format!("-{}.{:02}", cents / 100, cents % 100);
        let expected = serde_json::json!({
            "rec_no": index, "rec_name": "NAME", "packed_amt": packed, "bin_amt": index * 100, "native_amt": -index,
            "zoned_amt": 5 - index, "sep_amt": index - 20,
        });
        assert_eq!(row, &expected);
    }
    let written = fs::read(scratch.path("out.dat")).unwrap();
    assert!(
        fs::read(scratch.path("again.dat")).unwrap() == written,
        "other bytes came back"
    );
}

#[test]
fn an_unknown_file_gets_a_proposal_that_reads_it() {
    let (scratch, folder) = nightly();
    let file = folder.join("data/master-2026-01-31.dat");
    let ran = run(&mut linkspan(&["infer", file.to_str().unwrap()]))
        .expect_code(0)
        .says(&[
            "encoding: cp949",
            "record type `D`: 4 records",
            "format: fixed",
        ]);
    let yaml = ran.stdout
        + "  out:\n    connector: file-sink\n    topics: [master-2026-01-31]\n    path: out.jsonl\n    format: jsonl\n";
    let yaml = scratch.write("inferred.yaml", yaml);
    let report = summary(&run_once(&yaml, &["--timeout", "60s"]).expect_code(0));
    assert_eq!(connector(&report, "in")["records"], 6);
    assert!(scratch.read("out.jsonl").contains("똠방각하"));
    run(&mut linkspan(&[
        "infer",
        file.to_str().unwrap(),
        "--encoding",
        "klingon",
    ]))
    .expect_code(2);
}

/// How many records go there and back; a longer run sets it higher.
const RECORDS: usize = 30_000;

#[test]
fn three_record_types_without_line_ends_come_back_byte_for_byte() {
    let scratch = Scratch::new();
    let n = std::env::var("LEGACY_RECORDS").map_or(RECORDS, |text| text.parse().unwrap());
    let mut bytes = b"H20260131          ".to_vec();
    for i in 0..n {
        bytes.extend(format!("D{i:09}").into_bytes());
        bytes.extend_from_slice(b"\xb1\xe8\xc3\xb6\xbc\xf6\xa1\xa1");
        bytes.extend(format!("{:010}A", i * 7).into_bytes());
    }
    bytes.extend(format!("T{n:09}").into_bytes());
    scratch.write("in.dat", &bytes);
    let options = "format: fixed\n    encoding: cp949\n    fixed:\n      record.end: none\n      layout:\n        H: { when: { at: 1, is: H }, length: 19, fields: [ { length: 1, value: H }, { name: day, length: 8, type: date } ] }\n        D: { when: { at: 1, is: D }, fields: [ { length: 1, value: D }, { name: id, length: 9, type: int64 }, { name: holder, length: 8, pad: wide }, { name: amount, length: 11, type: 'decimal(11,2)', sign: zoned } ] }\n        T: { when: { at: 1, is: T }, fields: [ { length: 1, value: T }, { name: cnt, length: 9, type: int64 } ] }\n";
    let yaml = format!(
        "connectors:\n  in:\n    connector: file-source\n    path: in.dat\n    topic: t\n    {options}  out:\n    connector: file-sink\n    topics: [t]\n    path: out.dat\n    {options}"
    );
    let yaml = scratch.write("there-and-back.yaml", yaml);
    let report = summary(&run_once(&yaml, &["--timeout", "110s"]).expect_code(0));
    assert_eq!(connector(&report, "out")["records"], n + 2);
    assert!(
        fs::read(scratch.path("out.dat")).unwrap() == bytes,
        "other bytes came back"
    );
}
