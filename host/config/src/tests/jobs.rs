//! `schedule:`, `on.failure:`, `on.success:`, and the order of a job's connectors.

use crate::{Action, Missed, Overlap, stages};

use super::{Case, check};

const REST: &str = "connectors:\n  in: { connector: file-source, path: /in, topic: t }\n";

fn with(head: &str) -> String {
    format!("{head}\n{REST}")
}

#[test]
fn a_schedule_makes_the_connectors_of_its_file_a_job() {
    let other = "connectors:\n  out: { connector: file-sink, path: /out, topics: [t] }\n";
    let nightly = with(
        "schedule: { cron: \"0 3 * * *\", timezone: Asia/Seoul, missed: run-all, overlap: queue, timeout: 2h }",
    );
    let plan = Case::new(&[("nightly.yaml", &nightly), ("other.yaml", other)])
        .paths(&["nightly.yaml", "other.yaml"])
        .plan();
    let job = |name: &str| {
        let connector = plan.connectors.iter().find(|one| one.name == name);
        connector.unwrap().job.as_deref()
    };
    assert_eq!(job("in"), Some("nightly"));
    assert_eq!(job("out"), None);
    let schedule = plan.jobs[0].schedule.as_ref().unwrap();
    assert_eq!(schedule.missed, Missed::RunAll);
    assert_eq!(schedule.overlap, Overlap::Queue);
    assert_eq!(schedule.timeout.unwrap().as_secs(), 7200);
    // 2026-11-24T18:00:00Z is three in the night in Seoul.
    assert_eq!(schedule.next_after(super::NOW_MS - 1), Some(super::NOW_MS));
}

#[test]
fn overlay_and_set_reach_a_schedule() {
    let case = Case::new(&[
        ("a.yaml", &with("schedule: { cron: \"0 3 * * *\" }")),
        (
            "over.yaml",
            "schedule: { missed: skip }\non.success: { url: http://x/ }\n",
        ),
    ]);
    let mut case = case.paths(&["a.yaml"]).set("schedule.name=night");
    case.request.overlays = vec!["over.yaml".into()];
    let plan = case.plan();
    assert_eq!(plan.jobs[0].name, "night");
    assert_eq!(plan.jobs[0].schedule.as_ref().unwrap().missed, Missed::Skip);
    assert_eq!(plan.jobs[0].on_success.len(), 1);
}

#[test]
fn hooks_are_one_or_a_list_dotted_or_nested() {
    for text in [
        "on.failure: { command: [./x.sh, a b], timeout: 5s }",
        "on.failure: [ { command: [./x.sh, a b], timeout: 5s } ]",
        "on: { failure: { command: [./x.sh, a b], timeout: 5s } }",
    ] {
        let plan = Case::one(&with(text)).plan();
        let hook = &plan.jobs[0].on_failure[0];
        assert_eq!(
            hook.action,
            Action::Command(vec!["./x.sh".to_owned(), "a b".to_owned()])
        );
        assert_eq!(hook.timeout.as_secs(), 5);
        assert_eq!(plan.jobs[0].schedule.as_ref().map(|_| ()), None);
        assert!(
            plan.connectors[0].job.is_none(),
            "only a schedule takes connectors"
        );
    }
    let secret =
        with("on.success: { url: https://x/, headers: { authorization: \"${env:TOKEN}\" } }");
    let plan = Case::one(&secret).env("TOKEN", "hunter2").plan();
    assert!(
        matches!(&plan.jobs[0].on_success[0].action, Action::Call { headers, .. } if headers["authorization"] == "hunter2")
    );
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn what_is_wrong_with_a_schedule_or_hook_has_its_place() {
    for (head, says) in [
        (
            "schedule: { cron: \"0 25 * * *\" }",
            "LS0217 a.yaml:1:19 schedule: `0 25 * * *`",
        ),
        (
            "schedule: { cron: \"0 3 30 2 *\" }",
            "LS0217 a.yaml:1:19 schedule: `0 3 30 2 *` names a time that never comes",
        ),
        (
            "schedule: { cron: \"0 3 * * *\", timezone: Mars }",
            "LS0217 a.yaml:1:42 schedule: no such time zone",
        ),
        (
            "schedule: { cron: \"0 3 * * *\", missed: all }",
            "LS0205 a.yaml:1:40",
        ),
        (
            "schedule: { crom: \"0 3 * * *\" }",
            "LS0103 a.yaml:1:13 unknown key `crom`",
        ),
        ("schedule: daily", "LS0109 a.yaml:1:11"),
        ("on.failure: { command: [] }", "LS0217 a.yaml:1:24"),
        ("on.failure: { url: ftp://x }", "LS0217 a.yaml:1:20"),
        (
            "on.failure: { url: http://x, command: [y] }",
            "LS0217 a.yaml:1:13",
        ),
        (
            "on.failures: { url: http://x }",
            "LS0103 a.yaml:1:1 unknown key `on.failures`",
        ),
    ] {
        let lines = Case::one(&with(head)).lines();
        assert!(
            lines.iter().any(|line| line.starts_with(says)),
            "{head}: {lines:?}"
        );
    }
}

#[test]
fn two_jobs_of_one_name_are_refused() {
    let a = with("schedule: { cron: \"@daily\" }");
    let b = "schedule: { cron: \"@daily\" }\nconnectors:\n  o: { connector: blackhole-sink, topics: [t] }\n";
    let lines = Case::new(&[("x/n.yaml", &a), ("y/n.yaml", b)])
        .paths(&["x/n.yaml", "y/n.yaml"])
        .lines();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("two jobs are named `n`")),
        "{lines:?}"
    );
}

#[test]
fn a_schedule_without_a_time_is_a_missing_option() {
    check(
        &with("schedule: { timezone: UTC }"),
        "error[LS0203]: schedule lacks the required option `cron`\n  --> a.yaml:1:11\n   |\n 1 | schedule: { timezone: UTC }\n   |           ^^^^^^^^^^^^^^^^^ add `cron:`\n   = cron: Minute, hour, day of month, month, day of week; a sixth field in front is seconds; @daily and its like.",
    );
}

#[test]
fn stages_follow_files_and_circles_are_named() {
    let chain = "connectors:\n  a: { connector: file-source, path: /mid, topic: two }\n  b: { connector: file-sink, path: /out, topics: [two] }\n  \
                 c: { connector: file-source, path: /in, topic: one }\n  d: { connector: file-sink, path: /mid, topics: [one] }\n";
    let order = stages(&Case::one(chain).plan().connectors).unwrap();
    let order: Vec<(&str, u32)> = order
        .iter()
        .map(|(name, stage)| (name.as_str(), *stage))
        .collect();
    assert_eq!(order, [("a", 1), ("b", 1), ("c", 0), ("d", 0)]);
    let circle = chain.replace("path: /out", "path: /in");
    let refused = stages(&Case::one(&circle).plan().connectors).unwrap_err();
    assert_eq!(refused.code, "LS0216");
    let circle =
        "`a` → topic `two` → `b` → file `/in` → `c` → topic `one` → `d` → file `/mid` → `a`";
    assert!(refused.message.contains(circle), "{}", refused.message);
}
