//! The power is cut: an ext4 on a loop device is told to forget everything that it has not written (`EXT4_IOC_SHUTDOWN`).
//!
//! The process is stopped first, and each of its threads must be seen stopped: a sync that is under way while the file system
//! goes down may be told success although its data is gone, which no real power cut does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use linkspan_log_kill::{Judge, Line, Verdict};
use tempfile::TempDir;

use crate::support::{
    LIMIT, Random, Running, eventually, judge, logload, scratch, setting, skip, which,
};

/// The disk, sparse.
const DISK: &str = "768M";
/// After so many cycles the log starts anew, so that the disk suffices.
const CYCLES_PER_LOG: u64 = 10;
/// ioctl(fd, EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH): the kernel's uapi/linux/ext4.h.
const SHUTDOWN: &str = "import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let Some(disk) = Disk::new("a power cut") else {
        return;
    };
    let cycles = setting("LOG_POWER_CYCLES", 5);
    let seed = setting("LOG_KILL_SEED", u64::from(std::process::id()));
    let mut random = Random(seed);
    let (mut total, begin) = (Verdict::default(), Instant::now());
    let mut promises = Judge::default();
    for cycle in 0..cycles {
        disk.cut(&mut promises, "fsync", &mut random).unwrap();
        let verdict = judge(&mut promises, &disk.data());
        assert!(verdict.is_ok(), "cycle {cycle}, seed {seed}: {verdict:?}");
        if cycle % CYCLES_PER_LOG == CYCLES_PER_LOG - 1 || cycle + 1 == cycles {
            let verdict = judge(&mut promises.anew(), &disk.data());
            assert!(verdict.is_ok(), "cycle {cycle}, seed {seed}: {verdict:?}");
            let verdict = verdict.unwrap();
            total.acknowledged += verdict.acknowledged;
            total.commits += verdict.commits;
            promises = Judge::default();
            std::fs::remove_dir_all(disk.data()).unwrap();
        }
    }
    println!(
        "{cycles} power cuts, {} acknowledged of {} commits, 0 lost, {:.1} s (seed {seed})",
        total.acknowledged,
        total.commits,
        begin.elapsed().as_secs_f64()
    );
    assert!(total.acknowledged > cycles * 5, "nothing was tested");
}

#[test]
fn without_sync_a_power_cut_is_noticed() {
    let Some(disk) = Disk::new("the control of a power cut") else {
        return;
    };
    let mut random = Random(7);
    let mut promises = Judge::default();
    for cycle in 1..=10 {
        disk.cut(&mut promises, "os", &mut random).unwrap();
        if let Err(error) = judge(&mut promises.anew(), &disk.data()) {
            println!("negative control, cycle {cycle}: {error:#}");
            // Shorter, but still whole commits in order.
            assert!(error.to_string().contains("lost:"), "{error:#}");
            return;
        }
    }
    panic!("ten power cuts without sync lost nothing: the cut does not cut");
}

/// An ext4 of its own.
struct Disk {
    scratch: TempDir,
    device: String,
}

impl Disk {
    fn new(what: &str) -> Option<Self> {
        for tool in ["losetup", "mkfs.ext4", "mount", "umount", "python3"] {
            if which(tool).is_none() && !Path::new("/sbin").join(tool).is_file() {
                skip(what, &format!("no `{tool}` here"));
                return None;
            }
        }
        let scratch = scratch();
        let made = (|| {
            let image = scratch.path().join("image");
            run(Command::new("truncate").args(["-s", DISK]).arg(&image))?;
            run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
            std::fs::create_dir(scratch.path().join("mnt"))?;
            run(Command::new("losetup").args(["-f", "--show"]).arg(&image))
        })();
        match made {
            Ok(device) => {
                let disk = Self {
                    scratch,
                    device: device.trim().to_owned(),
                };
                match disk.mount() {
                    Ok(()) => Some(disk),
                    Err(error) => {
                        skip(what, &format!("cannot mount: {error:#}"));
                        None
                    }
                }
            }
            Err(error) => {
                skip(what, &format!("needs root and loop devices: {error:#}"));
                None
            }
        }
    }

    fn mnt(&self) -> PathBuf {
        self.scratch.path().join("mnt")
    }

    fn data(&self) -> PathBuf {
        self.mnt().join("data")
    }

    fn mount(&self) -> Result<()> {
        run(Command::new("mount")
            .args(["-t", "ext4", &self.device])
            .arg(self.mnt()))
        .map(drop)
    }

    /// Lets a process write for a moment, cuts the power, and mounts what is left.
    fn cut(&self, promises: &mut Judge, durability: &str, random: &mut Random) -> Result<()> {
        let mut process = Running::start(&mut logload(&self.data(), &["--durability", durability]));
        ensure!(
            process.wait_for(|line| matches!(line, Line::Ack(_))) && !process.has_ended(),
            "no commit in time: {}",
            process.kill().stderr
        );
        let moment = Duration::from_millis(10 + random.below(250));
        eventually(moment, || false);
        run(Command::new("kill").args(["-STOP", &process.id().to_string()]))?;
        ensure!(
            eventually(LIMIT, || all_stopped(process.id()).unwrap_or(false)),
            "the process does not stop"
        );
        run(Command::new("python3")
            .args(["-c", SHUTDOWN])
            .arg(self.mnt()))
        .context("shut the file system down")?;
        let left = process.kill();
        promises.promised(&left.lines);
        run(Command::new("umount").arg(self.mnt()))?;
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for command in [
            Command::new("umount").arg("-l").arg(self.mnt()),
            Command::new("losetup").arg("-d").arg(&self.device),
        ] {
            if let Err(error) = run(command) {
                println!("left behind: {error:#}");
            }
        }
    }
}

/// Tells whether every thread of a process is stopped.
fn all_stopped(pid: u32) -> Result<bool> {
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        if state != Some('T') {
            return Ok(false);
        }
    }
    Ok(true)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
