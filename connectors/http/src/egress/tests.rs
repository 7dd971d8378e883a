//! Every way of writing an address leads to the same answer.

use std::collections::BTreeMap;

use linkspan_sdk::options::Options as _;

use super::*;

fn egress(options: &[(&str, &str)]) -> Egress {
    let config: BTreeMap<String, String> = options
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Egress::new(&EgressOptions::from_config(&config).unwrap())
}

fn check(options: &[(&str, &str)], url: &str) -> Result<(), EgressError> {
    let url = Url::parse(url).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(egress(options).check(&url))
}

#[test]
fn addresses_that_no_configuration_should_reach_are_denied_however_they_are_written() {
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://0/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
    ] {
        assert!(
            matches!(check(&[], url), Err(EgressError::Address(..))),
            "{url}: {:?}",
            check(&[], url)
        );
    }
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://x/",
        "data:,x",
    ] {
        assert!(
            matches!(check(&[], url), Err(EgressError::Scheme(_))),
            "{url}"
        );
    }
    assert_eq!(check(&[], "http://192.0.2.1/"), Ok(()));
    assert_eq!(
        check(&[("egress.schemes", "https")], "http://192.0.2.1/"),
        Err(EgressError::Scheme("http".to_owned()))
    );
}

#[test]
fn private_addresses_can_be_denied_and_excepted() {
    let closed = ("egress.private", "false");
    for url in [
        "http://10.1.2.3/",
        "http://192.168.0.1/",
        "http://172.16.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[fd00::1]/",
        "http://100.64.0.1/",
        "http://localhost/",
    ] {
        assert_eq!(check(&[], url), Ok(()), "{url}");
        assert!(
            matches!(check(&[closed], url), Err(EgressError::Address(..))),
            "{url}"
        );
    }
    assert_eq!(
        check(
            &[closed, ("egress.allow", "10.0.0.0/8")],
            "http://10.1.2.3/"
        ),
        Ok(())
    );
    assert!(
        check(
            &[closed, ("egress.allow", "10.0.0.0/16")],
            "http://10.1.2.3/"
        )
        .is_err()
    );
    assert_eq!(
        check(
            &[closed, ("egress.allow", "127.0.0.1:81")],
            "http://127.0.0.1:81/"
        ),
        Ok(())
    );
    assert!(
        check(
            &[closed, ("egress.allow", "127.0.0.1:81")],
            "http://127.0.0.1:82/"
        )
        .is_err()
    );
    assert_eq!(
        check(
            &[("egress.allow", "169.254.169.254")],
            "http://169.254.169.254/"
        ),
        Ok(())
    );
}

#[test]
fn the_process_does_not_talk_to_its_own_ports() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let port = at.port();
    // Another test may have asked the kernel a moment ago.
    let begin = Instant::now();
    while check(&[], &format!("http://{at}/")).is_ok() && begin.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    for url in [
        format!("http://{at}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.9.9.9:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ] {
        assert!(
            matches!(check(&[], &url), Err(EgressError::OwnPort(_))),
            "{url}"
        );
    }
    assert_eq!(
        check(
            &[("egress.allow", &at.to_string())],
            &format!("http://{at}/")
        ),
        Ok(())
    );
}

#[test]
fn a_name_cannot_answer_the_check_with_one_address_and_the_connection_with_another() {
    let egress = egress(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let url = Url::parse("http://localhost:1/").unwrap();
    runtime.block_on(egress.check(&url)).unwrap();
    // What a second lookup would say no longer matters: the pinned addresses are used.
    let other: IpAddr = "192.0.2.7".parse().unwrap();
    egress
        .0
        .pinned
        .lock()
        .unwrap()
        .insert("localhost".to_owned(), (Instant::now(), vec![other]));
    let found: Vec<IpAddr> = runtime
        .block_on(egress.resolve("localhost".parse().unwrap()))
        .unwrap()
        .map(|at| at.ip())
        .collect();
    assert_eq!(found, [other]);
    // And what is denied is not connected to either.
    let denied: IpAddr = "169.254.169.254".parse().unwrap();
    egress
        .0
        .pinned
        .lock()
        .unwrap()
        .insert("localhost".to_owned(), (Instant::now(), vec![denied]));
    assert!(
        runtime
            .block_on(egress.resolve("localhost".parse().unwrap()))
            .is_err()
    );
    assert!(runtime.block_on(egress.check(&url)).is_err());
}
