//! Names of output files by their records.
//!
//! ```text
//! out/{topic}/dt={timestamp:%Y-%m-%d}/country={field:country}/{partition:05}-{start_offset:020}.csv.gz
//! ```
//! The name of a file depends on nothing but its records, so that the same records make the same file again.

use std::fmt::Write as _;

use linkspan_sdk::prelude::*;
use serde_json::Value as Json;

use crate::moment::{Zone, local_parts};

/// What stands for a value that is null or empty, as in Hive.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";
/// No file system takes a longer name.
const NAME_BYTES_MAX: usize = 255;
/// The number of digits a number may be filled up to.
const WIDTH_MAX: usize = 20;

/// A path with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Topic,
    Partition(usize),
    StartOffset(usize),
    Timestamp(Vec<Time>),
    Field(String),
}

/// A piece of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Time {
    Text(char),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("`{{` without `}}`")]
    Open,
    #[error(
        "`{{{0}}}` is unknown; there are {{topic}}, {{partition}}, {{start_offset}}, {{timestamp:%Y-%m-%d}} and {{field:NAME}}"
    )]
    Unknown(String),
    #[error("`%{0}` is no part of a time; there are %Y, %m, %d, %H, %M, %S and %%")]
    Time(char),
    #[error("`{0}` is no width from 1 to {WIDTH_MAX}")]
    Width(String),
    #[error(
        "it lacks `{{{0}}}`: without it two files would have one name, and no file could be written again after a crash"
    )]
    Lacks(&'static str),
}

