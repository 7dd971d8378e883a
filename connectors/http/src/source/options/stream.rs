//! Options of one stream: what it asks for, how pages follow, what is new.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

use crate::retry::Codes;
use crate::source::cursor::{Format, Step};
use crate::source::path::Path;

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

impl StreamOptions {
    /// Returns the stream's name.
    pub(crate) fn named(&self) -> String {
        self.name
            .clone()
            .or_else(|| self.topic.as_ref().map(ToString::to_string))
            .unwrap_or_default()
    }
}
