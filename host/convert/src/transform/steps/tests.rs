use super::*;

fn read(options: &[(&str, &str)]) -> StepsConfig {
    let config = options
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect();
    read_steps(&config, &Own)
}

/// A plugin with one transform, `com.example.Own`, and one predicate, `IsOwn`.
struct Own;

impl PluginClasses for Own {
    fn names(&self, class_use: ClassUse) -> Vec<String> {
        let name = match class_use {
            ClassUse::Transform => "com.example.Own",
            ClassUse::Predicate => "IsOwn",
        };
        vec![name.to_owned()]
    }

    fn options(&self, class_use: ClassUse, class: &str) -> Option<Vec<String>> {
        (self.names(class_use)[0] == class).then(|| vec!["any".to_owned()])
    }

    fn problems(&self, _class: &str, options: &BTreeMap<String, String>) -> Vec<ConfigProblem> {
        let wrong = options.get("any").filter(|any| *any != "thing");
        wrong
            .map(|_| ConfigProblem::new("any", "must be `thing`"))
            .into_iter()
            .collect()
    }
}

fn problems(options: &[(&str, &str)]) -> Vec<String> {
    let read = read(options);
    read.problems
        .into_iter()
        .map(|problem| format!("{}: {}", problem.key, problem.message))
        .collect()
}

#[test]
fn steps_keep_their_order_and_conditions() {
    let read = read(&[
        ("transforms", "b, a,own"),
        ("transforms.a.type", "Filter"),
        ("transforms.a.predicate", "dead"),
        ("transforms.a.negate", "true"),
        ("transforms.b.type", "HoistField$Value"),
        ("transforms.b.field", "x"),
        ("transforms.own.type", "com.example.Own"),
        ("transforms.own.any", "thing"),
        ("predicates", "dead"),
        ("predicates.dead.type", "RecordIsTombstone"),
    ]);
    assert_eq!(read.problems, []);
    assert_eq!(read.unknown, []);
    let names: Vec<&str> = read.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "own"]);
    let mut steps: Vec<Option<Step>> = read
        .steps
        .iter()
        .map(|step| step.build(0).unwrap())
        .collect();
    assert!(steps[2].is_none());
    // Not a tombstone, and negated: the filter is for it.
    let record = Record {
        value: crate::SchemaAndValue::schemaless(crate::Value::Int8(1)),
        ..Record::default()
    };
    let filter = steps[1].as_mut().unwrap();
    assert_eq!(filter.apply(record), Ok(None));
    assert_eq!(filter.apply(Record::default()), Ok(Some(Record::default())));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let found = problems(&[
        ("transforms", "a,a,b,c"),
        ("transforms.a.type", "Nope"),
        ("transforms.b.type", "HoistField"),
        ("transforms.b.negate", "true"),
        ("transforms.c.type", "Filter"),
        ("transforms.c.predicate", "p"),
        ("predicates", "q"),
        ("predicates.q.type", "TopicNameMatches"),
    ]);
    assert_eq!(found.len(), 7, "{found:#?}");
    assert!(found[0].starts_with("transforms: names `a` twice"));
    assert!(found[1].starts_with("transforms.a.type: `Nope` is no transform; built in are Cast, "));
    assert_eq!(
        found[2],
        "transforms.b.negate: needs a `predicate` beside it"
    );
    assert_eq!(found[3], "transforms.b.of: is required");
    assert_eq!(found[4], "transforms.b.field: is required");
    assert_eq!(
        found[5],
        "transforms.c.predicate: names `p`, which is not defined; `predicates` has q"
    );
    assert_eq!(found[6], "predicates.q.pattern: is required");
}

#[test]
fn classes_of_plugins_are_checked_with_all_others() {
    let options = [
        ("transforms", "own,not,bare"),
        ("transforms.own.type", "com.example.Own"),
        ("transforms.own.any", "body"),
        ("transforms.own.anny", "thing"),
        ("transforms.own.predicate", "p"),
        ("transforms.own.negate", "true"),
        ("transforms.not.type", "IsOwn"),
        ("transforms.bare.type", "HoistField$Key"),
        ("predicates", "p"),
        ("predicates.p.type", "IsOwn"),
        ("predicates.p.any", "body"),
    ];
    let found = problems(&options);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert_eq!(found[0], "transforms.own.any: must be `thing`");
    assert!(
        found[1].ends_with("ValueToKey, and plugins offer com.example.Own"),
        "{}",
        found[1]
    );
    assert_eq!(found[2], "transforms.bare.field: is required");
    assert_eq!(found[3], "predicates.p.any: must be `thing`");
    let read = read(&options);
    assert_eq!(read.unknown[0].key, "transforms.own.anny");
    assert!(
        read.unknown[0]
            .known
            .contains(&"transforms.own.any".to_owned())
    );
    let own = &read.steps[0];
    assert!(own.builtin.is_none() && own.build(0).unwrap().is_none());
    let condition = own.condition.as_ref().unwrap();
    assert!(!condition.builtin && condition.negate);
    assert!(own.build_condition().unwrap().is_none());
}

#[test]
fn keys_that_nothing_knows_come_with_what_could_be_meant() {
    let read = read(&[
        ("transforms", "a"),
        ("transforms.a.type", "HoistField$Key"),
        ("transforms.a.field", "x"),
        ("transforms.a.feild", "x"),
        ("transforms.z.type", "Filter"),
    ]);
    let keys: Vec<&str> = read
        .unknown
        .iter()
        .map(|unknown| unknown.key.as_str())
        .collect();
    assert_eq!(keys, ["transforms.a.feild", "transforms.z.type"]);
    assert!(
        read.unknown[0]
            .known
            .contains(&"transforms.a.field".to_owned())
    );
}

#[test]
fn topics_are_known_where_no_step_decides_by_the_record() {
    let router = |name: &'static str, more: &[(&'static str, &'static str)]| {
        let mut options = vec![
            ("transforms", name),
            ("transforms.r.type", "RegexRouter"),
            ("transforms.r.regex", "in(.*)"),
            ("transforms.r.replacement", "out$1"),
            ("predicates", "p"),
            ("predicates.p.type", "RecordIsTombstone"),
            ("transforms.o.type", "com.example.Own"),
            ("transforms.t.type", "TimestampRouter"),
            ("transforms.d.type", "DropHeaders"),
            ("transforms.d.headers", "x"),
        ];
        options.extend(more);
        let topics = read(&options).topics_after("in-a")?;
        Some(
            topics
                .iter()
                .map(|topic| topic.to_string())
                .collect::<Vec<_>>(),
        )
    };
    let known = |topics: &[&str]| Some(topics.iter().map(|&topic| topic.to_owned()).collect());
    assert_eq!(router("", &[]), known(&["in-a"]));
    assert_eq!(router("r,d", &[]), known(&["out-a"]));
    assert_eq!(
        router("r", &[("transforms.r.predicate", "p")]),
        known(&["in-a", "out-a"])
    );
    assert_eq!(router("d,o", &[]), None);
    assert_eq!(router("t", &[]), None);
}
