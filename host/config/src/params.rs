//! `params:` and `--param`: named values of one run, checked by type.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, FixedOffset, NaiveDate, Utc};

use crate::codes;
use crate::diagnostic::Severity;
use crate::framework;
use crate::placeholder::Resolver;
use crate::report::{Draft, Report};
use crate::settings::{Body, Reader};
use crate::source::Span;
use crate::vocabulary::{Vocabulary, closest, listing};
use crate::yaml::{Entry, Kind};

/// A value given by the command line, with its place in the text `NAME=VALUE`.
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) name_span: Span,
    pub(crate) value_span: Span,
}

/// What all parameters of one load share.
pub(crate) struct Surroundings<'a> {
    pub(crate) given: &'a [Given],
    pub(crate) resolver: &'a Resolver,
    pub(crate) unset_env: Severity,
    pub(crate) now_ms: i64,
}

/// Returns the value of each declared parameter; reports what does not fit.
pub(crate) fn read(
    report: &mut Report,
    entries: &[Entry],
    around: &Surroundings<'_>,
) -> BTreeMap<String, String> {
    let mut vocabulary = Vocabulary::default();
    for option in framework::PARAM.iter() {
        vocabulary.add(&option.def, option.built, None);
    }
    let declared: Vec<&Entry> = entries
        .iter()
        .filter(|entry| !entry.key.starts_with("x-"))
        .collect();
    let mut values = BTreeMap::new();
    for entry in &declared {
        if let Some(value) = parameter(report, entry, &vocabulary, around) {
            values.insert(entry.key.clone(), value);
        }
    }
    let names = || declared.iter().map(|entry| entry.key.as_str());
    for given in around
        .given
        .iter()
        .filter(|given| names().all(|name| name != given.name))
    {
        let message = format!("no parameter is called `{}`", given.name.escape_debug());
        let mut draft = Draft::error(&codes::UNKNOWN_PARAM, given.name_span, message);
        if let Some(known) = closest(&given.name, names()) {
            draft = draft.label(format!("did you mean `{known}`?"));
        }
        let known = if declared.is_empty() {
            "`params:` declares none".to_owned()
        } else {
            format!("declared are: {}", listing(names()))
        };
        report.push(draft.note(known));
    }
    values
}

fn parameter(
    report: &mut Report,
    entry: &Entry,
    vocabulary: &Vocabulary<'_>,
    around: &Surroundings<'_>,
) -> Option<String> {
    let name = &entry.key;
    let (declared, whole) = match &entry.value.kind {
        Kind::Map(entries) => (entries.as_slice(), None),
        // `day: x` is short for `day: {default: x}`.
        Kind::Scalar(scalar) => (&[][..], Some(scalar.text.clone())),
        Kind::Null => (&[][..], None),
        Kind::List(_) => {
            let message = format!("parameter `{name}` takes a map, found a list");
            report.push(Draft::error(&codes::WRONG_SHAPE, entry.value.span, message));
            return None;
        }
    };
    let mut reader = Reader {
        report,
        vocabulary,
        resolver: around.resolver,
        unset_env: around.unset_env,
        owner: format!("parameter `{name}`"),
        span: entry.key_span,
    };
    let settings = reader.read(&[Body {
        entries: declared,
        explicit: true,
    }]);
    let setting = |name: &str| {
        settings
            .get(name)
            .and_then(|setting| setting.resolved.clone())
    };
    let span_of = |name: &str| {
        settings
            .get(name)
            .map_or(entry.value.span, |setting| setting.span)
    };
    let kind = setting("type").unwrap_or_else(|| "string".to_owned());
    let Some(today) = today(
        setting("timezone").as_deref().unwrap_or("UTC"),
        around.now_ms,
    ) else {
        let message = format!("parameter `{name}`: no such time zone");
        report.push(
            Draft::error(&codes::BAD_PARAM, span_of("timezone"), message)
                .help("write Asia/Seoul, UTC or +09:00"),
        );
        return None;
    };
    let given = around.given.iter().rev().find(|given| given.name == *name);
    let (text, span) = match (given, setting("default").or(whole)) {
        (Some(given), _) => (given.value.clone(), given.value_span),
        (None, Some(default)) => (default, span_of("default")),
        (None, None) if settings.contains_key("default") => return None,
        (None, None) => {
            let draft = Draft::error(
                &codes::PARAM_MISSING,
                entry.key_span,
                format!("parameter `{name}` has no value"),
            );
            report.push(draft.help(format!("give it one: --param {name}=VALUE")));
            return None;
        }
    };
    match value(&kind, &text, today) {
        Ok(value) => Some(value),
        Err(accepts) => {
            let message = format!(
                "parameter `{name}` takes {accepts}, found `{}`",
                text.escape_debug()
            );
            report.push(Draft::error(&codes::BAD_PARAM, span, message));
            None
        }
    }
}

fn value(kind: &str, text: &str, today: NaiveDate) -> Result<String, &'static str> {
    match kind {
        "int" => text
            .parse::<i64>()
            .map(|number| number.to_string())
            .map_err(|_| "a whole number"),
        "date" => date(text, today)
            .map(|date| date.to_string())
            .ok_or("a date such as 2026-11-01, today, yesterday, tomorrow or today-7"),
        _ => Ok(text.to_owned()),
    }
}

fn date(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    match text {
        "today" => Some(today),
        "yesterday" => today.pred_opt(),
        "tomorrow" => today.succ_opt(),
        _ => match text.strip_prefix("today") {
            Some(shift) if shift.starts_with('-') => {
                today.checked_sub_days(days(shift.strip_prefix('-')?)?)
            }
            Some(shift) => today.checked_add_days(days(shift.strip_prefix('+')?)?),
            None if text.len() == 10 => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
            None => None,
        },
    }
}

fn days(text: &str) -> Option<Days> {
    text.chars()
        .all(|c| c.is_ascii_digit())
        .then(|| text.parse::<u32>().ok())
        .flatten()
        .map(|days| Days::new(days.into()))
}

/// Returns the date in a zone; `None` for a zone that does not exist or a time beyond the calendar.
fn today(zone: &str, now_ms: i64) -> Option<NaiveDate> {
    let now: DateTime<Utc> = DateTime::from_timestamp_millis(now_ms)?;
    if matches!(zone, "UTC" | "Z") {
        return Some(now.date_naive());
    }
    if let Ok(zone) = zone.parse::<chrono_tz::Tz>() {
        return Some(now.with_timezone(&zone).date_naive());
    }
    let offset: FixedOffset = zone.parse().ok()?;
    Some(now.with_timezone(&offset).date_naive())
}
