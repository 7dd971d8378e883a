//! Converters, transforms and predicates of a connector.

use std::collections::BTreeMap;

use linkspan_types::HIDDEN;

use super::plan::beside;
use crate::codes;
use crate::diagnostic::Severity;
use crate::option::Catalog;
use crate::report::{Draft, Report};
use crate::settings::{Setting, hidden_word, place_of};
use crate::vocabulary::{closest, listing};
use crate::yaml::Entry;

pub(crate) const CONVERTER_ROLES: [&str; 3] =
    ["key.converter", "value.converter", "header.converter"];

/// The converter that an option chooses or belongs to.
pub(crate) fn role_of(key: &str) -> Option<&'static str> {
    CONVERTER_ROLES.into_iter().find(|role| {
        key.strip_prefix(role)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Each converter must exist, and take the options that stand below it.
pub(super) fn converters_hold(
    report: &mut Report,
    entry: &Entry,
    catalog: &dyn Catalog,
    settings: &BTreeMap<String, Setting>,
) -> bool {
    let mut good = true;
    for role in CONVERTER_ROLES {
        let prefix = format!("{role}.");
        let below: BTreeMap<String, String> = settings
            .iter()
            .filter_map(|(name, setting)| {
                Some((
                    name.strip_prefix(&prefix)?.to_owned(),
                    setting.resolved.clone()?,
                ))
            })
            .collect();
        let chosen = settings
            .get(role)
            .and_then(|setting| setting.resolved.as_deref());
        let class = match chosen {
            Some(class) => class,
            None if below.is_empty() => continue,
            None => "auto",
        };
        for problem in catalog.converter_problems(role, class, &below) {
            good = false;
            let option = match problem.option.as_str() {
                "" => role.to_owned(),
                option => format!("{prefix}{option}"),
            };
            let span = settings
                .get(&option)
                .map_or(entry.key_span, |setting| setting.span);
            let code = match (problem.option.is_empty(), problem.known.is_empty()) {
                (true, _) => &codes::UNKNOWN_CLASS,
                (false, false) => &codes::UNKNOWN_KEY,
                (false, true) => &codes::NOT_ALLOWED,
            };
            let mut draft = Draft::error(
                code,
                span,
                format!("connector `{}`: `{option}` {}", entry.key, problem.message),
            );
            let written = if problem.option.is_empty() {
                class
            } else {
                &problem.option
            };
            let known = || problem.known.iter().map(String::as_str);
            if let Some(near) = closest(written, known()) {
                draft = draft.label(format!("did you mean `{near}`?"));
            }
            if !problem.known.is_empty() {
                draft = draft.note(format!("known here: {}", listing(known())));
            }
            report.push(draft);
        }
    }
    good
}

/// Predicates written as a map need no list of their names: they have no order.
pub(super) fn name_predicates(settings: &mut BTreeMap<String, Setting>) {
    if settings.contains_key("predicates") {
        return;
    }
    let named: Vec<(String, Setting)> = settings
        .iter()
        .filter_map(|(key, setting)| {
            let name = key.strip_prefix("predicates.")?.strip_suffix(".type")?;
            Some((name.to_owned(), setting.clone()))
        })
        .collect();
    let Some((_, first)) = named.first() else {
        return;
    };
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    let text = names.join(",");
    let list = Setting {
        text: text.clone(),
        resolved: Some(text),
        late: false,
        ..first.clone()
    };
    settings.insert("predicates".to_owned(), list);
}

/// Options of steps that are plugins' are of the types that those declare: secrets are hidden, relative paths start at the file.
pub(super) fn define_steps(catalog: &dyn Catalog, settings: &mut BTreeMap<String, Setting>) {
    let is_of_step = |key: &str| key.starts_with("transforms") || key.starts_with("predicates");
    let config: BTreeMap<String, String> = settings
        .iter()
        .filter(|(key, _)| is_of_step(key))
        .map(|(key, setting)| (key.clone(), setting.text.clone()))
        .collect();
    if config.is_empty() {
        return;
    }
    for key in catalog.step_secrets(&config) {
        if let Some(setting) = settings.get_mut(&key) {
            setting.def.secret = true;
        }
    }
    for (key, kind) in catalog.step_places(&config) {
        let Some(setting) = settings.get_mut(&key) else {
            continue;
        };
        setting.def.kind = kind;
        setting.text = place_of(kind, &setting.text, &setting.base);
        let resolved = setting.resolved.take();
        setting.resolved = resolved.map(|text| place_of(kind, &text, &setting.base));
    }
}

/// Each step and predicate must exist, and take the options that stand below it.
pub(super) fn steps_hold(
    report: &mut Report,
    entry: &Entry,
    catalog: &dyn Catalog,
    settings: &BTreeMap<String, Setting>,
) -> bool {
    let of_steps = |key: &str| key.starts_with("transforms") || key.starts_with("predicates");
    let config: BTreeMap<String, String> = settings
        .iter()
        .filter(|(key, _)| of_steps(key))
        .map(|(key, setting)| {
            let text = setting.resolved.as_ref().unwrap_or(&setting.text);
            (key.clone(), text.clone())
        })
        .collect();
    if config.is_empty() {
        return true;
    }
    let mut good = true;
    for key in catalog.step_secrets(&config) {
        let Some(setting) = settings.get(&key) else {
            continue;
        };
        report.conceal(setting.span);
        if setting.text == HIDDEN {
            let owner = format!("connector `{}`", entry.key);
            report.push(hidden_word(&owner, &key, setting.span));
            good = false;
        } else if !setting.late && !setting.text.is_empty() {
            let message = format!(
                "connector `{}`: the secret `{key}` stands in the file",
                entry.key
            );
            let draft = Draft::warning(&codes::SECRET_LITERAL, setting.span, message);
            report.push(draft.label("write `${env:NAME}` instead"));
        }
    }
    for problem in catalog.step_problems(&config) {
        let setting = settings.get(&problem.key);
        // What is not resolved yet cannot be judged yet.
        if setting.is_some_and(|setting| setting.resolved.is_none()) {
            continue;
        }
        let span = setting
            .or_else(|| beside(settings, &problem.key))
            .map_or(entry.key_span, |setting| setting.span);
        // Kafka Connect takes no offence at options of steps that are not there.
        let harmless = !problem.known.is_empty() && report.sources.is_lenient(span.file);
        good &= harmless;
        let code = if problem.known.is_empty() {
            &codes::NOT_ALLOWED
        } else {
            &codes::UNKNOWN_KEY
        };
        let mut draft = Draft::error(
            code,
            span,
            format!(
                "connector `{}`: `{}` {}",
                entry.key, problem.key, problem.message
            ),
        );
        if harmless {
            draft = draft.severity(Severity::Warning);
            report.ignored(span, &problem.key, "no option of this step");
        }
        let known = || problem.known.iter().map(String::as_str);
        if let Some(near) = closest(&problem.key, known()) {
            draft = draft.label(format!("did you mean `{near}`?"));
        }
        if !problem.known.is_empty() {
            draft = draft.note(format!("known here: {}", listing(known())));
        }
        report.push(draft);
    }
    good
}
