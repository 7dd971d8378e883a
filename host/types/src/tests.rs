use std::time::Duration;

use super::*;

#[test]
fn topic_names_follow_the_rule_of_kafka() {
    for good in ["a", "a.b", "A_b-c.9", "...", &"x".repeat(249)] {
        assert_eq!(TopicName::try_new(good).unwrap().as_str(), good);
    }
    assert_eq!(TopicName::try_new(""), Err(NameError::Empty));
    assert_eq!(TopicName::try_new(".."), Err(NameError::Dots("..".into())));
    assert_eq!(
        TopicName::try_new("x".repeat(250)),
        Err(NameError::TooLong(250))
    );
    for (bad, character) in [("a b", ' '), ("a/b", '/'), ("하나", '하'), ("a\n", '\n')] {
        assert_eq!(
            TopicName::try_new(bad),
            Err(NameError::Character {
                name: bad.into(),
                character
            })
        );
    }
}

#[test]
fn topic_ids_print_and_parse_as_uuids() {
    let id = TopicId::random();
    assert_ne!(id, TopicId::random());
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(
        TopicId([0x11; 16]).to_string(),
        "11111111-1111-1111-1111-111111111111"
    );
    assert!("zz".parse::<TopicId>().is_err());
}

#[test]
fn byte_counts_read_and_print_units() {
    for (text, bytes, printed) in [
        ("64MiB", 64 << 20, "64MiB"),
        ("1 GiB", 1 << 30, "1GiB"),
        ("10kB", 10_000, "9.7KiB"),
        ("512", 512, "512B"),
        ("4k", 4096, "4KiB"),
        ("2T", 2 << 40, "2TiB"),
    ] {
        assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        assert_eq!(ByteCount(bytes).to_string(), printed);
    }
    for bad in ["", "MiB", "1.5MiB", "-1", "9 parsecs", "99999999999TiB"] {
        assert!(bad.parse::<ByteCount>().is_err(), "{bad}");
    }
}

#[test]
fn error_chains_join_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("could not read")]
    struct Outer(#[source] NameError);
    assert_eq!(
        error_chain(&Outer(NameError::Empty)),
        "could not read: a topic name may not be empty"
    );
}

#[test]
fn a_manual_clock_moves_only_when_told() {
    let clock = ManualClock::at(1000);
    clock.advance(Duration::from_millis(50));
    assert_eq!(
        (clock.now_ms(), clock.monotonic()),
        (1050, Duration::from_millis(50))
    );
    clock.jump_to(10);
    assert_eq!(
        (clock.now_ms(), clock.monotonic()),
        (10, Duration::from_millis(50))
    );
}
