//! Options of `http-source`: a connector's own, and those of each stream.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_sdk::OptionValue;
use linkspan_sdk::prelude::*;
use serde_json::{Map, Value as Json};

use super::cursor::{Format, Step};
use super::path::Path;
use crate::auth::AuthOptions;
use crate::client::ClientOptions;
use crate::rate::Rate;
use crate::retry::Codes;
use crate::template::{Condition, Kind, Template};

/// Most streams of a connector.
const STREAMS_MAX: usize = 1_000;

/// Polls HTTP APIs: requests by templates, pages, cursors, streams that depend on others.
#[derive(Debug, Clone, Options)]
#[options(validate = "HttpSourceOptions::check")]
pub(crate) struct HttpSourceOptions {
    /// Several streams, each a map of the stream options below with a `name`; what one leaves out is the connector's. Unset:
    /// one stream, made of the connector's options.
    #[option(default = "[]", importance = "high")]
    pub(crate) streams: Streams,
    #[option(nest = "")]
    pub(crate) stream: StreamOptions,
    /// The most requests in a time, such as `10/s`, of all streams of a task together. `RateLimit-*` headers and `Retry-After`
    /// are heeded in any case.
    #[option()]
    pub(crate) rate_limit: Option<Rate>,
    /// How long a request may take in all.
    #[option(
        name = "request.timeout",
        default = "2m",
        min = "1ms",
        group = "delivery"
    )]
    pub(crate) request_timeout: Duration,
    /// How often a request is tried again before the task fails; -1 is without end, also what holds where it is unset, except
    /// in a `--once` job (5).
    #[option(name = "max.retries", min = -1, group = "delivery")]
    pub(crate) max_retries: Option<i32>,
    /// The wait before the second try, which doubles each time. What a server asks for (`Retry-After`) counts more.
    #[option(
        name = "retry.backoff.ms",
        default = "5000",
        min = 1,
        group = "delivery"
    )]
    pub(crate) retry_backoff: Duration,
    /// The longest wait between two tries that no server asked for.
    #[option(
        name = "retry.backoff.max.ms",
        default = "60000",
        min = 1,
        group = "delivery"
    )]
    pub(crate) retry_backoff_max: Duration,
    /// The answers that mean: not now.
    #[option(
        name = "retry.codes",
        default = "408,425,429,500-599",
        group = "delivery"
    )]
    pub(crate) retry_codes: Codes,
    #[option(nest = "")]
    pub(crate) auth: AuthOptions,
    #[option(nest = "")]
    pub(crate) client: ClientOptions,
    /// Which share of the streams this task reads, as `index/count`. Set by the connector.
    #[option(default = "0/1", importance = "low")]
    pub(crate) streams_share: String,
}

