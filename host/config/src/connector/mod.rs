//! `connectors:` and `defaults:` → [`ConnectorPlan`]s.

mod class;
mod plan;
mod steps;
mod topics;

use self::class::{class_of, inherited, installed, stands_for, vocabulary};
use self::plan::plan;
pub(crate) use self::steps::{CONVERTER_ROLES, role_of};
use self::steps::{converters_hold, define_steps, name_predicates, steps_hold};
pub(crate) use self::topics::match_topics;
use self::topics::{creation_holds, letters_hold, topics_hold};
use crate::codes;
use crate::diagnostic::Severity;
use crate::option::{Catalog, ClassKind};
use crate::placeholder::Resolver;
use crate::plan::ConnectorPlan;
use crate::report::{Draft, Report};
use crate::settings::{Body, Reader};
use crate::vocabulary::closest;
use crate::yaml::{Entry, Kind};

const NAME_CHARS_MAX: usize = 200;

/// What all connectors of one load share.
pub(crate) struct Surroundings<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) defaults: &'a [Entry],
    /// The section `host:`, for its converters.
    pub(crate) host: &'a [Entry],
    pub(crate) resolver: &'a Resolver,
    pub(crate) unset_env: Severity,
}

/// Reads all connectors; one that is not right is left out, and reported.
pub(crate) fn read(
    report: &mut Report,
    entries: &[Entry],
    around: &Surroundings<'_>,
) -> Vec<ConnectorPlan> {
    check_defaults(report, around);
    let mut plans: Vec<ConnectorPlan> = entries
        .iter()
        .filter(|entry| !entry.key.starts_with("x-"))
        .filter_map(|entry| {
            let before = report.errors();
            let mut plan = connector(report, entry, around)?;
            plan.sound = report.errors() == before;
            Some(plan)
        })
        .collect();
    plans.sort_by(|a, b| a.name.cmp(&b.name));
    plans
}

fn connector(
    report: &mut Report,
    entry: &Entry,
    around: &Surroundings<'_>,
) -> Option<ConnectorPlan> {
    let name = entry.key.as_str();
    let named = name_is_good(report, entry);
    let Kind::Map(options) = &entry.value.kind else {
        report.push(Draft::error(
            &codes::WRONG_SHAPE,
            entry.value.span,
            format!(
                "connector `{}` takes a map of options, found {}",
                name.escape_debug(),
                entry.value.shape()
            ),
        ));
        return None;
    };
    let class = class_of(report, entry, options, around)?;
    let vocabulary = vocabulary(class);
    let inherited = inherited(options, class, around);
    let mut bodies = vec![Body {
        entries: &inherited,
        explicit: false,
    }];
    for default in around
        .defaults
        .iter()
        .filter(|default| stands_for(class, &default.key))
    {
        if let Kind::Map(entries) = &default.value.kind {
            bodies.push(Body {
                entries,
                explicit: false,
            });
        }
    }
    bodies.push(Body {
        entries: options,
        explicit: true,
    });
    let mut reader = Reader {
        report,
        vocabulary: &vocabulary,
        resolver: around.resolver,
        unset_env: around.unset_env,
        owner: format!("connector `{name}`"),
        span: entry.key_span,
    };
    let mut settings = reader.read(&bodies);
    name_predicates(&mut settings);
    define_steps(around.catalog, &mut settings);
    let topics_hold = topics_hold(report, entry, class, around.catalog, &settings);
    let letters_hold = letters_hold(report, entry, around.catalog, &settings);
    let converters_hold = converters_hold(report, entry, around.catalog, &settings);
    let steps_hold = steps_hold(report, entry, around.catalog, &settings);
    // A sink may have options of its own under that name, for what it makes outside.
    let creation_holds =
        class.kind != ClassKind::Source || creation_holds(report, entry, around.catalog, &settings);
    if let Some(own) = settings.get("name").filter(|own| own.text != name) {
        report.push(
            Draft::error(
                &codes::SET_TWICE,
                own.span,
                format!(
                    "connector `{name}`: `name` says `{}`",
                    own.text.escape_debug()
                ),
            )
            .help("remove `name`: the key is the name"),
        );
    }
    (named && topics_hold && letters_hold && converters_hold && steps_hold && creation_holds)
        .then(|| plan(report, entry, class, settings))
}

fn name_is_good(report: &mut Report, entry: &Entry) -> bool {
    let name = &entry.key;
    let good = !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.contains('/')
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    if !good {
        report.push(Draft::error(
            &codes::BAD_NAME,
            entry.key_span,
            format!("`{}` cannot name a connector", name.escape_debug()),
        ));
    }
    good
}

/// Defaults of a class nobody uses are still checked for the class's name and shape.
fn check_defaults(report: &mut Report, around: &Surroundings<'_>) {
    for default in around
        .defaults
        .iter()
        .filter(|default| !default.key.starts_with("x-"))
    {
        if around.catalog.class(&default.key).is_none() {
            let names = around.catalog.names();
            let mut draft = Draft::error(
                &codes::UNKNOWN_CLASS,
                default.key_span,
                format!(
                    "defaults: no installed plugin offers the class `{}`",
                    default.key.escape_debug()
                ),
            );
            if let Some(known) = closest(&default.key, names.iter().map(String::as_str)) {
                draft = draft.label(format!("did you mean `{known}`?"));
            }
            report.push(draft.note(installed(around.catalog)));
        } else if !matches!(default.value.kind, Kind::Map(_) | Kind::Null) {
            report.push(Draft::error(
                &codes::WRONG_SHAPE,
                default.value.span,
                format!(
                    "defaults of `{}` are a map, found {}",
                    default.key,
                    default.value.shape()
                ),
            ));
        }
    }
}