impl Template {
    /// Says whether a path has placeholders.
    pub(crate) fn is_one(path: &str) -> bool {
        path.contains('{')
    }

    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (name, behind) = behind.split_once('}').ok_or(TemplateError::Open)?;
            parts.push(part(name)?);
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let template = Self(parts);
        let has = |wanted: fn(&Part) -> bool| template.0.iter().any(wanted);
        if !has(|part| matches!(part, Part::Partition(_))) {
            return Err(TemplateError::Lacks("partition"));
        }
        if !has(|part| matches!(part, Part::StartOffset(_))) {
            return Err(TemplateError::Lacks("start_offset"));
        }
        Ok(template)
    }

    /// Files of several topics have names of their own.
    pub(crate) fn names_topic(&self) -> bool {
        self.0.contains(&Part::Topic)
    }

    /// Says whether all records of a partition have one name at a time.
    pub(crate) fn is_constant(&self) -> bool {
        !self
            .0
            .iter()
            .any(|part| matches!(part, Part::Timestamp(_) | Part::Field(_)))
    }

    /// Writes the name of the file that a record belongs to into `name`; without an offset, the same for all records of a file.
    pub(crate) fn render(
        &self,
        record: &Record<'_>,
        zone: &Zone,
        start_offset: Option<i64>,
        name: &mut String,
    ) -> Result<()> {
        name.clear();
        let mut fields: Option<Json> = None;
        for part in &self.0 {
            // Writing to a text does not fail.
            let _written = match part {
                Part::Text(text) => name.write_str(text),
                Part::Topic => name.write_str(record.original_topic()),
                Part::Partition(width) => write!(name, "{:0width$}", record.partition()),
                Part::StartOffset(width) => match start_offset {
                    Some(offset) => write!(name, "{offset:0width$}"),
                    None => Ok(()),
                },
                Part::Timestamp(parts) => {
                    let at = record.timestamp().ok_or_else(|| {
                        Error::data_invalid("the record has no time, which its file's name needs")
                    })?;
                    time(parts, at, zone, name);
                    Ok(())
                }
                Part::Field(field) => {
                    if fields.is_none() {
                        fields = Some(record.value().json::<Json>().map_err(|error| {
                            error.context("a field of the value is wanted for its file's name")
                        })?);
                    }
                    let value = fields.as_ref().and_then(|fields| fields.get(field));
                    let value = value.ok_or_else(|| {
                        Error::data_invalid(format!(
                            "the value has no field `{field}`, which its file's name needs"
                        ))
                    })?;
                    push_value(value, name);
                    Ok(())
                }
            };
        }
        if name.split('/').any(|part| part.len() > NAME_BYTES_MAX) {
            return Err(Error::data_invalid(format!(
                "its file's name would be longer than {NAME_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}

fn part(text: &str) -> Result<Part, TemplateError> {
    let (name, format) = match text.split_once(':') {
        Some((name, format)) => (name, Some(format)),
        None => (text, None),
    };
    Ok(match (name, format) {
        ("topic", None) => Part::Topic,
        ("partition", width) => Part::Partition(self::width(width)?),
        ("start_offset", width) => Part::StartOffset(self::width(width)?),
        ("timestamp", Some(format)) => Part::Timestamp(times(format)?),
        ("field", Some(field)) if !field.is_empty() => Part::Field(field.to_owned()),
        _ => return Err(TemplateError::Unknown(text.to_owned())),
    })
}

fn width(text: Option<&str>) -> Result<usize, TemplateError> {
    let Some(text) = text else {
        return Ok(0);
    };
    text.parse()
        .ok()
        .filter(|width| (1..=WIDTH_MAX).contains(width))
        .ok_or_else(|| TemplateError::Width(text.to_owned()))
}

fn times(format: &str) -> Result<Vec<Time>, TemplateError> {
    let mut parts = Vec::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            parts.push(Time::Text(c));
            continue;
        }
        parts.push(match chars.next().unwrap_or(' ') {
            'Y' => Time::Year,
            'm' => Time::Month,
            'd' => Time::Day,
            'H' => Time::Hour,
            'M' => Time::Minute,
            'S' => Time::Second,
            '%' => Time::Text('%'),
            other => return Err(TemplateError::Time(other)),
        });
    }
    Ok(parts)
}

fn time(parts: &[Time], milliseconds: i64, zone: &Zone, name: &mut String) {
    let at = local_parts(milliseconds, zone);
    for part in parts {
        // Writing to a text does not fail.
        let _written = match part {
            Time::Text(c) => name.write_char(*c),
            Time::Year => write!(name, "{:04}", at.year),
            Time::Month => write!(name, "{:02}", at.month),
            Time::Day => write!(name, "{:02}", at.day),
            Time::Hour => write!(name, "{:02}", at.hour),
            Time::Minute => write!(name, "{:02}", at.minute),
            Time::Second => write!(name, "{:02}", at.second),
        };
    }
}

/// Appends a value so that it is one name and never a way out of its folder, written as Hive writes it.
fn push_value(value: &Json, name: &mut String) {
    let text = match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.is_empty() {
        name.push_str(NO_VALUE);
        return;
    }
    let only_dots = text.chars().all(|c| c == '.');
    for c in text.chars() {
        let special =
            c.is_ascii_control() || "\"#%'*/:=?\\{}[]^".contains(c) || (only_dots && c == '.');
        if special {
            // All of them are ASCII.
            let _written = write!(name, "%{:02X}", u32::from(c));
        } else {
            name.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Template, TemplateError, push_value};

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expected: TemplateError| {
            assert_eq!(Template::parse(text), Err(expected), "{text}");
        };
        check("a/{topic", TemplateError::Open);
        check("{offset}", TemplateError::Unknown("offset".to_owned()));
        check("{field:}", TemplateError::Unknown("field:".to_owned()));
        check("{partition:0}", TemplateError::Width("0".to_owned()));
        check("{timestamp:%Q}", TemplateError::Time('Q'));
        check("{start_offset}", TemplateError::Lacks("partition"));
        check("{partition}", TemplateError::Lacks("start_offset"));
        assert!(Template::parse("o/{partition:05}-{start_offset:020}.csv").is_ok());
    }

    #[test]
    fn a_value_is_one_name() {
        let check = |value: serde_json::Value, expected: &str| {
            let mut name = String::new();
            push_value(&value, &mut name);
            assert_eq!(name, expected);
        };
        check("KR".into(), "KR");
        check("../a b".into(), "..%2Fa b");
        check("..".into(), "%2E%2E");
        check("서울=1".into(), "서울%3D1");
        check("".into(), "__HIVE_DEFAULT_PARTITION__");
        check(serde_json::Value::Null, "__HIVE_DEFAULT_PARTITION__");
        check(4.into(), "4");
    }
}
