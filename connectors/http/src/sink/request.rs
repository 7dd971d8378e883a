//! What records become: a request.

use bytes::Bytes;
use linkspan_sdk::prelude::*;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};
use url::Url;

use super::options::{HttpSinkOptions, OnNullValue};
use crate::client::Call;
use crate::template::{Kind, Template, values};

/// Makes requests of records.
#[derive(Debug)]
pub(super) struct Maker {
    url: Template,
    /// The URL where it is the same for all records.
    fixed_url: Option<Url>,
    delete_url: Option<Template>,
    method: Template,
    fixed_method: Option<Method>,
    headers: Vec<(HeaderName, Template)>,
    body: Option<Template>,
    idempotency: Option<(HeaderName, Option<Template>)>,
    frame: [Vec<u8>; 3],
    on_null: OnNullValue,
    /// Whether the values of records are needed for anything but a body.
    templated: bool,
}

/// Where a record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) method: Method,
    pub(super) url: Url,
}

impl Maker {
    pub(super) fn new(options: &HttpSinkOptions) -> Result<Self> {
        let template = |option: &str, text: &str, kind| {
            Template::parse(option, text, kind)
                .map_err(|wrong| Error::config_invalid(format!("`{option}` {wrong}")))
        };
        let url = template("url", &options.url, Kind::Url)?;
        let method = template("method", &options.method, Kind::Text)?;
        let mut headers = vec![(
            CONTENT_TYPE,
            template(
                "headers.content.type",
                &options.headers_content_type,
                Kind::Text,
            )?,
        )];
        for (name, value) in options.all_headers() {
            let name: HeaderName = name.parse().map_err(|_| {
                Error::config_invalid(format!("`headers`: `{name}` is not a header's name"))
            })?;
            headers.retain(|(known, _)| *known != name);
            headers.push((name, template("headers", value, Kind::Text)?));
        }
        let key = options
            .idempotency_key
            .as_deref()
            .map(|text| template("idempotency.key", text, Kind::Text))
            .transpose()?;
        let idempotency =
            (!options.idempotency_header.is_empty()).then_some(&options.idempotency_header);
        let idempotency = idempotency
            .map(|name| name.parse().map(|name: HeaderName| (name, key)))
            .transpose();
        let idempotency = idempotency
            .map_err(|_| Error::config_invalid("`idempotency.header` is not a header's name"))?;
        let delete_url = options
            .delete_url
            .as_deref()
            .map(|text| template("delete.url", text, Kind::Url))
            .transpose()?;
        let body = options
            .body_template
            .as_deref()
            .map(|text| template("body.template", text, Kind::Text))
            .transpose()?;
        let rendered = |template: &Template| template.fixed().is_none();
        let templated = rendered(&url)
            || rendered(&method)
            || headers.iter().any(|(_, template)| rendered(template))
            || idempotency
                .as_ref()
                .is_some_and(|(_, template)| template.as_ref().is_some_and(rendered))
            || delete_url.as_ref().is_some_and(rendered);
        Ok(Self {
            fixed_url: url
                .fixed()
                .map(Url::parse)
                .transpose()
                .map_err(|error| Error::config_invalid(format!("`url`: {error}")))?,
            fixed_method: method.fixed().map(method_of).transpose()?,
            url,
            delete_url,
            method,
            headers,
            body,
            idempotency,
            frame: options.batch_frame(),
            on_null: options.on_null_value,
            templated,
        })
    }

    /// Returns what templates see of a record; nothing where no template needs it.
    fn seen(
        &self,
        record: &Record<'_>,
        last_offset: i64,
        for_body: bool,
    ) -> Result<minijinja::Value> {
        if !self.templated && !for_body {
            return Ok(minijinja::Value::UNDEFINED);
        }
        let headers: Map<String, Json> = record
            .headers()
            .map(|(name, value)| Ok((name.to_owned(), told(&value)?)))
            .collect::<Result<_>>()?;
        Ok(values(&serde_json::json!({
            "topic": record.topic(),
            "topic_id": uuid(record.topic_id()),
            "partition": record.partition(),
            "offset": record.offset(),
            "last_offset": last_offset,
            "timestamp": record.timestamp(),
            "key": told(&record.key())?,
            "value": told(&record.value())?,
            "headers": headers,
        })))
    }

