//! A virtual clock over clock changes, downtime and runs that take too long.

use std::time::Duration;

use chrono::{DateTime, Utc};
use linkspan_types::{Clock as _, ManualClock};

use super::*;

fn ms(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().unwrap().timestamp_millis()
}

fn schedule(cron: &str, zone: &str, missed: Missed, overlap: Overlap) -> Schedule {
    Schedule::new(cron, zone, missed, overlap).unwrap()
}

/// Moves a clock minute by minute through a stretch of time; every run ends before the next minute. Returns the times of
/// the runs as the zone's clock shows them, and what was left out.
fn watch(table: &mut Timetable, from: &str, to: &str) -> (Vec<String>, u64) {
    let clock = ManualClock::at(ms(from));
    let (mut runs, mut left_out) = (Vec::new(), 0);
    while clock.now_ms() <= ms(to) {
        for event in table.tick(clock.now_ms()) {
            match event {
                Event::Run { due_ms } => {
                    runs.push(table.schedule().local(due_ms));
                    table.ended(true);
                }
                Event::LeftOut { count, .. } => left_out += count,
                Event::MadeUp { .. } => {}
            }
        }
        clock.advance(Duration::from_secs(60));
    }
    (runs, left_out)
}

/// Runs of a pattern in a zone between two moments, the host being up all the time.
fn runs(cron: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
    let schedule = schedule(cron, zone, Missed::Skip, Overlap::Skip);
    let mut table = Timetable::new(schedule, None, ms(from));
    let (runs, left_out) = watch(&mut table, from, to);
    assert_eq!(left_out, 0, "a host that is up leaves nothing out");
    runs
}

/// Berlin, 29 March 2026: 02:00 becomes 03:00.
const SPRING: [&str; 2] = ["2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"];
/// Berlin, 25 October 2026: 03:00 becomes 02:00.
const AUTUMN: [&str; 2] = ["2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"];

#[test]
fn a_daily_time_inside_the_gap_is_due_right_behind_it() {
    let [from, to] = SPRING;
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", from, to),
        ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    );
}

#[test]
fn a_daily_time_outside_the_gap_keeps_its_hour_on_the_clock() {
    let [from, to] = SPRING;
    assert_eq!(
        runs("0 4 * * *", "Europe/Berlin", from, to),
        ["2026-03-29T04:00:00+02:00", "2026-03-30T04:00:00+02:00"]
    );
}

#[test]
fn a_daily_time_that_comes_twice_runs_once_the_first_time() {
    let [from, to] = AUTUMN;
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", from, to),
        ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    );
}

#[test]
fn hourly_runs_come_each_real_hour_over_both_changes() {
    for [from, to] in [SPRING, AUTUMN] {
        let hourly = runs("0 * * * *", "Europe/Berlin", from, to);
        assert_eq!(
            hourly.len(),
            48,
            "48 hours lie behind the first minute: {hourly:?}"
        );
        let moments: Vec<i64> = hourly
            .iter()
            .map(|text| {
                DateTime::parse_from_rfc3339(text)
                    .unwrap()
                    .timestamp_millis()
            })
            .collect();
        assert!(
            moments
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if b - a == 3_600_000))
        );
    }
}

#[test]
fn a_zone_without_clock_changes_and_an_offset_are_even() {
    for zone in ["Asia/Seoul", "+09:00"] {
        assert_eq!(
            runs("0 3 * * *", zone, SPRING[0], SPRING[1]),
            ["2026-03-29T03:00:00+09:00", "2026-03-30T03:00:00+09:00"]
        );
    }
}

/// Three days without a host: Monday 12:00 to Thursday 12:00, a job each night at 3 in Seoul.
fn after_downtime(missed: Missed) -> (Vec<String>, u64, Timetable) {
    let nightly = || schedule("0 3 * * *", "Asia/Seoul", missed, Overlap::Skip);
    let mut before = Timetable::new(nightly(), None, ms("2026-11-22T12:00:00Z"));
    let (runs, _) = watch(&mut before, "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z");
    assert_eq!(runs, ["2026-11-23T03:00:00+09:00"]);
    let back = "2026-11-26T12:00:00Z";
    let mut after = Timetable::new(nightly(), Some(before.done_ms()), ms(back));
    let (runs, left_out) = watch(&mut after, back, "2026-11-26T13:00:00Z");
    (runs, left_out, after)
}

#[test]
fn three_days_of_downtime_are_left_out() {
    let (runs, left_out, table) = after_downtime(Missed::Skip);
    assert_eq!((runs.len(), left_out), (0, 3));
    assert_eq!(table.next_due(), Some(ms("2026-11-26T18:00:00Z")));
}

#[test]
fn three_days_of_downtime_are_made_up_for_by_one_run_of_the_latest_time() {
    let (runs, left_out, table) = after_downtime(Missed::RunOnce);
    assert_eq!(runs, ["2026-11-26T03:00:00+09:00"]);
    assert_eq!(left_out, 0);
    assert_eq!(table.done_ms(), ms("2026-11-25T18:00:00Z"));
}

#[test]
fn three_days_of_downtime_are_made_up_for_by_a_run_of_each_time_in_order() {
    let (runs, left_out, _) = after_downtime(Missed::RunAll);
    assert_eq!(
        runs,
        ["2026-11-24", "2026-11-25", "2026-11-26"].map(|day| format!("{day}T03:00:00+09:00"))
    );
    assert_eq!(left_out, 0);
}

