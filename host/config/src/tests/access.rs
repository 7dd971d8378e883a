//! Users, tokens, names and TLS under `host:`.

use super::{Case, source};
use crate::{AccessRole, PasswordSetting, TokenSecret};

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$RdescudvJCsgt3ub+b27dWzkzjyqgmDKVdkQdn0Pp3E";

fn case(host: &str) -> Case {
    let host: String = host.lines().map(|line| format!("  {line}\n")).collect();
    Case::one(&format!("host:\n{host}{}", source("")))
        .env("OPS_PASSWORD", "canary-ops")
        .env("CI_TOKEN", "canary-ci-0123456789")
        .env("SHORT", "canary-short")
}

#[test]
fn everything_that_can_be_said() {
    let digest = "ab".repeat(32);
    let case = case(&format!(
        "listen:\n  address: 0.0.0.0:8083\n  names: [hub.example.org, hub]\n  tls: {{ cert: tls/hub.pem, key: /k/hub.key }}\n\
         users:\n  anna: {{ role: admin, password.hash: \"{HASH}\" }}\n  x-note: {{}}\n  ops:\n    role: operator\n    password: ${{env:OPS_PASSWORD}}\n\
         tokens:\n  grafana: {{ role: viewer, sha256: {digest}, expires: 2027-01-31 }}\n  ci: {{ role: operator, token: \"${{env:CI_TOKEN}}\" }}"
    ))
    .set("host.users.ops.role=viewer");
    let host = case.plan().host;
    let access = &host.access;
    assert_eq!(host.listen.as_deref(), Some("0.0.0.0:8083"));
    assert_eq!(access.names, ["hub.example.org", "hub"]);
    let tls = access.tls.as_ref().unwrap();
    assert!(tls.cert.ends_with("tls/hub.pem") && tls.cert.is_absolute());
    assert_eq!(tls.key.to_str(), Some("/k/hub.key"));
    let [anna, ops] = access.users.as_slice() else {
        panic!("{access:?}")
    };
    assert_eq!((anna.name.as_str(), anna.role), ("anna", AccessRole::Admin));
    assert!(matches!(&anna.password, PasswordSetting::Hash(hash) if hash.0 == HASH));
    assert_eq!(ops.role, AccessRole::Viewer);
    assert!(matches!(&ops.password, PasswordSetting::Plain(text) if text.0 == "canary-ops"));
    let [grafana, ci] = access.tokens.as_slice() else {
        panic!("{access:?}")
    };
    assert_eq!(grafana.secret, TokenSecret::Sha256([0xAB; 32]));
    assert_eq!(grafana.expires_ms, Some(1_801_353_600_000));
    assert!(matches!(&ci.secret, TokenSecret::Plain(text) if text.0 == "canary-ci-0123456789"));
    let shown = format!("{:?}", case.plan());
    assert!(
        !shown.contains("canary") && !shown.contains("c29tZXNhbHRz"),
        "{shown}"
    );
}

#[test]
fn all_that_is_wrong_is_said_with_its_place_and_without_its_secret() {
    let case = case(&format!(
        "listen: {{ names: ['http://hub'], tls.cert: a.pem }}\n\
         users:\n  a: {{ role: boss, password.hash: \"{HASH}\" }}\n  b: {{ role: admin, password: canary-plain }}\n  c: {{ role: admin }}\n  d: {{ role: admin, password.hash: canary-hash }}\n  e e: {{ role: admin, password.hash: \"{HASH}\" }}\n  f: {{ password.hash: \"{HASH}\" }}\n  g: {{ role: admin, passwort: canary-misspelt }}\n  h: canary-scalar\n  i: {{ role: admin, password.hash: \"{HASH}\", password: \"${{env:OPS_PASSWORD}}\" }}\n\
         tokens:\n  a: {{ role: admin, sha256: canary-digest, expires: soon }}\n  b: {{ role: admin, token: \"${{env:SHORT}}\" }}\n  c: {{ role: admin, token: canary-token-literal }}"
    ));
    let lines = case.lines();
    for expected in [
        "LS0202 a.yaml:2:20 `listen.names` takes names",
        "LS0203 a.yaml:2:46 host: `listen.tls.cert` needs `listen.tls.key`",
        "LS0205 a.yaml:4:16",
        "LS0230 a.yaml:5:33 user `b`: `password` stands in the file as it is",
        "LS0203 a.yaml:6:5 user `c` has neither `password.hash` nor `password`",
        "LS0231 a.yaml:7:38 user `d`: `password.hash` is no hash",
        "LS0116 a.yaml:8:5 the name of a user has letters",
        "LS0203 a.yaml:9:5 user `f` lacks the required option `role`",
        "LS0103 a.yaml:10:",
        "LS0109 a.yaml:11:8 `users` takes a map for each name",
        "LS0106 a.yaml:12:",
        "LS0231 a.yaml:14:31 token `a`: `sha256` takes 64 hex digits",
        "LS0202 a.yaml:14:55 token `a`: `expires` takes a day",
        "LS0231 a.yaml:15:30 token `b` has fewer than 16 characters",
        "LS0230 a.yaml:16:30 token `c`: `token` stands in the file",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(expected)),
            "{expected}\n{}",
            lines.join("\n")
        );
    }
    let (plan, diagnostics) = case.load();
    assert!(plan.is_none());
    let text = diagnostics.render(false);
    assert!(
        !text.contains("canary") && !text.contains("c29tZXNhbHRz"),
        "{text}"
    );
}

#[test]
fn the_schema_knows_users() {
    let schema = crate::json_schema(&[]);
    let user = &schema["properties"]["host"]["properties"]["users"]["additionalProperties"];
    assert_eq!(user["required"], serde_json::json!(["role"]));
    assert!(user["properties"]["password.hash"].is_object(), "{user}");
}
