//! What is kept, for how long, and what is left out.

use super::file::{FILE_BYTES_MAX, OLD_FILES};
use super::*;

fn entry(path: &str) -> Entry {
    Entry {
        seq: 0,
        t_ms: 1,
        user: Some("anna".to_owned()),
        role: Some("admin".to_owned()),
        from: "192.0.2.1".to_owned(),
        method: "PUT".to_owned(),
        path: path.to_owned(),
        status: 200,
    }
}

#[test]
fn entries_survive_the_process_and_half_a_line_is_skipped() {
    let data = tempfile::tempdir().unwrap();
    let audit = Audit::open(data.path()).unwrap();
    audit.add(entry("/a"));
    audit.add(entry("/b"));
    drop(audit);
    let file = data.path().join("audit/audit.jsonl");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(br#"{"seq":3,"t_ms":1,"us"#);
    std::fs::write(&file, bytes).unwrap();
    let audit = Audit::open(data.path()).unwrap();
    audit.add(entry("/c"));
    let paths = |audit: &Audit| {
        audit
            .last(9)
            .into_iter()
            .map(|e| (e.seq, e.path))
            .collect::<Vec<_>>()
    };
    let expected = [(1, "/a"), (2, "/b"), (3, "/c")].map(|(seq, path)| (seq, path.to_owned()));
    assert_eq!(paths(&audit), expected);
    drop(audit);
    assert_eq!(paths(&Audit::open(data.path()).unwrap()), expected);
    assert_eq!(Audit::open(data.path()).unwrap().last(1).len(), 1);
}

#[test]
fn the_files_are_bounded() {
    let data = tempfile::tempdir().unwrap();
    let audit = Audit::open(data.path()).unwrap();
    let long = "/x".repeat(64 << 10);
    let lines = (u64::from(OLD_FILES) + 3) * FILE_BYTES_MAX / (long.len() as u64);
    for _ in 0..lines {
        audit.add(entry(&long));
    }
    let sizes: Vec<u64> = std::fs::read_dir(data.path().join("audit"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .collect();
    assert_eq!(sizes.len(), OLD_FILES as usize + 1);
    assert!(
        sizes.iter().all(|size| *size <= FILE_BYTES_MAX),
        "{sizes:?}"
    );
}

#[test]
fn only_what_can_change_something_is_kept() {
    for (method, path, expected) in [
        (Method::GET, "/connectors", false),
        (Method::POST, "/connectors", true),
        (Method::PUT, "/connectors/x/pause", true),
        (Method::DELETE, "/api/v1/topics/t", true),
        (Method::POST, "/api/v1/topics/t/records", true),
        (Method::POST, "/api/v1/groups/g/members/m/poll", false),
        (Method::POST, "/api/v1/groups/g/reset", true),
        (Method::POST, "/api/v1/dlq/t/show", false),
        (Method::POST, "/api/v1/dlq/t/replay", true),
        (Method::POST, "/api/v1/transforms/try", false),
        (Method::PUT, "/connector-plugins/X/config/validate", false),
        (Method::PUT, "/admin/loggers/root", true),
    ] {
        assert_eq!(changes(&method, path), expected, "{method} {path}");
    }
    let request = Request::builder()
        .method("POST")
        .uri("/connectors?token=canary-1")
        .header("authorization", "Bearer canary-2")
        .body("canary-3")
        .unwrap();
    let call = format!("{:?}", Call::of(&request, "x").unwrap());
    assert!(
        call.contains("/connectors") && !call.contains("canary"),
        "{call}"
    );
}