#[test]
fn downtime_over_a_clock_change_misses_what_the_clock_showed() {
    let daily = || schedule("30 2 * * *", "Europe/Berlin", Missed::RunAll, Overlap::Skip);
    for ([from, to], first) in [
        (SPRING, "2026-03-29T03:00:00+02:00"),
        (AUTUMN, "2026-10-25T02:30:00+02:00"),
    ] {
        let mut table = Timetable::new(daily(), Some(ms(from)), ms(to));
        let (runs, _) = watch(&mut table, to, to);
        assert_eq!(runs, [first], "the second begins at the next look");
        let (runs, _) = watch(&mut table, to, to);
        assert_eq!(runs.len(), 1);
        assert_eq!(table.waiting(), 0);
    }
}

#[test]
fn the_first_start_of_a_job_has_missed_nothing() {
    let hourly = schedule("0 * * * *", "UTC", Missed::RunAll, Overlap::Skip);
    let mut table = Timetable::new(hourly, None, ms("2026-11-25T10:30:00Z"));
    assert_eq!(table.tick(ms("2026-11-25T10:30:00Z")), []);
    assert_eq!(table.next_due(), Some(ms("2026-11-25T11:00:00Z")));
}

fn minutely(missed: Missed, overlap: Overlap) -> Timetable {
    let schedule = schedule("* * * * *", "UTC", missed, overlap);
    Timetable::new(schedule, None, ms("2026-11-25T10:00:30Z"))
}

#[test]
fn a_time_that_comes_while_the_run_before_works_is_left_out() {
    let mut table = minutely(Missed::Skip, Overlap::Skip);
    let first = ms("2026-11-25T10:01:00Z");
    assert_eq!(table.tick(first), [Event::Run { due_ms: first }]);
    for minute in ["10:02", "10:03"] {
        let events = table.tick(ms(&format!("2026-11-25T{minute}:00Z")));
        assert!(
            matches!(events.as_slice(), [Event::LeftOut { count: 1, .. }]),
            "{events:?}"
        );
    }
    assert_eq!(
        table.done_ms(),
        ms("2026-11-25T10:00:30Z"),
        "nothing has ended yet"
    );
    table.ended(true);
    assert_eq!(table.done_ms(), ms("2026-11-25T10:03:00Z"));
    let next = ms("2026-11-25T10:04:00Z");
    assert_eq!(table.tick(next), [Event::Run { due_ms: next }]);
}

#[test]
fn a_time_that_comes_while_the_run_before_works_waits_in_a_queue() {
    let mut table = minutely(Missed::Skip, Overlap::Queue);
    let at = |minute: u32| ms(&format!("2026-11-25T10:0{minute}:00Z"));
    assert_eq!(table.tick(at(1)), [Event::Run { due_ms: at(1) }]);
    assert_eq!(table.tick(at(2)), []);
    assert_eq!(table.tick(at(3)), []);
    assert_eq!(table.waiting(), 2);
    table.ended(true);
    assert_eq!(table.done_ms(), at(1), "the others are still to come");
    assert_eq!(table.tick(at(3)), [Event::Run { due_ms: at(2) }]);
    table.ended(true);
    assert_eq!(table.tick(at(3)), [Event::Run { due_ms: at(3) }]);
    table.ended(true);
    assert_eq!(table.tick(at(3)), []);
}

#[test]
fn a_run_that_the_host_cut_off_counts_as_missed_at_the_next_start() {
    let mut table = minutely(Missed::RunOnce, Overlap::Skip);
    let first = ms("2026-11-25T10:01:00Z");
    assert_eq!(table.tick(first), [Event::Run { due_ms: first }]);
    table.ended(false);
    let schedule = table.schedule().clone();
    let mut again = Timetable::new(schedule, Some(table.done_ms()), first + 10_000);
    assert_eq!(again.tick(first + 10_000), [Event::Run { due_ms: first }]);
    again.ended(true);
    assert_eq!(again.tick(first + 20_000), []);
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing() {
    let mut table = minutely(Missed::RunAll, Overlap::Skip);
    let first = ms("2026-11-25T10:01:00Z");
    assert_eq!(table.tick(first), [Event::Run { due_ms: first }]);
    table.ended(true);
    assert_eq!(table.tick(first - 600_000), []);
    assert_eq!(table.tick(first), []);
    assert_eq!(
        table.tick(first + 60_000),
        [Event::Run {
            due_ms: first + 60_000
        }]
    );
}

#[test]
fn years_without_a_host_cost_moments_and_are_bounded() {
    let every_second = schedule("* * * * * *", "UTC", Missed::RunAll, Overlap::Skip);
    let mut table = Timetable::new(
        every_second,
        Some(ms("2020-01-01T00:00:00Z")),
        ms("2026-11-25T10:00:00Z"),
    );
    let events = table.tick(ms("2026-11-25T10:00:00Z"));
    assert!(
        matches!(
            events.as_slice(),
            [Event::LeftOut { .. }, Event::Run { .. }]
        ),
        "{events:?}"
    );
    assert!(table.waiting() < WAITING_MAX);
}