    /// Returns where a record goes.
    ///
    /// # Errors
    /// A template cannot be filled from this record, or does not make a URL or a method: of kind `data_invalid`.
    pub(super) fn target(&self, record: &Record<'_>) -> Result<Target> {
        let delete = self.is_delete(record);
        if let (Some(url), Some(method), false) = (&self.fixed_url, &self.fixed_method, delete) {
            return Ok(Target {
                method: method.clone(),
                url: url.clone(),
            });
        }
        let seen = self.seen(record, record.offset(), false)?;
        let template = if delete {
            self.delete_url.as_ref().unwrap_or(&self.url)
        } else {
            &self.url
        };
        let url = Url::parse(&template.render(&seen)?)
            .ok()
            .filter(Url::has_host);
        let url = url.ok_or_else(|| Error::data_invalid("`url` and this record make no URL"))?;
        let method = match &self.fixed_method {
            _ if delete => Method::DELETE,
            Some(method) => method.clone(),
            None => method_of(&self.method.render(&seen)?)?,
        };
        Ok(Target { method, url })
    }

    /// Returns whether a record is to become a DELETE.
    pub(super) fn is_delete(&self, record: &Record<'_>) -> bool {
        self.on_null == OnNullValue::Delete && record.value().is_null()
    }

    /// Returns the bytes of a record within a body.
    ///
    /// # Errors
    /// As [`Maker::target`].
    pub(super) fn body(&self, record: &Record<'_>, batched: bool) -> Result<Vec<u8>> {
        if self.is_delete(record) {
            return Ok(Vec::new());
        }
        if let Some(template) = &self.body {
            return Ok(template
                .render(&self.seen(record, record.offset(), true)?)?
                .into_bytes());
        }
        let value = record.value();
        match value.as_bytes() {
            Some(bytes) if !batched => Ok(bytes.to_vec()),
            _ => {
                let mut json = Vec::new();
                value.write_json(&mut json)?;
                Ok(json)
            }
        }
    }

    /// Makes one request of records of one partition and one target, in order; `bodies` are theirs.
    ///
    /// # Errors
    /// As [`Maker::target`].
    pub(super) fn call(
        &self,
        target: Target,
        first: &Record<'_>,
        last: &Record<'_>,
        bodies: &[&[u8]],
        batched: bool,
    ) -> Result<Call> {
        let seen = self.seen(first, last.offset(), false)?;
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 1);
        for (name, template) in &self.headers {
            let value = template
                .fixed()
                .map_or_else(|| template.render(&seen), |text| Ok(text.to_owned()))?;
            let value = HeaderValue::from_str(&value).map_err(|_| {
                Error::data_invalid(format!(
                    "this record makes a value of header `{name}` that no header can hold"
                ))
            })?;
            headers.insert(name.clone(), value);
        }
        if let Some((name, template)) = &self.idempotency {
            let key = match template {
                Some(template) => template.render(&seen)?,
                None if first.offset() == last.offset() => format!(
                    "{}-{}-{}",
                    uuid(first.topic_id()),
                    first.partition(),
                    first.offset()
                ),
                None => format!(
                    "{}-{}-{}-{}",
                    uuid(first.topic_id()),
                    first.partition(),
                    first.offset(),
                    last.offset()
                ),
            };
            let value = HeaderValue::from_str(&key).map_err(|_| {
                Error::data_invalid(
                    "this record makes an `idempotency.key` that no header can hold",
                )
            })?;
            headers.insert(name.clone(), value);
        }
        let body = match bodies {
            [body] if !batched => Bytes::copy_from_slice(body),
            bodies => {
                let [prefix, separator, suffix] = &self.frame;
                Bytes::from(
                    [
                        prefix.as_slice(),
                        &bodies.join(separator.as_slice()),
                        suffix,
                    ]
                    .concat(),
                )
            }
        };
        Ok(Call {
            method: target.method,
            url: target.url,
            headers,
            body,
        })
    }
}

fn method_of(text: &str) -> Result<Method> {
    Method::from_bytes(text.trim().to_ascii_uppercase().as_bytes())
        .map_err(|_| Error::data_invalid("`method` makes no method of HTTP"))
}

/// Returns a key or value as templates see it: JSON as what it says, other text as text, bytes as base64.
fn told(datum: &Datum<'_>) -> Result<Json> {
    use base64::Engine as _;
    if datum.is_null() {
        return Ok(Json::Null);
    }
    match datum.as_bytes() {
        Some(bytes) => Ok(serde_json::from_slice(bytes).unwrap_or_else(
            |_| match std::str::from_utf8(bytes) {
                Ok(text) => Json::from(text),
                Err(_) => Json::from(base64::engine::general_purpose::STANDARD.encode(bytes)),
            },
        )),
        None => datum.json(),
    }
}

/// Writes a topic's id as a UUID.
pub(super) fn uuid(id: [u8; 16]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(36);
    for (n, byte) in id.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a text cannot fail.
        let _written = write!(text, "{byte:02x}").is_ok();
    }
    text
}
