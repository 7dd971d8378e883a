//! Answers of others: the specification's and GitHub's published examples, and digests computed with Python's `hmac`.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use linkspan_sdk::options::Options as _;

use super::super::options::WebhookOptions;
use super::{SignatureError, Verifier};

fn verify(
    options: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: &str,
    now: u64,
) -> Result<(), SignatureError> {
    let mut config: BTreeMap<String, String> = options
        .iter()
        .map(|(k, v)| (format!("hmac.{k}"), (*v).to_owned()))
        .collect();
    config.insert("topic".to_owned(), "t".to_owned());
    let options = WebhookOptions::from_config(&config).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Verifier::new(&options.hmac).check(&map, body.as_bytes(), now)
}

const STANDARD_BODY: &str = r#"{"event_type":"ping","data":{"success":true}}"#;
const STANDARD_SECRET: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl";

fn standard(secrets: &str, signature: &str, body: &str, now: u64) -> Result<(), SignatureError> {
    let headers = [
        ("webhook-id", "msg_loFOjxBNrRLzqYUf"),
        ("webhook-timestamp", "1731705121"),
        ("webhook-signature", signature),
    ];
    verify(&[("secrets", secrets)], &headers, body, now)
}

#[test]
fn standard_webhooks_takes_the_published_example() {
    let good = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=";
    let now = 1_731_705_121;
    assert_eq!(standard(STANDARD_SECRET, good, STANDARD_BODY, now), Ok(()));
    assert_eq!(
        standard(
            STANDARD_SECRET,
            &format!("v1,AAAA v1a,x {good}"),
            STANDARD_BODY,
            now
        ),
        Ok(())
    );
    let rotated = format!("[\"whsec_bmV3\",\"{STANDARD_SECRET}\"]");
    assert_eq!(standard(&rotated, good, STANDARD_BODY, now + 299), Ok(()));
    assert_eq!(
        standard("whsec_bmV3", good, STANDARD_BODY, now),
        Err(SignatureError::Wrong)
    );
    assert_eq!(
        standard(
            STANDARD_SECRET,
            good,
            &STANDARD_BODY.replace(':', ": "),
            now
        ),
        Err(SignatureError::Wrong)
    );
    assert_eq!(
        standard(STANDARD_SECRET, good, STANDARD_BODY, now + 301),
        Err(SignatureError::Old {
            apart: 301,
            tolerance: 300
        })
    );
}

#[test]
fn github_takes_its_published_example() {
    let check = |signature: &str, secrets: &str| {
        verify(
            &[("scheme", "github"), ("secrets", secrets)],
            &[("x-hub-signature-256", signature)],
            "Hello, World!",
            0,
        )
    };
    let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let secret = "[\"It's a Secret to Everybody\"]";
    assert_eq!(check(good, secret), Ok(()));
    assert_eq!(
        check(&good.replace("7571", "7572"), secret),
        Err(SignatureError::Wrong)
    );
    assert_eq!(
        check(good.trim_start_matches("sha256="), secret),
        Err(SignatureError::Wrong)
    );
    assert_eq!(check(good, "other"), Err(SignatureError::Wrong));
    assert_eq!(
        verify(&[("scheme", "github"), ("secrets", "x")], &[], "b", 0),
        Err(SignatureError::Missing("x-hub-signature-256".to_owned()))
    );
}

#[test]
fn stripe_signs_time_and_body() {
    let check = |header: &str, now: u64| {
        verify(
            &[("scheme", "stripe"), ("secrets", "whsec_test")],
            &[("stripe-signature", header)],
            r#"{"id":"evt_1"}"#,
            now,
        )
    };
    let good = "v1=7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2";
    assert_eq!(
        check(&format!("t=1492774577,{good},v0=6ffb"), 1_492_774_577),
        Ok(())
    );
    assert_eq!(
        check(&format!("t=1492774577,v1=00,{good}"), 1_492_774_600),
        Ok(())
    );
    assert_eq!(
        check(&format!("t=1492774578,{good}"), 1_492_774_578),
        Err(SignatureError::Wrong)
    );
    assert_eq!(check(good, 1_492_774_577), Err(SignatureError::Time));
    assert!(matches!(
        check(&format!("t=1492774577,{good}"), 1_592_774_577),
        Err(SignatureError::Old { .. })
    ));
}

#[test]
fn a_custom_scheme_has_its_own_header_hash_and_time() {
    let options = [
        ("scheme", "custom"),
        ("secrets", "k1"),
        ("header", "x-sig"),
        ("prefix", "v="),
        ("algorithm", "sha512"),
        ("encoding", "base64"),
        ("timestamp.header", "x-time"),
    ];
    let signature = "v=aoGHoCYUFndXXWJrrOOMjY2ENNRn4UvHBTa3NQGLfaCkKEMu2AENjes4lNgDOA2lqOiOeW5AFHVyG5eHpxV9EQ==";
    let check = |time: &str, signature: &str| {
        verify(
            &options,
            &[("x-sig", signature), ("x-time", time)],
            "body",
            6,
        )
    };
    assert_eq!(check("5", signature), Ok(()));
    assert_eq!(check("6", signature), Err(SignatureError::Wrong));
    assert_eq!(
        check("5", signature.trim_start_matches("v=")),
        Err(SignatureError::Wrong)
    );
    assert_eq!(check("soon", signature), Err(SignatureError::Time));
}
