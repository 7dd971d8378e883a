//! What options must be together; all problems at once.

use std::collections::BTreeSet;

use linkspan_sdk::prelude::*;

use super::{CursorType, HttpSourceOptions, StreamOptions, share};
use crate::source::cursor::{CursorValue, Step};
use crate::template::{Condition, Kind, Template};

impl HttpSourceOptions {
    pub(super) fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if share(&self.streams_share).is_none() {
            problems.push(ConfigProblem::new("streams.share", "is not `index/count`"));
        }
        if self.client.tls_certificate.is_some() != self.client.tls_key.is_some() {
            problems.push(ConfigProblem::new(
                "tls.key",
                "goes with `tls.certificate`: set both or none",
            ));
        }
        if self.streams.0.is_empty() {
            self.stream
                .check(&mut |option, message| problems.push(ConfigProblem::new(option, message)));
            if self.stream.partition.parent_stream.is_some() {
                problems.push(ConfigProblem::new(
                    "partition.parent.stream",
                    "names another stream, and there is only one; set `streams`",
                ));
            }
            return problems;
        }
        for entry in &self.streams.0 {
            let named = entry
                .get("stream.name")
                .or_else(|| entry.get("topic"))
                .map_or("?", String::as_str);
            for option in StreamOptions::from_config(entry).err().unwrap_or_default() {
                problems.push(ConfigProblem::new(
                    "streams",
                    format!("stream `{named}`: {option}"),
                ));
            }
            for (option, shared) in [
                ("url", self.stream.url.is_some()),
                ("topic", self.stream.topic.is_some()),
            ] {
                if !shared && !entry.contains_key(option) {
                    problems.push(ConfigProblem::new(
                        "streams",
                        format!("stream `{named}`: `{option}` is missing"),
                    ));
                }
            }
            let known: BTreeSet<String> = StreamOptions::definitions()
                .into_iter()
                .map(|one| one.name)
                .collect();
            for key in entry.keys().filter(|key| !known.contains(*key)) {
                problems.push(ConfigProblem::new(
                    "streams",
                    format!("stream `{named}`: `{key}` is not an option of a stream"),
                ));
            }
        }
        problems
    }
}

impl StreamOptions {
    pub(super) fn check(&self, problem: &mut dyn FnMut(&str, String)) {
        if self.url.is_none() {
            problem("url", "is missing".to_owned());
        }
        if self.topic.is_none() {
            problem("topic", "is missing".to_owned());
        }
        let fixed = self.url.iter().map(|text| ("url", text, Kind::Url));
        let texts = self
            .headers
            .values()
            .map(|text| ("headers", text, Kind::Text));
        let params = self
            .params
            .values()
            .map(|text| ("params", text, Kind::Text));
        let body = self.body.iter().map(|text| ("body", text, Kind::Text));
        for (option, text, kind) in fixed.chain(texts).chain(params).chain(body) {
            match Template::parse(option, text, kind) {
                Err(wrong) => problem(option, wrong),
                Ok(template)
                    if kind == Kind::Url
                        && template.fixed().is_some_and(|text| {
                            !url::Url::parse(text).is_ok_and(|url| url.has_host())
                        }) =>
                {
                    problem(
                        option,
                        "is not a URL such as `https://host/path`".to_owned(),
                    );
                }
                Ok(_) => {}
            }
        }
        if let Some(Err(wrong)) = self
            .pagination
            .stop_when
            .as_deref()
            .map(|text| Condition::parse("pagination.stop.when", text))
        {
            problem("pagination.stop.when", wrong);
        }
        self.check_words(problem);
        self.check_cursor(problem);
    }

    fn check_words(&self, problem: &mut dyn FnMut(&str, String)) {
        if reqwest::Method::from_bytes(self.method.as_bytes()).is_err() {
            problem("method", "is not a method of HTTP".to_owned());
        }
        for name in self
            .headers
            .keys()
            .filter(|name| name.parse::<reqwest::header::HeaderName>().is_err())
        {
            problem(
                "headers",
                format!("names `{name}`, which is not a header's name"),
            );
        }
        if self
            .charset
            .as_deref()
            .is_some_and(|label| encoding_rs::Encoding::for_label(label.as_bytes()).is_none())
        {
            problem(
                "charset",
                "is not the label of an encoding such as `euc-kr`".to_owned(),
            );
        }
        for (option, pointer) in [
            ("key.path", &self.key_path),
            ("timestamp.path", &self.timestamp_path),
            ("cursor.field", &self.cursor.field),
        ] {
            if pointer
                .as_deref()
                .is_some_and(|pointer| !pointer.starts_with('/'))
            {
                problem(option, "must be a JSON Pointer such as `/id`".to_owned());
            }
        }
        if self.csv_delimiter != "\\t" && self.csv_delimiter.len() != 1 {
            problem(
                "csv.delimiter",
                "must be one ASCII character, or `\\t`".to_owned(),
            );
        }
        if !self.partition.list.is_empty() && self.partition.parent_stream.is_some() {
            problem(
                "partition.list",
                "and `partition.parent.stream` exclude each other".to_owned(),
            );
        }
    }

    fn check_cursor(&self, problem: &mut dyn FnMut(&str, String)) {
        let cursor = &self.cursor;
        if cursor.field.is_none()
            && (cursor.start.is_some() || cursor.step.is_some() || cursor.lookback.is_some())
        {
            problem(
                "cursor.field",
                "is missing; the other options of the cursor need it".to_owned(),
            );
        }
        if let Some(start) = cursor
            .start
            .as_deref()
            .filter(|start| CursorValue::parse(cursor.kind, start).is_none())
        {
            problem(
                "cursor.start",
                format!("is `{start}`, which is no value of this `cursor.type`"),
            );
        }
        if let Some(step) = cursor.step {
            if cursor.kind != CursorType::Datetime {
                problem("cursor.step", "is for `cursor.type: datetime`".to_owned());
            } else if cursor.start.is_none() {
                problem(
                    "cursor.start",
                    "is missing; `cursor.step` needs it".to_owned(),
                );
            } else if step.is_zero() {
                problem("cursor.step", "must be longer than nothing".to_owned());
            }
        }
        let fits = match (cursor.kind, cursor.lookback) {
            (_, None)
            | (CursorType::Datetime, Some(Step::Time(_)))
            | (CursorType::Integer, Some(Step::Number(_))) => true,
            (CursorType::Datetime | CursorType::Integer | CursorType::String, Some(_)) => false,
        };
        if !fits {
            problem("cursor.lookback", "does not fit `cursor.type`: a duration for `datetime`, a number for `integer`, nothing for `string`".to_owned());
        }
    }
}
