//! Options: what is declared is what holds.

use std::collections::BTreeSet;

use linkspan_sdk::{ConfigProblem, OptionDef, Options};

use crate::Config;

/// What no number, duration, size, boolean, topic or word is.
const WRONG: &str = "(linkspan conformance: not a value)";
/// A name that no connector has.
const UNKNOWN: &str = "linkspan.conformance.unknown";

/// Tries every option on top of a configuration that works.
pub(super) fn check<O: Options>(base: &Config) -> Vec<String> {
    if let Err(problems) = O::from_config(base) {
        return vec![format!(
            "the setup's configuration is refused: {}",
            told(&problems)
        )];
    }
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for option in O::definitions() {
        for name in option.aliases.iter().chain([&option.name]) {
            if !names.insert(name.clone()) {
                problems.push(format!("`{name}` is declared twice"));
            }
        }
        if option.docs.trim().is_empty() {
            problems.push(format!("`{}` has no documentation", option.name));
        }
        default_holds::<O>(base, &option, &mut problems);
        missing_is_named::<O>(base, &option, &mut problems);
        aliases_hold::<O>(base, &option, &mut problems);
        for wrong in wrong_values(&option) {
            wrong_is_named::<O>(base, &option, &wrong, &mut problems);
        }
    }
    let unknown = with(base, UNKNOWN, "x");
    if let Err(refused) = O::from_config(&unknown) {
        problems.push(format!(
            "a name that is no option is the host's business, and was refused: {}",
            told(&refused)
        ));
    }
    problems
}

fn told(problems: &[ConfigProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

fn with(base: &Config, name: &str, value: &str) -> Config {
    let mut config = base.clone();
    config.insert(name.to_owned(), value.to_owned());
    config
}

/// The configuration without the option, under whatever name it stands there.
fn without(base: &Config, option: &OptionDef) -> Config {
    let mut config = base.clone();
    config.retain(|name, _| *name != option.name && !option.aliases.contains(name));
    config
}

fn is_of(problem: &ConfigProblem, option: &OptionDef) -> bool {
    problem.option == option.name || option.aliases.contains(&problem.option)
}

fn default_holds<O: Options>(base: &Config, option: &OptionDef, problems: &mut Vec<String>) {
    let Some(default) = &option.default else {
        return;
    };
    let rest = without(base, option);
    // What a default is beside other options may be wrong by itself; saying it must change nothing.
    if O::from_config(&rest).is_err() {
        return;
    }
    if let Err(refused) = O::from_config(&with(&rest, &option.name, default)) {
        problems.push(format!(
            "`{}` says that its default is `{default}`, and refuses it: {}",
            option.name,
            told(&refused)
        ));
    }
}

fn missing_is_named<O: Options>(base: &Config, option: &OptionDef, problems: &mut Vec<String>) {
    if !option.required {
        return;
    }
    match O::from_config(&without(base, option)) {
        Ok(_) => problems.push(format!("`{}` is required, and may be missing", option.name)),
        Err(refused) if refused.iter().any(|problem| is_of(problem, option)) => {}
        Err(refused) => problems.push(format!(
            "`{}` is missing, and is not named: {}",
            option.name,
            told(&refused)
        )),
    }
}

fn aliases_hold<O: Options>(base: &Config, option: &OptionDef, problems: &mut Vec<String>) {
    let value = base.get(&option.name).or(option.default.as_ref());
    let rest = without(base, option);
    let Some(value) =
        value.filter(|value| O::from_config(&with(&rest, &option.name, value)).is_ok())
    else {
        return;
    };
    let wrong = wrong_values(option);
    for alias in &option.aliases {
        if let Err(refused) = O::from_config(&with(&rest, alias, value)) {
            problems.push(format!(
                "`{}` does not answer to `{alias}`: {}",
                option.name,
                told(&refused)
            ));
        }
        // A name that nobody reads is taken with any value.
        let taken = |wrong: &String| O::from_config(&with(&rest, alias, wrong)).is_ok();
        let checked = |wrong: &&String| O::from_config(&with(&rest, &option.name, wrong)).is_err();
        if wrong.iter().filter(checked).any(taken) {
            problems.push(format!(
                "`{}` does not answer to `{alias}`: a wrong value is not noticed there",
                option.name
            ));
        }
    }
}

fn wrong_is_named<O: Options>(
    base: &Config,
    option: &OptionDef,
    wrong: &str,
    problems: &mut Vec<String>,
) {
    match O::from_config(&with(&without(base, option), &option.name, wrong)) {
        Ok(_) => problems.push(format!("`{}` takes `{wrong}`", option.name)),
        Err(refused) if !refused.iter().any(|problem| is_of(problem, option)) => {
            problems.push(format!(
                "`{}` is `{wrong}`, and is not named: {}",
                option.name,
                told(&refused)
            ))
        }
        Err(refused) if option.secret && told(&refused).contains(wrong) => {
            problems.push(format!(
                "`{}` is secret, and its value is shown",
                option.name
            ));
        }
        Err(_) => {}
    }
}

/// Values that an option of this kind, with these words and this range, must refuse.
fn wrong_values(option: &OptionDef) -> Vec<String> {
    let mut wrong = Vec::new();
    let typed = [
        "boolean", "int", "long", "double", "duration", "bytes", "topic",
    ];
    if typed.contains(&option.kind.as_str()) || !option.values.is_empty() {
        wrong.push(WRONG.to_owned());
    }
    let whole = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| text.trim().parse::<i128>().ok())
    };
    if matches!(option.kind.as_str(), "int" | "long") {
        wrong.extend(whole(&option.min).map(|least| (least - 1).to_string()));
        wrong.extend(whole(&option.max).map(|most| (most + 1).to_string()));
    }
    wrong
}
