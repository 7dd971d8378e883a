//! Who is let in, who is not, and what stays secret.

use super::*;

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn access() -> (Arc<Access>, String) {
    let token = NewToken::new().unwrap();
    let digest = |text: &str| Sha256::digest(text).into();
    let user = |name: &str, role, password| User {
        name: name.to_owned(),
        role,
        password,
    };
    let hash = NewPassword::of("correct horse").unwrap().hash;
    let users = vec![
        user("anna", Role::Admin, Verifier::hashed(&hash).unwrap()),
        user("ops", Role::Operator, Verifier::plain("p:with:colons")),
    ];
    let made = |name: &str, text: &str, expires_ms| Token {
        name: name.to_owned(),
        role: Role::Viewer,
        sha256: digest(text),
        expires_ms,
    };
    let tokens = vec![
        made("grafana", &token.token, None),
        made("old", "an-old-token-of-1970", Some(1)),
    ];
    let mut access = Access::new(users, tokens).unwrap();
    access.pause = Duration::ZERO;
    (Arc::new(access), token.token)
}

fn headers(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value.parse().unwrap());
    headers
}

fn basic(pair: &str) -> HeaderMap {
    headers(&format!("Basic {}", STANDARD.encode(pair)))
}

#[tokio::test]
async fn right_ones_are_let_in_and_wrong_ones_are_not() {
    let (access, token) = access();
    let ask = async |headers: HeaderMap| access.caller(&headers, FROM).await;
    let anna = ask(basic("anna:correct horse")).await.unwrap();
    assert_eq!((anna.user.as_str(), anna.role), ("anna", Role::Admin));
    let ops = ask(basic("ops:p:with:colons")).await.unwrap();
    assert_eq!(ops.role, Role::Operator);
    let bearer = ask(headers(&format!("bEaReR {token}"))).await.unwrap();
    assert_eq!(
        (bearer.user.as_str(), bearer.role),
        ("grafana", Role::Viewer)
    );
    assert_eq!(ask(HeaderMap::new()).await, Err(Denied::Silent));
    let wrongs = [
        basic("anna:correct"),
        basic("anna:"),
        basic("nobody:correct horse"),
        basic(":"),
        basic("anna"),
        headers("Basic %%%"),
        headers("Bearer lsp_wrong"),
        headers("Bearer"),
        headers("Bearer an-old-token-of-1970"),
        headers("Digest x"),
        headers(&format!("Basic {}", "A".repeat(CREDENTIALS_BYTES_MAX))),
    ];
    for (n, wrong) in (1_u32..).zip(wrongs) {
        let from = IpAddr::V4(n.into());
        assert_eq!(
            access.caller(&wrong, from).await,
            Err(Denied::Wrong),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn guessing_is_stopped_and_who_was_right_before_is_not() {
    let (access, token) = access();
    let ask = async |headers: HeaderMap| access.caller(&headers, FROM).await;
    assert!(ask(basic("ops:p:with:colons")).await.is_ok());
    let mut answers = Vec::new();
    for n in 0..20 {
        answers.push(ask(basic(&format!("ops:guess-{n}"))).await.unwrap_err());
    }
    let wrong = answers
        .iter()
        .filter(|answer| **answer == Denied::Wrong)
        .count();
    assert!((5..20).contains(&wrong), "{answers:?}");
    assert_eq!(answers.last(), Some(&Denied::TooMany));
    assert_eq!(ask(basic("anna:correct horse")).await, Err(Denied::TooMany));
    assert!(ask(basic("ops:p:with:colons")).await.is_ok());
    assert!(ask(headers(&format!("Bearer {token}"))).await.is_ok());
    let elsewhere = IpAddr::V4(1_u32.into());
    assert!(
        access
            .caller(&basic("anna:correct horse"), elsewhere)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn who_left_is_out_at_once() {
    let (access, token) = access();
    let ask = async |headers: HeaderMap| access.caller(&headers, FROM).await;
    assert!(ask(basic("ops:p:with:colons")).await.is_ok());
    let ops = User {
        name: "ops".to_owned(),
        role: Role::Viewer,
        password: Verifier::plain("new"),
    };
    access.replace(vec![ops], Vec::new());
    for gone in [
        basic("ops:p:with:colons"),
        basic("anna:correct horse"),
        headers(&format!("Bearer {token}")),
    ] {
        assert_eq!(ask(gone).await, Err(Denied::Wrong));
    }
    assert_eq!(ask(basic("ops:new")).await.unwrap().role, Role::Viewer);
}

#[tokio::test]
async fn without_users_everybody_is_the_local_admin() {
    let access = Arc::new(Access::new(Vec::new(), Vec::new()).unwrap());
    let caller = access.caller(&basic("who:ever"), FROM).await.unwrap();
    assert_eq!(caller, Caller::local());
}

#[test]
fn secrets_are_not_shown_and_hashes_differ() {
    let (access, token) = access();
    let shown = format!("{access:?}");
    assert!(
        shown.contains("anna") && shown.contains("grafana"),
        "{shown}"
    );
    for secret in [token.as_str(), "p:with:colons", "argon2", "correct"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let [one, two] = [
        NewPassword::of("same").unwrap(),
        NewPassword::of("same").unwrap(),
    ];
    assert_ne!(one.hash, two.hash);
    assert!(Verifier::hashed(&one.hash).unwrap().holds(b"same"));
    assert!(
        !Verifier::hashed(&one.hash)
            .unwrap()
            .unmatched()
            .holds(b"same")
    );
    assert!(Verifier::hashed("$2b$12$nope").is_err());
}
