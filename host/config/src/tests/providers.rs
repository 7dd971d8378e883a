//! `config.providers.*`: further names, allow-lists, and ways out of them.

use super::{Case, source};

/// A case whose `login.password` is the placeholder, with files beside the configuration.
fn case(host: &str, placeholder: &str) -> Case {
    let body = source(&format!("login.password: \"{placeholder}\""));
    let mut case = Case::new(&[
        ("secrets/db.properties", "password=hunter2\n"),
        ("secrets/token", "tok-en-1\n"),
        ("outside/other", "elsewhere"),
    ]);
    let folder = case.folder.path().canonicalize().unwrap();
    std::os::unix::fs::symlink(folder.join("outside/other"), folder.join("secrets/link")).unwrap();
    let host = host.replace("DIR", folder.to_str().unwrap());
    std::fs::write(
        folder.join("a.yaml"),
        format!("host: {{ {host} }}\n{body}").replace("DIR", folder.to_str().unwrap()),
    )
    .unwrap();
    case = case.paths(&["a.yaml"]);
    case.env("APP_KEY", "from-env").env("HOME_KEY", "not-yours")
}

/// What the password comes to, or the code of the first problem.
#[track_caller]
fn check(host: &str, placeholder: &str, expected: Result<&str, &str>) {
    let case = case(host, placeholder);
    let (plan, diagnostics) = case.load();
    let found = match plan {
        Some(plan) => {
            Ok(plan.connectors[0].resolved(&plan.resolver).unwrap().0["login.password"].clone())
        }
        None => Err(diagnostics.iter().next().unwrap().code.to_owned()),
    };
    let text = diagnostics.render(false);
    assert_eq!(
        found.as_deref().map_err(String::as_str),
        expected,
        "{placeholder}\n{text}"
    );
    for secret in ["hunter2", "tok-en-1", "elsewhere", "from-env", "not-yours"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn without_lists_everything_is_reached_and_a_folder_is_not_left() {
    check("", "${file:secrets/db.properties:password}", Ok("hunter2"));
    check("", "${directory:secrets:token}", Ok("tok-en-1"));
    check("", "${directory:DIR/secrets:token}", Ok("tok-en-1"));
    check("", "${env:HOME_KEY}", Ok("not-yours"));
    for name in ["../outside/other", "..", ".", "../secrets/token", ""] {
        let placeholder = format!("${{directory:secrets:{name}}}");
        check("", &placeholder, Err("LS0154"));
    }
    check("", "${vault:secrets:token}", Err("LS0151"));
}

#[test]
fn a_list_of_paths_holds_against_dots_and_links() {
    let host = "config.providers.file.param.allowed.paths: DIR/secrets, config.providers.directory.param.allowed.paths: DIR/secrets/token";
    check(
        host,
        "${file:secrets/db.properties:password}",
        Ok("hunter2"),
    );
    check(host, "${file:outside/../secrets/token}", Ok("tok-en-1"));
    check(host, "${directory:secrets:token}", Ok("tok-en-1"));
    for placeholder in [
        "${file:outside/other}",
        "${file:secrets/../outside/other}",
        "${file:secrets/link}",
        "${file:secrets/nothing}",
        "${file:/etc/hostname}",
        "${directory:secrets:db.properties}",
    ] {
        check(host, placeholder, Err("LS0154"));
    }
    // The negative control: without the list the same link is followed.
    check("", "${file:secrets/link}", Ok("elsewhere"));
}

#[test]
fn a_pattern_of_variables_matches_whole_names() {
    // This catalog's patterns are prefixes.
    let host = "config.providers.env.param.allowlist.pattern: APP_";
    check(host, "${env:APP_KEY}", Ok("from-env"));
    check(host, "${env:HOME_KEY}", Err("LS0154"));
    check(host, "${env:HOME_KEY:-x}", Err("LS0154"));
}

#[test]
fn a_provider_may_have_a_name_of_its_own_and_mistakes_are_said() {
    let named = "config.providers: [vault], config.providers.vault.class: org.apache.kafka.common.config.provider.FileConfigProvider, \
                 config.providers.vault.param.allowed.paths: DIR/secrets";
    check(named, "${vault:secrets/token}", Ok("tok-en-1"));
    check(named, "${vault:outside/other}", Err("LS0154"));
    for wrong in [
        "config.providers: [vault]",
        "config.providers: [vault], config.providers.vault.class: AwsSecrets",
        "config.providers.vault.param.allowed.paths: /x",
        "config.providers.file.param.allowed.paths: relative",
        "config.providers.file.param.allowlist.pattern: x",
        "config.providers.file.param.allowed.path: /x",
    ] {
        check(wrong, "plain-enough", Err("LS0205"));
    }
}

/// What an error may not show of an option whose text holds placeholders.
#[test]
fn of_a_databases_address_only_the_password_is_concealed() {
    let concealed = |text: &str, option: &str| {
        let case = Case::one(&source(&format!("{option}: \"{text}\"")))
            .env("ADDRESS", "postgres://anna:hunter2@db.example:5432/shop")
            .env("HOOK", "https://hooks.example/T0/hunter2")
            .env("HOST", "db.example")
            .env("PW", "hunter2");
        let plan = case.plan();
        plan.connectors[0].concealed(&plan.resolver)
    };
    assert_eq!(concealed("${env:ADDRESS}", "header.x"), ["hunter2"]);
    assert_eq!(
        concealed("mysql://anna:${env:PW}@${env:HOST}/shop", "header.x"),
        ["hunter2", "hunter2"]
    );
    let hook = "https://hooks.example/T0/hunter2";
    assert_eq!(concealed("${env:HOOK}", "header.x"), [hook]);
    assert_eq!(concealed("${env:HOST}", "header.x"), ["db.example"]);
    // A secret option hides all of its value, whatever it looks like.
    assert_eq!(
        concealed("${env:ADDRESS}", "login.password"),
        ["postgres://anna:hunter2@db.example:5432/shop"]
    );
}
