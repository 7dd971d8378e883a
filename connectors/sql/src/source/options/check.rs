//! What can be wrong with the options, all of it at once.

use linkspan_sdk::prelude::*;

use super::mapping::{ColumnsOf, whole};
use super::values::TABLE_TYPES;
use super::{SqlSourceOptions, Zone};
use crate::types::read::parse_instant;

impl SqlSourceOptions {
    pub(super) fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem = |option: &str, message: String| {
            problems.push(ConfigProblem::new(option, message));
        };
        for (option, patterns) in [
            ("table.include.list", &self.include),
            ("table.exclude.list", &self.exclude),
        ] {
            for pattern in patterns {
                if let Err(error) = whole(pattern) {
                    problem(
                        option,
                        format!("has `{pattern}`, which is no regular expression: {error}"),
                    );
                }
            }
        }
        for (option, pairs) in [
            ("incrementing.column.mapping", &self.incrementing_mapping),
            ("timestamp.columns.mapping", &self.timestamp_mapping),
        ] {
            for pair in pairs {
                if ColumnsOf::parse(pair).is_none() {
                    problem(option, format!("has `{pair}`, which is not `regex:column`"));
                }
            }
        }
        for word in &self.table_types {
            if !TABLE_TYPES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(word))
            {
                problem(
                    "table.types",
                    format!("has `{word}`; known are {}", TABLE_TYPES.join(", ")),
                );
            }
        }
        self.check_query(&mut problem);
        self.check_mode(&mut problem);
        if self.poll_interval.is_zero() {
            problem("poll.interval.ms", "must be longer than nothing".to_owned());
        }
        if self
            .timezone
            .as_deref()
            .is_some_and(|text| text.parse::<Zone>().is_err())
        {
            problem("db.timezone", "is neither `UTC`, nor an offset such as `+09:00`, nor a zone's name such as `Asia/Seoul`".to_owned());
        }
        for placeholder in placeholders(&self.topic_format) {
            if !["table", "schema", "database"].contains(&placeholder) {
                problem(
                    "topic.name.format",
                    format!(
                        "has `${{{placeholder}}}`; known are `${{table}}`, `${{schema}}` and `${{database}}`"
                    ),
                );
            }
        }
        problems
    }

    fn check_query(&self, problem: &mut impl FnMut(&str, String)) {
        let query = self.query_text();
        if self.query.is_some() && self.query_masked.is_some() {
            problem(
                "query.masked",
                "and `query` say the same thing; set one".to_owned(),
            );
        }
        let Some(query) = query else { return };
        if query.trim().is_empty() {
            problem("query", "is empty".to_owned());
        }
        if !self.include.is_empty() || !self.exclude.is_empty() {
            problem(
                "query",
                "is read instead of tables; unset `table.include.list` and `table.exclude.list`"
                    .to_owned(),
            );
        }
        if self.topic_prefix.is_empty() {
            problem(
                "topic.prefix",
                "is the topic of a query, and missing".to_owned(),
            );
        }
        if self.mode.has_id() && self.incrementing.is_empty() {
            problem(
                "incrementing.column.name",
                "is missing: a query has no primary key to take it from".to_owned(),
            );
        }
    }

    fn check_mode(&self, problem: &mut impl FnMut(&str, String)) {
        if self.mode.has_timestamp()
            && self.timestamp.is_empty()
            && self.timestamp_mapping.is_empty()
        {
            problem(
                "timestamp.column.name",
                "is missing: the mode needs it".to_owned(),
            );
        }
        if let Some(text) = &self.timestamp_initial
            && text != "-1"
            && parse_instant(text).is_none()
        {
            problem(
                "timestamp.initial.ms",
                "is neither milliseconds since 1970, nor RFC 3339, nor -1".to_owned(),
            );
        }
    }
}

fn placeholders(format: &str) -> impl Iterator<Item = &str> {
    format
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}