/// What a stream asks for and what its answers hold.
#[derive(Debug, Clone, Options)]
pub(crate) struct StreamOptions {
    /// The stream's name, which its offsets carry; in `streams` just `name`. Default: the topic's.
    #[option(name = "stream.name", group = "stream")]
    pub(crate) name: Option<String>,
    /// The URL, or a template of it. Required, here or in each of `streams`.
    #[option(importance = "high", group = "stream")]
    pub(crate) url: Option<String>,
    /// The topic that the records go to. Required, here or in each of `streams`.
    #[option(importance = "high", group = "stream")]
    pub(crate) topic: Option<TopicName>,
    /// The method.
    #[option(default = "GET", group = "stream")]
    pub(crate) method: String,
    /// Headers and their values, which may be templates.
    #[option(default = "{}", group = "stream")]
    pub(crate) headers: BTreeMap<String, String>,
    /// Query parameters and their values, which may be templates. Those that render to nothing are left out.
    #[option(default = "{}", group = "stream")]
    pub(crate) params: BTreeMap<String, String>,
    /// A template of the body.
    #[option(group = "stream")]
    pub(crate) body: Option<String>,
    /// What answers are: `json`, `jsonl`, `csv` or `xml`; gzip around it is seen by itself.
    #[option(default = "json", importance = "high", group = "stream")]
    pub(crate) decoder: Decoder,
    /// The encoding of answers, such as `euc-kr`. Unset: what `Content-Type` says, else UTF-8.
    #[option(group = "stream")]
    pub(crate) charset: Option<String>,
    /// Where the records are: a JSON Pointer such as `/data/items`, or a path such as `$.data[*].items`. Empty: the whole
    /// answer. An array is its elements.
    #[option(
        name = "records.path",
        default = "",
        importance = "high",
        group = "stream"
    )]
    pub(crate) records_path: Path,
    /// JSON Pointer to what becomes a record's key.
    #[option(name = "key.path", group = "stream")]
    pub(crate) key_path: Option<String>,
    /// JSON Pointer to a record's time: RFC 3339, or seconds or milliseconds since 1970.
    #[option(name = "timestamp.path", group = "stream")]
    pub(crate) timestamp_path: Option<String>,
    /// The character between two fields of `csv`; `\t` is a tab.
    #[option(name = "csv.delimiter", default = ",", group = "stream")]
    pub(crate) csv_delimiter: String,
    /// Whether the first record of `csv` names the fields; without it they are `column1`, `column2`, …
    #[option(name = "csv.header", default = "true", group = "stream")]
    pub(crate) csv_header: bool,
    /// Whether what did not change is asked for with `If-None-Match` and `If-Modified-Since`.
    #[option(default = "true", group = "stream")]
    pub(crate) etag: bool,
    /// Answers that mean: no records, such as 404 for a parent that is gone.
    #[option(name = "ignore.codes", default = "", group = "stream")]
    pub(crate) ignore_codes: Codes,
    /// The time between the end of one round and the next. A `--once` job makes one round.
    #[option(name = "poll.interval", default = "60s", min = "1ms", group = "stream")]
    pub(crate) poll_interval: Duration,
    #[option(nest = "pagination")]
    pub(crate) pagination: PaginationOptions,
    #[option(nest = "cursor")]
    pub(crate) cursor: CursorOptions,
    #[option(nest = "partition")]
    pub(crate) partition: PartitionOptions,
}

/// What answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Decoder {
    Json,
    Jsonl,
    Csv,
    Xml,
}

/// How an API gives its records out in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum PaginationType {
    None,
    Page,
    Offset,
    Cursor,
    LinkHeader,
    NextUrl,
}

/// Where the number, offset or token of a page goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum InjectInto {
    Query,
    Header,
    Body,
    Path,
}

/// Where the token of the next page is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum TokenIn {
    Response,
    LastRecord,
    Header,
}

/// How pages follow each other.
#[derive(Debug, Clone, Options)]
pub(crate) struct PaginationOptions {
    /// `none`; `page` (numbers); `offset`; `cursor` (a token of the answer, or of its last record); `link_header`
    /// (RFC 8288, `rel="next"`); `next_url` (a URL in the answer).
    #[option(
        name = "type",
        default = "none",
        importance = "high",
        group = "pagination"
    )]
    pub(crate) kind: PaginationType,
    /// How many records a page has. A page with fewer is the last one of `page` and `offset`.
    #[option(name = "page.size", min = 1, max = 1_000_000, group = "pagination")]
    pub(crate) page_size: Option<u32>,
    /// The first page or offset. Default: 1 for `page`, 0 for `offset`.
    #[option(name = "start.from", group = "pagination")]
    pub(crate) start_from: Option<u64>,
    /// The parameter with the page, offset or token. Default: `page`, `offset` or `cursor`.
    #[option(group = "pagination")]
    pub(crate) param: Option<String>,
    /// The parameter with the page's size. Unset: none is sent.
    #[option(name = "size.param", group = "pagination")]
    pub(crate) size_param: Option<String>,
    /// Where the parameters go: `query`, `header`, `body` (fields of a JSON body) or `path` (the URL's template uses `page`).
    #[option(name = "inject.into", default = "query", group = "pagination")]
    pub(crate) inject_into: InjectInto,
    /// Where the token of `cursor` or the URL of `next_url` is: a JSON Pointer, or with `cursor.in: header` a header's name.
    #[option(name = "cursor.path", default = "/next", group = "pagination")]
    pub(crate) cursor_path: String,
    /// What `cursor.path` points into: the `response`, its `last_record`, or a `header`.
    #[option(name = "cursor.in", default = "response", group = "pagination")]
    pub(crate) cursor_in: TokenIn,
    /// An expression that is true for the last page: it sees `response`, `headers`, `records` (their number) and `page`.
    #[option(name = "stop.when", group = "pagination")]
    pub(crate) stop_when: Option<String>,
    /// The most pages of one slice; more are an error. So is a page that was there before.
    #[option(name = "max.pages", default = "10000", min = 1, group = "pagination")]
    pub(crate) max_pages: u64,
}

