//! Outputs that cannot be written, that ran full, or that do not belong to this data directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::pipeline::{Pipeline, numbered};
use crate::support::{Ran, run_once, skip};

#[test]
fn an_output_that_cannot_be_made_is_said_and_the_next_run_loses_nothing() {
    // A file in the place of the folder: also root cannot write there.
    let pipeline = Pipeline::new(&[], &["path: out/lines.txt"]);
    pipeline.input(numbered(0..100));
    let blocker = pipeline.scratch.write("out", "in the way\n");
    impatient(&pipeline).expect_code(1).says(&["lines.txt"]);
    assert_eq!(fs::read_to_string(&blocker).unwrap(), "in the way\n");
    fs::remove_file(blocker).unwrap();
    pipeline.run().expect_code(0);
    assert_eq!(pipeline.scratch.read("out/lines.txt"), numbered(0..100));
}

#[test]
fn a_full_disk_is_said_and_the_next_run_goes_on() {
    const WHAT: &str = "output on a full disk";
    let pipeline = Pipeline::new(&[], &["path: small/lines.txt"]);
    let lines = numbered(0..50_000);
    pipeline.input(&lines);
    let folder = pipeline.scratch.path("small");
    fs::create_dir(&folder).unwrap();
    let Some(disk) = SmallDisk::mount(&folder, "256k") else {
        return skip(WHAT, "no right to mount a small file system");
    };
    impatient(&pipeline).expect_code(1).says(&["lines.txt"]);
    assert!(folder.join("lines.txt").metadata().unwrap().len() <= 256 << 10);
    disk.resize("16m");
    pipeline.run().expect_code(0);
    assert_eq!(fs::read_to_string(folder.join("lines.txt")).unwrap(), lines);
}

#[test]
fn an_output_without_its_data_directory_is_refused_unless_told_otherwise() {
    let cases = [
        (None, 1, numbered(0..10)),
        (Some("append"), 0, numbered(0..10) + &numbered(0..10)),
        (Some("truncate"), 0, numbered(0..10)),
    ];
    for (policy, code, expected) in cases {
        let pipeline = Pipeline::new(&[], &[]);
        pipeline.input(numbered(0..10));
        pipeline.run().expect_code(0);
        fs::remove_dir_all(pipeline.scratch.path("linkspan-data")).unwrap();
        let option = policy.map(|policy| format!("on.existing: {policy}"));
        pipeline.edit(&[], &option.iter().map(String::as_str).collect::<Vec<_>>());
        let ran = impatient(&pipeline).expect_code(code);
        if code != 0 {
            ran.says(&["out.txt", "on.existing"]);
        }
        assert_eq!(pipeline.output(), expected, "{policy:?}");
    }
}

#[test]
fn an_output_shorter_than_its_position_is_refused() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    pipeline.run().expect_code(0);
    pipeline.scratch.write("out.txt", numbered(0..5));
    pipeline.input(numbered(0..20));
    impatient(&pipeline).expect_code(1).says(&["out.txt"]);
    assert_eq!(
        pipeline.output(),
        numbered(0..5),
        "nothing was added after the hole"
    );
}

#[test]
fn what_a_killed_run_wrote_beyond_its_position_is_cut() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    pipeline.run().expect_code(0);
    pipeline
        .scratch
        .write("out.txt", numbered(0..10) + "line 10\nline 1");
    pipeline.input(numbered(0..20));
    pipeline.run().expect_code(0);
    assert_eq!(pipeline.output(), numbered(0..20));
}

/// Runs with a short time limit: an output that may come back is tried again and again.
fn impatient(pipeline: &Pipeline) -> Ran {
    run_once(&pipeline.yaml, &["--timeout", "5s"])
}

/// A tiny file system in memory, unmounted when dropped.
struct SmallDisk<'a> {
    folder: &'a Path,
}

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "linkspan-test"])
            .arg(folder)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self { folder })
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(
            Command::new("mount")
                .args(["-o", &options])
                .arg(self.folder)
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.folder).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}
