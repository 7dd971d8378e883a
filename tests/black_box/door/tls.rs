//! Certificates: renewed while the host runs, refused where they do not fit; addresses that others can reach.

use std::process::Command;
use std::time::Duration;

use super::host::{ADMIN, Host, certificate, curl};
use crate::support::{Scratch, eventually, linkspan, run, start, wait};

const SOON: Duration = Duration::from_secs(60);

fn trusts(host: &Host, cert: &str) -> bool {
    let mut command = curl(&host.scratch.path(cert), true);
    run(command
        .args(["-u", ADMIN])
        .arg(format!("{}/connectors", host.url)))
    .status
    .success()
}

#[test]
fn a_renewed_certificate_is_taken_over_and_a_broken_one_is_not() {
    let host = Host::secured();
    std::fs::copy(host.cert(), host.scratch.path("old.pem")).unwrap();
    assert!(trusts(&host, "old.pem"));
    // A key without its certificate: the old pair stays, and that is said.
    certificate(&host.scratch, "new.pem", "hub.key");
    let hangup = Command::new("kill")
        .args(["-HUP", &host.pid().to_string()])
        .status();
    assert!(hangup.unwrap().success());
    assert!(
        eventually(SOON, || host.said().contains("LS0629")),
        "{}",
        host.said()
    );
    assert!(trusts(&host, "old.pem"), "{}", host.said());
    // The certificate follows: no signal is needed.
    std::fs::copy(host.scratch.path("new.pem"), host.cert()).unwrap();
    assert!(
        eventually(SOON, || trusts(&host, "new.pem")),
        "{}",
        host.said()
    );
    assert!(!trusts(&host, "old.pem"));
    // Other speech than TLS ends without harm.
    let plain = run(curl(&host.cert(), false).arg(host.url.replace("https", "http")));
    assert!(!plain.status.success());
    assert!(trusts(&host, "new.pem"));
}

#[test]
fn what_others_can_reach_needs_users_and_tls_and_both_must_be_right() {
    let scratch = Scratch::new();
    certificate(&scratch, "a.pem", "a.key");
    certificate(&scratch, "b.pem", "b.key");
    scratch.write("empty.pem", "");
    let users = "users: { a: { role: admin, password: \"${env:PASSWORD}\" } }";
    for (n, (listen, users, code, told)) in [
        ("0.0.0.0:0", "", 2, "LS0622"),
        ("'[::]:0'", users, 2, "no TLS"),
        (
            "{ address: 0.0.0.0:0, tls: { cert: a.pem, key: a.key } }",
            "",
            2,
            "no users",
        ),
        (
            "{ address: 127.0.0.1:0, tls: { cert: a.pem, key: b.key } }",
            users,
            3,
            "LS0629",
        ),
        (
            "{ address: 127.0.0.1:0, tls: { cert: none.pem, key: a.key } }",
            users,
            3,
            "none.pem",
        ),
        (
            "{ address: 127.0.0.1:0, tls: { cert: empty.pem, key: a.key } }",
            users,
            3,
            "no PEM certificate",
        ),
        (
            "{ address: 127.0.0.1:0, tls: { cert: a.pem, key: a.pem } }",
            users,
            3,
            "no PEM private key",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let yaml = scratch.write(
            &format!("{n}.yaml"),
            format!("host:\n  listen: {listen}\n  {users}\n"),
        );
        let mut command = linkspan(&["run", "--data"]);
        command
            .arg(scratch.path(&format!("data-{n}")))
            .arg(yaml)
            .env("PASSWORD", "canary-1");
        let ran = run(&mut command).expect_code(code).says(&[told]);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    }
    // Who insists is warned.
    let yaml = scratch.write("open.yaml", "host: {}\n");
    let (out, err) = (scratch.path("out"), scratch.path("err"));
    let mut command = linkspan(&[
        "run",
        "--listen",
        "0.0.0.0:0",
        "--insecure-listen",
        "--data",
    ]);
    let mut child = start(command.arg(scratch.path("data")).arg(yaml), &out, &err);
    let warned = eventually(SOON, || scratch.read("err").contains("warning[LS0622]"));
    child.kill().unwrap();
    wait(&mut child, SOON);
    assert!(warned, "{}", scratch.read("err"));
}

#[test]
fn the_recipe_works_as_it_says() {
    let scratch = Scratch::new();
    let recipe = crate::support::repository().join("configs/host/secured.yaml");
    let text = std::fs::read_to_string(recipe).unwrap();
    let commands: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("openssl"))
        .take(3)
        .map(|line| line.trim_start_matches('#').trim().trim_end_matches('\\'))
        .collect();
    // The commands are those of somebody in the repository's top folder.
    let yaml = scratch.write(
        "configs/host/secured.yaml",
        text.replace("127.0.0.1:8083", "127.0.0.1:0"),
    );
    let made = Command::new("sh")
        .args(["-c", &commands.join(" ")])
        .current_dir(scratch.path(""))
        .output();
    let Some(made) = made
        .ok()
        .filter(|_| Command::new("openssl").arg("version").output().is_ok())
    else {
        crate::support::skip_outside_ci("the recipe of a secured host", "openssl is not there");
        return;
    };
    assert!(made.status.success(), "{made:?}");
    let (out, err) = (scratch.path("out"), scratch.path("err"));
    let mut command = linkspan(&["run"]);
    command
        .arg(yaml)
        .env("HUB_ADMIN_PASSWORD", "canary-a")
        .env("HUB_OPERATOR_PASSWORD", "canary-o")
        .env("HUB_METRICS_TOKEN", "canary-metrics-token");
    let mut child = start(&mut command, &out, &err);
    let mut port = String::new();
    let said = eventually(SOON, || {
        let text = scratch.read("err");
        let found = text
            .split_once("REST on https://127.0.0.1:")
            .and_then(|(_, rest)| rest.split_once('\n'));
        port = found
            .map(|(port, _)| port.trim().to_owned())
            .unwrap_or_default();
        !port.is_empty()
    });
    let asked = run(curl(&scratch.path("configs/host/hub.pem"), true)
        .args(["-H", "Authorization: Bearer canary-metrics-token"])
        .arg(format!("https://localhost:{port}/metrics")));
    child.kill().unwrap();
    wait(&mut child, SOON);
    assert!(
        said && asked.status.success(),
        "{} {}",
        asked.stderr,
        scratch.read("err")
    );
    assert!(asked.stdout.contains("linkspan_build_info"));
    assert!(!scratch.read("err").contains("canary"));
}