/// What a cursor's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum CursorType {
    Datetime,
    Integer,
    String,
}

/// The order in which an API gives its records out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Order {
    Asc,
    Desc,
    Unordered,
}

/// How a stream knows what is new.
#[derive(Debug, Clone, Options)]
pub(crate) struct CursorOptions {
    /// JSON Pointer to the field by which newer records are known, such as `/updated_at`. Unset: each round reads everything.
    #[option(importance = "high", group = "cursor")]
    pub(crate) field: Option<String>,
    /// `datetime` (RFC 3339, or seconds or milliseconds since 1970), `integer` or `string`.
    #[option(name = "type", default = "datetime", group = "cursor")]
    pub(crate) kind: CursorType,
    /// Where the first round starts. Unset: `cursor.start` is empty in templates then.
    #[option(group = "cursor")]
    pub(crate) start: Option<String>,
    /// Reads windows of this length one after the other, `cursor.start` to `cursor.end` in templates. For `datetime`.
    #[option(group = "cursor")]
    pub(crate) step: Option<Duration>,
    /// How far before the newest record each round starts, for records that appear late: a duration, or a number for `integer`.
    /// Records that were read before are known and dropped.
    #[option(group = "cursor")]
    pub(crate) lookback: Option<Step>,
    /// What `cursor.end` is less than the window's end, for APIs that include it.
    #[option(default = "0s", group = "cursor")]
    pub(crate) granularity: Duration,
    /// How times are written in templates: `rfc3339`, `epoch`, `epoch_ms` or a pattern such as `%Y-%m-%d`.
    #[option(default = "rfc3339", group = "cursor")]
    pub(crate) format: Format,
    /// `asc`: the cursor moves with each page. `desc` and `unordered`: when a whole slice is read; `desc` also stops at what is
    /// older than the slice.
    #[option(default = "unordered", group = "cursor")]
    pub(crate) order: Order,
}

/// A stream that is read once for each of several values.
#[derive(Debug, Clone, Options)]
pub(crate) struct PartitionOptions {
    /// The values, which templates see as `partition`.
    #[option(default = "[]", group = "partition")]
    pub(crate) list: Vec<String>,
    /// The name of the stream whose records give the values; templates see such a record as `parent`.
    #[option(name = "parent.stream", group = "partition")]
    pub(crate) parent_stream: Option<String>,
    /// JSON Pointer to the value in a record of the parent.
    #[option(name = "parent.path", default = "/id", group = "partition")]
    pub(crate) parent_path: String,
}

/// The maps of `streams`, flat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Streams(pub(crate) Vec<BTreeMap<String, String>>);

impl OptionValue for Streams {
    const KIND: &'static str = "list";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let wrong = || "a list of maps, one for each stream".to_owned();
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let list: Vec<Map<String, Json>> = serde_json::from_str(text).map_err(|_| wrong())?;
        if list.len() > STREAMS_MAX {
            return Err(format!("a list of at most {STREAMS_MAX} streams"));
        }
        let maps: BTreeSet<String> = StreamOptions::definitions()
            .into_iter()
            .filter(|one| one.kind == "map")
            .map(|one| one.name)
            .collect();
        let mut streams = Vec::new();
        for entry in list {
            let mut flat = BTreeMap::new();
            for (key, value) in entry {
                let key = if key == "name" {
                    "stream.name".to_owned()
                } else {
                    key
                };
                flatten(key, value, &maps, &mut flat)?;
            }
            streams.push(flat);
        }
        Ok(Self(streams))
    }
}

