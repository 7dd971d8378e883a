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

/// Returns the value of each declared parameter; reports what does not fit.
pub(crate) fn read(
    report: &mut Report,
    entries: &[Entry],
    given: &[Given],
    resolver: &Resolver,
    unset_env: Severity,
    now_ms: i64,
) -> BTreeMap<String, String> {
    let mut vocabulary = Vocabulary::default();
    for option in framework::PARAM.iter() {
        vocabulary.add(&option.def, option.built, None);
    }
    let mut values = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.key.starts_with("x-")) {
        let given = given.iter().rev().find(|given| given.name == entry.key);
        let (declared, whole) = match &entry.value.kind {
            Kind::Map(entries) => (entries.as_slice(), None),
            // `day: x` is short for `day: {default: x}`.
            Kind::Scalar(scalar) => (&[][..], Some(scalar.text.clone())),
            Kind::Null => (&[][..], None),
            Kind::List(_) => {
                report.push(Draft::error(
                    &codes::WRONG_SHAPE,
                    entry.value.span,
                    format!("parameter `{}` takes a map, found a list", entry.key),
                ));
                continue;
            }
        };
        let mut reader = Reader {
            report,
            vocabulary: &vocabulary,
            resolver,
            unset_env,
            owner: format!("parameter `{}`", entry.key),
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
        let kind = setting("type").unwrap_or_else(|| "string".to_owned());
        let offset_at = settings
            .get("timezone")
            .map_or(entry.key_span, |setting| setting.span);
        let Some(today) = today(setting("timezone").as_deref().unwrap_or("UTC"), now_ms) else {
            report.push(
                Draft::error(
                    &codes::BAD_PARAM,
                    offset_at,
                    format!("parameter `{}`: no such time zone", entry.key),
                )
                .help("write Asia/Seoul, UTC or +09:00"),
            );
            continue;
        };
        let (text, span) = match (given, setting("default").or(whole)) {
            (Some(given), _) => (given.value.clone(), given.value_span),
            (None, Some(default)) => (
                default,
                settings
                    .get("default")
                    .map_or(entry.value.span, |setting| setting.span),
            ),
            (None, None) => {
                if !settings.contains_key("default") {
                    report.push(
                        Draft::error(
                            &codes::PARAM_MISSING,
                            entry.key_span,
                            format!("parameter `{}` has no value", entry.key),
                        )
                        .help(format!("give it one: --param {}=VALUE", entry.key)),
                    );
                }
                continue;
            }
        };
        match value(&kind, &text, today) {
            Ok(value) => {
                values.insert(entry.key.clone(), value);
            }
            Err(accepts) => report.push(Draft::error(
                &codes::BAD_PARAM,
                span,
                format!(
                    "parameter `{}` takes {accepts}, found `{}`",
                    entry.key,
                    text.escape_debug()
                ),
            )),
        }
    }
    let names = || {
        entries
            .iter()
            .map(|entry| entry.key.as_str())
            .filter(|name| !name.starts_with("x-"))
    };
    for given in given
        .iter()
        .filter(|given| names().all(|name| name != given.name))
    {
        let mut draft = Draft::error(
            &codes::UNKNOWN_PARAM,
            given.name_span,
            format!("no parameter is called `{}`", given.name.escape_debug()),
        );
        if let Some(known) = closest(&given.name, names()) {
            draft = draft.label(format!("did you mean `{known}`?"));
        }
        report.push(draft.note(format!("declared are: {}", listing(names()))));
    }
    values
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
