//! What a real Kafka Connect answers, asked of our own model, converters, transforms and predicates.
//!
//! Every file `*.jsonl` in `tests/golden/connect` is read; each line is one vector, see [`vector`]. A trial is one
//! class, such as `json-to/JsonConverter`; it fails where a vector of it does, and lists which. Prints
//! `CLASS: N passed, M failed`, and what differs on purpose by rule, with the reason and the count.
//!
//! `quirk:true` marks accidents of Java: such a vector passes with the same answer or with a clean error.

#![expect(clippy::print_stdout, reason = "a test program reports on stdout")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a vector that does not follow its format fails its class"
)]

mod convert;
mod schema;
mod transform;
mod vector;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use linkspan_convert::Refusal;

use vector::{Outcome, Vector};

/// Checks one vector.
type Check = fn(&Vector) -> Outcome;

/// Kinds that are not built yet: counted, never passed.
const PENDING: &[&str] = &[];

fn check_of(kind: &str) -> Option<Check> {
    Some(match kind {
        "schema-validate" => schema::validate,
        "schema-default" => schema::default,
        "schema-equals" => schema::equals,
        "struct-validate" => schema::struct_validate,
        "struct-get" => schema::struct_get,
        "schema-project" => convert::project,
        "json-from" | "json-header-from" | "conv-from" | "conv-header-from" => {
            convert::from_connect
        }
        "json-to" | "json-header-to" | "conv-to" | "conv-header-to" | "simple-header-to" => {
            convert::to_connect
        }
        "json-schema" => convert::json_schema,
        "converter-config" => convert::config,
        "values-parse" => convert::parse,
        "values-string" => convert::to_string,
        "values-convert" => convert::convert,
        "murmur2" => convert::hash,
        "dlq" => convert::error_headers_of,
        "smt" => transform::transform,
        "smt-config" => transform::transform_config,
        "predicate" => transform::predicate,
        "predicate-config" => transform::predicate_config,
        _ => return None,
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tally = Arc::new(Mutex::new(Tally::default()));
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/connect");
    let trials = match vectors(&dir) {
        Ok(classes) => classes
            .into_iter()
            .map(|(class, vectors)| trial(class, vectors, &tally))
            .collect(),
        Err(error) => vec![Trial::test("vectors", move || Err(Failed::from(error)))],
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Ok(tally) = tally.lock() {
        tally.print();
    }
    conclusion.exit_code()
}

/// Reads every file, by class.
fn vectors(dir: &Path) -> Result<BTreeMap<String, Vec<Vector>>, String> {
    let mut classes: BTreeMap<String, Vec<Vector>> = BTreeMap::new();
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "jsonl")
    });
    paths.sort();
    for path in paths {
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let vector = Vector::parse(line)
                .map_err(|error| format!("{}:{}: {error}", path.display(), number + 1))?;
            classes.entry(vector.class_name()).or_default().push(vector);
        }
    }
    if classes.is_empty() {
        return Err(format!("no vector in {}", dir.display()));
    }
    Ok(classes)
}

fn trial(class: String, vectors: Vec<Vector>, tally: &Arc<Mutex<Tally>>) -> Trial {
    const SHOWN_MAX: usize = 40;
    let tally = Arc::clone(tally);
    Trial::test(class.clone(), move || {
        let mut count = Count::default();
        let mut failures = Vec::new();
        for vector in &vectors {
            let Some(check) = check_of(&vector.kind) else {
                if PENDING.contains(&vector.kind.as_str()) {
                    if vector.kind == "smt" {
                        // Not asked, but it must be readable.
                        vector::record(vector.get("in"));
                    }
                    count.pending += 1;
                } else {
                    count.failed += 1;
                    failures.push(format!("{}: nothing here knows this kind", vector.id));
                }
                continue;
            };
            match check(vector) {
                Outcome::Same => count.passed += 1,
                Outcome::Refused(rule) => {
                    count.differs += 1;
                    lock(&tally).rule(rule);
                }
                Outcome::Inapplicable(reason) => {
                    count.inapplicable += 1;
                    *lock(&tally).reasons.entry(reason).or_default() += 1;
                }
                Outcome::Differs { .. } if vector.quirk => count.quirks += 1,
                Outcome::Differs { expected, found } => {
                    count.failed += 1;
                    failures.push(format!(
                        "{}\n    expected {expected}\n    found    {found}",
                        vector.id
                    ));
                }
            }
        }
        lock(&tally).classes.insert(class.clone(), count);
        if failures.is_empty() {
            return Ok(());
        }
        let more = failures.len().saturating_sub(SHOWN_MAX);
        failures.truncate(SHOWN_MAX);
        if more > 0 {
            failures.push(format!("… and {more} more"));
        }
        Err(Failed::from(failures.join("\n")))
    })
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What the vectors of one class came to.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    passed: u32,
    failed: u32,
    differs: u32,
    quirks: u32,
    pending: u32,
    inapplicable: u32,
}

/// What the trials that ran came to.
#[derive(Default)]
struct Tally {
    classes: BTreeMap<String, Count>,
    rules: BTreeMap<Refusal, u32>,
    reasons: BTreeMap<&'static str, u32>,
}

impl Tally {
    fn rule(&mut self, rule: Refusal) {
        *self.rules.entry(rule).or_default() += 1;
    }

    fn print(&self) {
        let mut all = Count::default();
        for (class, count) in &self.classes {
            println!(
                "{class}: {} passed, {} failed{}",
                count.passed,
                count.failed,
                count.others()
            );
            all.add(*count);
        }
        for (rule, count) in &self.rules {
            println!(
                "DIFFERENCE {rule:?}, {count} vectors: Connect: {}; refused here",
                rule.reason()
            );
        }
        for (reason, count) in &self.reasons {
            println!("NOT APPLICABLE, {count} vectors: {reason}");
        }
        println!(
            "all classes: {} passed, {} failed{}",
            all.passed,
            all.failed,
            all.others()
        );
    }
}

impl Count {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.differs += other.differs;
        self.quirks += other.quirks;
        self.pending += other.pending;
        self.inapplicable += other.inapplicable;
    }

    fn others(self) -> String {
        let parts = [
            (self.differs, "differ on purpose"),
            (self.quirks, "quirks answered otherwise"),
            (self.pending, "not built"),
            (self.inapplicable, "not applicable"),
        ];
        let shown = parts.iter().filter(|(count, _)| *count > 0);
        shown
            .map(|(count, what)| format!(", {count} {what}"))
            .collect()
    }
}
