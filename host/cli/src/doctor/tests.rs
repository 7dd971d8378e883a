//! Each check sees what it is for, and is quiet otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn verdict(findings: &[Finding], check: &str) -> Verdict {
    let found = findings.iter().find(|finding| finding.check == check);
    found
        .unwrap_or_else(|| panic!("{check} was not looked at"))
        .verdict
}

#[test]
fn a_directory_that_is_not_there_yet_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let (findings, held) = directory::look(&folder.path().join("a/b"));
    assert!(!held);
    assert_eq!(verdict(&findings, "data directory"), Verdict::Ok);
    assert_eq!(verdict(&findings, "permission"), Verdict::Ok);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing stays behind"
    );
}

#[test]
fn a_folder_of_something_else_fails_and_open_modes_warn() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let open = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    open(0o755);
    let (findings, _) = directory::look(folder.path());
    assert_eq!(verdict(&findings, "data directory"), Verdict::Fail);
    assert_eq!(verdict(&findings, "privacy"), Verdict::Warn);
    open(0o700);
    assert_eq!(
        verdict(&directory::look(folder.path()).0, "privacy"),
        Verdict::Ok
    );
}

#[test]
fn a_port_in_use_is_seen() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_eq!(host::port(&address, false).verdict, Verdict::Warn);
    assert_eq!(host::port(&address, true).verdict, Verdict::Ok);
    drop(listener);
    assert_eq!(host::port(&address, false).verdict, Verdict::Ok);
    assert_eq!(host::port("8083", false).verdict, Verdict::Fail);
}

#[test]
fn a_clock_behind_what_is_stored_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(machine::clock(folder.path()).verdict, Verdict::Ok);
    let file = fs::File::create(folder.path().join("ckpt.a")).unwrap();
    assert_eq!(machine::clock(folder.path()).verdict, Verdict::Ok);
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified + std::time::Duration::from_secs(3600))
        .unwrap();
    assert_eq!(machine::clock(folder.path()).verdict, Verdict::Fail);
}
