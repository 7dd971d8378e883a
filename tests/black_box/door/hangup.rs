//! SIGHUP, which a closed terminal sends as well: no run ends by it, and a host reads its files again.

use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

use super::host::{ADMIN, Host};
use crate::support::{Scratch, eventually, linkspan, start, wait};

const SOON: Duration = Duration::from_secs(60);
/// Long enough for a host that takes changes over by itself.
const WHILE: Duration = Duration::from_secs(2);

fn hang_up(pid: u32) {
    let sent = Command::new("kill")
        .args(["-HUP", &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn begin(scratch: &Scratch, arguments: &[&str]) -> Child {
    let (out, err) = (scratch.path("out"), scratch.path("err"));
    let mut command = linkspan(arguments);
    command.arg(scratch.path("hub.yaml"));
    start(&mut command, &out, &err)
}

fn said(scratch: &Scratch, text: &str) -> bool {
    fs::read_to_string(scratch.path("err")).is_ok_and(|err| err.contains(text))
}

#[test]
fn a_host_reads_users_from_their_files_again() {
    let scratch = Scratch::new();
    let secrets = scratch.write("users.properties", "anna=canary-first-password\n");
    let host = Host::with(
        scratch,
        &format!(
            "  listen: 127.0.0.1:0\n  users:\n    anna: {{ role: admin, password: \"${{file:{}:anna}}\" }}\n",
            secrets.display()
        ),
        "anna:canary-first-password",
    );
    let gets = |who| host.curl(who, &["/connectors"]).0;
    fs::write(&secrets, "anna=canary-second-password\n").unwrap();
    std::thread::sleep(WHILE);
    // The file with the password is none that is looked at.
    assert_eq!(gets("anna:canary-first-password"), 200);
    hang_up(host.pid());
    let taken = eventually(SOON, || gets("anna:canary-second-password") == 200);
    assert!(taken, "{}", host.said());
    assert_eq!(gets("anna:canary-first-password"), 401);
    assert!(!host.said().contains("canary"), "{}", host.said());
}

#[test]
fn a_host_with_nothing_to_read_again_goes_on() {
    let host = Host::open();
    for _ in 0..3 {
        hang_up(host.pid());
    }
    let heard = || host.said().contains("reload: nothing changed");
    assert!(eventually(SOON, heard), "{}", host.said());
    assert_eq!(host.curl("", &["/connectors"]).0, 200);
    let secured = Host::secured();
    hang_up(secured.pid());
    let heard = || {
        let said = secured.said();
        said.contains("certificate and key were read again") && said.contains("nothing changed")
    };
    assert!(eventually(SOON, heard), "{}", secured.said());
    assert_eq!(secured.curl(ADMIN, &["/connectors"]).0, 200);
}

#[test]
fn a_host_that_waits_to_be_asked_is_asked_by_it() {
    let scratch = Scratch::new();
    let yaml = |name: &str| {
        format!("connectors:\n  {name}: {{ connector: generator-source, topic: t, rate: 1 }}\n")
    };
    scratch.write("hub.yaml", yaml("one"));
    let mut child = begin(&scratch, &["run", "--listen", "none", "--reload", "manual"]);
    assert!(eventually(SOON, || said(&scratch, "running 1 connectors")));
    scratch.write("hub.yaml", yaml("two"));
    std::thread::sleep(WHILE);
    assert!(!said(&scratch, "reload:"), "{}", scratch.read("err"));
    hang_up(child.id());
    let taken = eventually(SOON, || said(&scratch, "reload: `two` started"));
    // Files that are not right change nothing, and end nothing.
    scratch.write("hub.yaml", "connectors: [");
    hang_up(child.id());
    let kept = eventually(SOON, || said(&scratch, "the old one keeps running"));
    let runs = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    wait(&mut child, SOON);
    assert!(taken && kept && runs, "{}", scratch.read("err"));
}

#[test]
fn a_job_goes_on_to_its_end() {
    let scratch = Scratch::new();
    scratch.write(
        "hub.yaml",
        "connectors:\n  in: { connector: generator-source, topic: t, rate: 100, count: 300 }\n",
    );
    let mut child = begin(&scratch, &["run", "--once"]);
    assert!(eventually(SOON, || said(&scratch, "data ")));
    hang_up(child.id());
    let ended = wait(&mut child, SOON).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", scratch.read("err"));
    assert!(scratch.read("out").contains("300 read"));
}
