//! `consume --group` and `groups`, on a stopped directory and on a running host.

use std::time::Duration;

use serde_json::{Value, json};

use crate::places::{Place, values};
use crate::support::{eventually, start};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_group_goes_on_where_it_was() {
    for place in Place::both() {
        place.json(&["topic", "create", "orders", "--partitions", "2"]);
        place
            .produce("orders", "a\nb\n", &["--partition", "0"])
            .expect_code(0);
        place
            .produce("orders", "c\n", &["--partition", "1"])
            .expect_code(0);
        let read = |more: &[&str]| place.consume("orders", &[&["--group", "g"], more].concat());
        let first = read(&[]);
        let mut seen = values(&first);
        seen.sort_unstable();
        assert_eq!(seen, ["a", "b", "c"]);
        assert!(read(&[]).is_empty());
        place
            .produce("orders", "d\n", &["--partition", "1"])
            .expect_code(0);
        // A start counts only where there is no position.
        assert_eq!(values(&read(&["--from", "earliest"])), ["d"]);
        let group = place.json(&["groups", "describe", "g"]);
        let rows = group["offsets"].as_array().unwrap();
        let committed: Vec<(&Value, &Value)> = rows
            .iter()
            .map(|row| (&row["committed"], &row["lag"]))
            .collect();
        assert_eq!(committed, [(&json!(2), &json!(0)), (&json!(2), &json!(0))]);
        let listed = place.json(&["groups", "list"]);
        assert!(
            listed
                .as_array()
                .unwrap()
                .iter()
                .any(|group| group["group"] == "g" && group["state"] == "Empty"),
            "{listed}"
        );
        // Another group begins where it is told to.
        assert_eq!(
            values(&place.consume("orders", &["--group", "h", "--from", "1"])),
            ["b", "d"]
        );
    }
}

#[test]
fn positions_are_reset_dry_first_and_only_without_members() {
    for place in Place::both() {
        place.produce("lines", "b\nc\nd\n", &[]).expect_code(0);
        let read = || values(&place.consume("lines", &["--group", "g"])).len();
        assert_eq!(read(), 4);
        let reset = |more: &[&str]| place.json(&[&["groups", "reset", "g"], more].concat());
        let dry = reset(&["--to", "earliest"]);
        assert_eq!(
            (
                &dry["executed"],
                &dry["positions"][0]["from"],
                &dry["positions"][0]["to"]
            ),
            (&json!(false), &json!(4), &json!(0))
        );
        assert_eq!(read(), 0, "a dry run changed something");
        for (to, left) in [
            ("earliest", 4),
            ("latest", 0),
            ("3", 1),
            ("-2", 2),
            ("-100", 4),
            ("2999-01-01", 0),
            ("1970-01-01T00:00:00Z", 4),
        ] {
            reset(&["--topic", "lines:0", "--to", to, "--execute"]);
            assert_eq!(read(), left, "--to {to}");
        }
        for (words, code, says) in [
            (
                &["groups", "reset", "gg", "--to", "earliest"][..],
                "LS0520",
                "did you mean `g`?",
            ),
            (
                &["groups", "reset", "g", "--to", "99"],
                "LS0515",
                "offset 99 is outside of 0..=4",
            ),
            (
                &["groups", "reset", "g", "--to", "yesterday"],
                "LS0220",
                "yesterday",
            ),
            (
                &["groups", "reset", "g", "--to", "0", "--topic", "lines:5"],
                "LS0516",
                "partition 5",
            ),
            (
                &["groups", "reset", "g", "--to", "0", "--topic", "lynes"],
                "LS0516",
                "did you mean `lines`?",
            ),
            (
                &["groups", "describe", "nobody-knows-it"],
                "LS0520",
                "there are:",
            ),
            (&["groups", "delete", "g"], "LS0221", "--yes"),
        ] {
            place.run(words).expect_code(2).says(&[code, says]);
        }
        place
            .run(&["groups", "delete", "g", "--yes"])
            .expect_code(0);
        place
            .run(&["groups", "describe", "g"])
            .expect_code(2)
            .says(&["LS0520"]);
    }
}

#[test]
fn a_group_with_members_is_not_reset_and_shares_its_partitions() {
    let place = Place::running();
    place.json(&["topic", "create", "orders", "--partitions", "2"]);
    let scratch = &place.pipeline.scratch;
    let (out, err) = (scratch.path("member.txt"), scratch.path("member-err.txt"));
    let mut member = start(
        &mut place.command(&["consume", "orders", "--group", "g", "-o", "json"]),
        &out,
        &err,
    );
    let members = || {
        let groups = place.json(&["groups", "list"]);
        let groups = groups.as_array().unwrap().clone();
        groups
            .iter()
            .find(|group| group["group"] == "g")
            .map_or(0, |group| group["members"].as_u64().unwrap())
    };
    assert!(eventually(SOON, || members() == 1));
    place
        .run(&["groups", "reset", "g", "--to", "earliest", "--execute"])
        .expect_code(2)
        .says(&["LS0521", "stop its members"]);
    place
        .run(&["groups", "delete", "g", "--yes"])
        .expect_code(2)
        .says(&["LS0521"]);
    place
        .produce("orders", "x\n", &["--partition", "0"])
        .expect_code(0);
    assert!(eventually(SOON, || std::fs::read_to_string(&out)
        .unwrap()
        .contains("\"x\"")));
    let committed =
        || place.json(&["groups", "describe", "g"])["offsets"][0]["committed"] == json!(1);
    assert!(eventually(SOON, committed), "what was printed is committed");
    // A member that is killed leaves by itself: it is not polled any more.
    member.kill().unwrap();
    member.wait().unwrap();
    assert!(eventually(SOON, || members() == 0), "{}", members());
}
