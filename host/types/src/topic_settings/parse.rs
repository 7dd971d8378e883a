//! From what people write to what is stored, with every mistake named.

use std::collections::BTreeMap;

use super::table::{Kind, TABLE, TopicSetting, find};
use crate::units::{self, UnitError};

/// A suggestion is made when a name differs by no more than this many letters.
const TYPO_LETTERS_MAX: usize = 3;

/// One setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {what}: {remedy}")]
pub struct SettingError {
    /// Its name, as it was given.
    pub name: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub remedy: String,
}

impl SettingError {
    fn new(name: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// Returns the settings as they are stored: plain numbers, small `true` and `false`, words without spaces.
///
/// # Errors
/// All that is wrong, in the order of the names; rules between two settings last.
pub fn canonical(
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<SettingError>> {
    let mut stored = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, text) in settings {
        let value = find(name)
            .ok_or_else(|| unknown(name))
            .and_then(|setting| value(setting, text));
        match value {
            Ok(value) => drop(stored.insert(name.clone(), value)),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(between(&stored));
    if errors.is_empty() {
        Ok(stored)
    } else {
        Err(errors)
    }
}

fn unknown(name: &str) -> SettingError {
    let lower = name.to_ascii_lowercase();
    let near = TABLE
        .iter()
        .map(|setting| (distance(setting.name, &lower), setting.name))
        .min()
        .filter(|(letters, _)| *letters <= TYPO_LETTERS_MAX);
    let remedy = match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => "the settings are those of a Kafka topic, and `keep.unread`".to_owned(),
    };
    SettingError::new(name, "is not a setting of a topic", remedy)
}

fn value(setting: &TopicSetting, text: &str) -> Result<String, SettingError> {
    let text = text.trim();
    let refused = setting
        .refused
        .iter()
        .find(|(value, _)| value.eq_ignore_ascii_case(text));
    if let Some((_, why)) = refused {
        return Err(wrong(setting, text, (*why).to_owned()));
    }
    match setting.kind {
        Kind::Duration => quantity(
            setting,
            text,
            units::duration_ms,
            "500ms, 30s, 5m, 2h or 7d",
        ),
        Kind::Bytes => quantity(setting, text, units::bytes, "64KiB, 10MB or 1GiB"),
        Kind::Number => match text.parse::<i64>() {
            Ok(number) => in_range(setting, text, number),
            Err(_) => Err(wrong(setting, text, "write a whole number".to_owned())),
        },
        Kind::Ratio => match text.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(text.to_owned()),
            Ok(_) | Err(_) => Err(wrong(
                setting,
                text,
                "write a number from 0 to 1, such as 0.5".to_owned(),
            )),
        },
        Kind::Boolean => match text.to_ascii_lowercase() {
            word if word == "true" || word == "false" => Ok(word),
            _ => Err(wrong(setting, text, "write true or false".to_owned())),
        },
        Kind::Word => allowed(setting, text, text),
        Kind::Words => {
            let words = words(text);
            for word in &words {
                allowed(setting, word, text)?;
            }
            Ok(words.join(","))
        }
        Kind::Replicas => {
            let pair = |pair: &str| {
                let number = |text: &str| text.parse::<u32>().is_ok();
                pair.split_once(':')
                    .is_some_and(|(partition, broker)| number(partition) && number(broker))
            };
            let words = words(text);
            if words.iter().all(|word| word == "*" || pair(word)) {
                Ok(words.join(","))
            } else {
                Err(wrong(
                    setting,
                    text,
                    "write PARTITION:BROKER with commas between, or *".to_owned(),
                ))
            }
        }
    }
}

/// Reads `a, b`, or the JSON of a list of words without commas or quotes.
fn words(text: &str) -> Vec<String> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    inner
        .split(',')
        .map(|word| word.trim().trim_matches('"').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

fn allowed(setting: &TopicSetting, word: &str, text: &str) -> Result<String, SettingError> {
    if setting.values.contains(&word) {
        return Ok(word.to_owned());
    }
    let words = setting.values.join(", ");
    Err(wrong(setting, text, format!("write one of {words}")))
}

fn quantity(
    setting: &TopicSetting,
    text: &str,
    read: fn(&str) -> Result<u64, UnitError>,
    examples: &str,
) -> Result<String, SettingError> {
    if let Ok(number) = text.parse::<i64>() {
        return in_range(setting, text, number);
    }
    match read(text).map(i64::try_from) {
        Ok(Ok(number)) => in_range(setting, text, number),
        Ok(Err(_)) | Err(UnitError::TooLarge | UnitError::NoUnit) => {
            Err(wrong(setting, text, range(setting)))
        }
        Err(UnitError::Malformed) => {
            let remedy = format!("write a whole number, or one with a unit such as {examples}");
            Err(wrong(setting, text, remedy))
        }
    }
}

fn in_range(setting: &TopicSetting, text: &str, number: i64) -> Result<String, SettingError> {
    if (setting.min..=setting.max).contains(&number) {
        Ok(number.to_string())
    } else {
        Err(wrong(setting, text, range(setting)))
    }
}

fn range(setting: &TopicSetting) -> String {
    match (setting.min, setting.max) {
        (i64::MIN, i64::MAX) => "the number does not fit into 64 bits".to_owned(),
        (min, i64::MAX) => format!("write {min} or more, within 64 bits"),
        (min, max) => format!("write {min} up to {max}"),
    }
}

fn wrong(setting: &TopicSetting, text: &str, remedy: String) -> SettingError {
    SettingError::new(
        setting.name,
        format!("may not be `{}`", text.escape_debug()),
        remedy,
    )
}

/// Rules between two settings.
fn between(stored: &BTreeMap<String, String>) -> Option<SettingError> {
    let number = |name: &str| {
        let text = stored
            .get(name)
            .map(String::as_str)
            .or_else(|| Some(find(name)?.default))?;
        text.parse::<i64>().ok()
    };
    let (min, max) = (
        number("min.compaction.lag.ms")?,
        number("max.compaction.lag.ms")?,
    );
    (min > max).then(|| {
        SettingError::new(
            "min.compaction.lag.ms",
            format!("is {min}, more than `max.compaction.lag.ms` {max}"),
            "make it smaller, or the other one larger",
        )
    })
}

/// Returns how many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, (other, pair)) in b.iter().zip(row.windows(2)).enumerate() {
            let [diagonal, above] = pair else { continue };
            let left = next.get(j).copied().unwrap_or(usize::MAX - 1);
            let changed = diagonal + usize::from(letter != *other);
            next.push(changed.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