/// Nesting ends at options that are maps themselves, and at lists.
fn flatten(
    key: String,
    value: Json,
    maps: &BTreeSet<String>,
    flat: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    match value {
        Json::Object(fields) if !maps.contains(&key) => {
            for (inner, value) in fields {
                flatten(format!("{key}.{inner}"), value, maps, flat)?;
            }
        }
        Json::String(text) => {
            flat.insert(key, text);
        }
        Json::Null => return Err(format!("a list of maps; `{key}` has no value")),
        other => {
            flat.insert(key, other.to_string());
        }
    }
    Ok(())
}

impl HttpSourceOptions {
    fn check(&self) -> Vec<ConfigProblem> {
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

    /// Returns the streams, each with what it leaves to the connector; `config` is the flat configuration of the task.
    ///
    /// # Errors
    /// A stream is not complete, or its parent is not there: all problems at once.
    pub(crate) fn resolve(
        &self,
        config: &BTreeMap<String, String>,
    ) -> Result<Vec<StreamOptions>, Vec<ConfigProblem>> {
        if self.streams.0.is_empty() {
            return Ok(vec![self.stream.clone()]);
        }
        let names: BTreeSet<String> = StreamOptions::definitions()
            .into_iter()
            .map(|one| one.name)
            .collect();
        let shared: BTreeMap<String, String> = config
            .iter()
            .filter(|(key, _)| names.contains(*key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let mut streams: Vec<StreamOptions> = Vec::new();
        let mut problems = Vec::new();
        for entry in &self.streams.0 {
            let mut whole = shared.clone();
            whole.extend(entry.iter().map(|(k, v)| (k.clone(), v.clone())));
            match StreamOptions::from_config(&whole) {
                Err(wrong) => problems.extend(wrong),
                Ok(stream) => {
                    let name = stream.named();
                    let mut problem = |option: &str, message: String| {
                        problems.push(ConfigProblem::new(
                            "streams",
                            format!("stream `{name}`: `{option}` {message}"),
                        ))
                    };
                    stream.check(&mut problem);
                    if streams.iter().any(|other| other.named() == name) {
                        problem("name", "is the name of two streams".to_owned());
                    }
                    streams.push(stream);
                }
            }
        }
        for stream in &streams {
            let Some(parent) = &stream.partition.parent_stream else {
                continue;
            };
            match streams.iter().find(|other| other.named() == *parent) {
                None => problems.push(ConfigProblem::new(
                    "streams",
                    format!("stream `{}`: there is no stream `{parent}`", stream.named()),
                )),
                Some(parent)
                    if parent.partition.parent_stream.is_some()
                        || !parent.partition.list.is_empty() =>
                {
                    problems.push(ConfigProblem::new("streams", format!("stream `{}`: its parent `{}` is read for several values itself, which is not supported", stream.named(), parent.named())));
                }
                Some(_) => {}
            }
        }
        if problems.is_empty() {
            Ok(streams)
        } else {
            Err(problems)
        }
    }
}

impl StreamOptions {
    /// Returns the stream's name.
    pub(crate) fn named(&self) -> String {
        self.name
            .clone()
            .or_else(|| self.topic.as_ref().map(ToString::to_string))
            .unwrap_or_default()
    }

    fn check(&self, problem: &mut dyn FnMut(&str, String)) {
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
            .filter(|start| super::cursor::CursorValue::parse(cursor.kind, start).is_none())
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

/// Reads `index/count`.
pub(crate) fn share(text: &str) -> Option<(usize, usize)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}

#[cfg(test)]
mod tests;
