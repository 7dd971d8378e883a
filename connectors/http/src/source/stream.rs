//! A stream made ready: its request by templates, its pages.

use std::collections::BTreeMap;

use bytes::Bytes;
use linkspan_sdk::prelude::*;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::cursor::CursorValue;
use super::options::{Decoder, InjectInto, PaginationType, StreamOptions};
use super::pager::Pager;
use crate::client::Call;
use crate::template::{Kind, Template, values};

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) topic: TopicName,
    pub(super) options: StreamOptions,
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    params: Vec<(String, Template)>,
    body: Option<Template>,
    /// The connector's configuration without secrets, for templates.
    config: Json,
}

/// What a request is made for.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    pub(super) start: Option<CursorValue>,
    pub(super) end: Option<CursorValue>,
    pub(super) partition: Option<&'a str>,
    pub(super) parent: Option<&'a Json>,
    /// Pages before this one.
    pub(super) page: u64,
    pub(super) token: Option<&'a str>,
}

impl Stream {
    pub(super) fn new(options: StreamOptions, config: &BTreeMap<String, String>) -> Result<Self> {
        let name = options.named();
        let wrong = |option: &str, told: String| {
            Error::config_invalid(format!("stream `{name}`: `{option}` {told}"))
        };
        let template = |option: &str, text: &str, kind| {
            Template::parse(option, text, kind).map_err(|told| wrong(option, told))
        };
        let url = options
            .url
            .as_deref()
            .ok_or_else(|| wrong("url", "is missing".to_owned()))?;
        let mut headers = Vec::new();
        for (name, value) in &options.headers {
            let name = name.parse().map_err(|_| {
                wrong(
                    "headers",
                    format!("names `{name}`, which is not a header's name"),
                )
            })?;
            headers.push((name, template("headers", value, Kind::Text)?));
        }
        let mut params = Vec::new();
        for (name, value) in &options.params {
            params.push((name.clone(), template("params", value, Kind::Text)?));
        }
        let secrets = super::options::HttpSourceOptions::definitions()
            .into_iter()
            .filter(|one| one.secret || one.kind == "password");
        let secrets: Vec<String> = secrets
            .flat_map(|one| one.aliases.into_iter().chain([one.name]))
            .collect();
        let config: BTreeMap<&String, &String> = config
            .iter()
            .filter(|(key, _)| !secrets.contains(key))
            .collect();
        Ok(Self {
            topic: options
                .topic
                .clone()
                .ok_or_else(|| wrong("topic", "is missing".to_owned()))?,
            method: Method::from_bytes(options.method.to_ascii_uppercase().as_bytes())
                .map_err(|_| wrong("method", "is not a method of HTTP".to_owned()))?,
            url: template("url", url, Kind::Url)?,
            body: options
                .body
                .as_deref()
                .map(|text| template("body", text, Kind::Text))
                .transpose()?,
            headers,
            params,
            config: json!(config),
            options,
            name,
        })
    }

    /// Makes the request of a page.
    ///
    /// # Errors
    /// A template cannot be filled.
    pub(super) fn call(&self, scope: &Scope<'_>, pager: &Pager) -> Result<Call> {
        let seen = values(&self.seen(scope));
        let next_url = match self.options.pagination.kind {
            PaginationType::LinkHeader | PaginationType::NextUrl => scope.token,
            PaginationType::None
            | PaginationType::Page
            | PaginationType::Offset
            | PaginationType::Cursor => None,
        };
        let mut headers = HeaderMap::new();
        let accept = match self.options.decoder {
            Decoder::Json => "application/json",
            Decoder::Jsonl => "application/x-ndjson, application/json;q=0.9, */*;q=0.8",
            Decoder::Csv => "text/csv, */*;q=0.8",
            Decoder::Xml => "application/xml, text/xml;q=0.9, */*;q=0.8",
        };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        for (name, template) in &self.headers {
            headers.insert(name.clone(), header(name, &template.render(&seen)?)?);
        }
        let mut body = self
            .body
            .as_ref()
            .map(|template| template.render(&seen))
            .transpose()?
            .unwrap_or_default();
        // A next URL carries all parameters of its own.
        let url = if let Some(next) = next_url {
            next.to_owned()
        } else {
            self.url.render(&seen)?
        };
        let mut url = Url::parse(&url).ok().filter(Url::has_host).ok_or_else(|| {
            Error::config_invalid(format!("stream `{}`: `url` makes no URL", self.name))
        })?;
        if next_url.is_none() {
            let mut query = Vec::new();
            for (name, template) in &self.params {
                query.push((name.clone(), template.render(&seen)?));
            }
            self.page_parameters(scope, pager, &mut query, &mut headers, &mut body)?;
            query.retain(|(_, value)| !value.is_empty());
            if !query.is_empty() {
                url.query_pairs_mut().extend_pairs(query);
            }
        }
        if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Call {
            method: self.method.clone(),
            url,
            headers,
            body: Bytes::from(body),
        })
    }

    fn page_parameters(
        &self,
        scope: &Scope<'_>,
        pager: &Pager,
        query: &mut Vec<(String, String)>,
        headers: &mut HeaderMap,
        body: &mut String,
    ) -> Result<()> {
        let pagination = &self.options.pagination;
        let size = pagination
            .page_size
            .zip(pagination.size_param.as_ref())
            .map(|(size, param)| (param.clone(), size.to_string()));
        let token = scope
            .token
            .map(|token| (pager.param().to_owned(), token.to_owned()));
        let parameters = size.into_iter().chain(token);
        match pagination.inject_into {
            InjectInto::Query => query.extend(parameters),
            InjectInto::Path => {}
            InjectInto::Header => {
                for (name, value) in parameters {
                    let name: HeaderName = name.parse().map_err(|_| {
                        Error::config_invalid(format!(
                            "`pagination.param`: `{name}` is not a header's name"
                        ))
                    })?;
                    headers.insert(name.clone(), header(&name, &value)?);
                }
            }
            InjectInto::Body => {
                let text = if body.trim().is_empty() {
                    "{}"
                } else {
                    body.as_str()
                };
                let mut fields: serde_json::Map<String, Json> = serde_json::from_str(text)
                    .map_err(|_| {
                        Error::config_invalid(
                            "`pagination.inject.into: body` needs a `body` that is a JSON object",
                        )
                    })?;
                for (name, value) in parameters {
                    let number = (pagination.kind != PaginationType::Cursor)
                        .then(|| value.parse::<u64>().ok())
                        .flatten();
                    fields.insert(name, number.map_or_else(|| Json::from(value), Json::from));
                }
                *body = Json::Object(fields).to_string();
            }
        }
        Ok(())
    }

    fn seen(&self, scope: &Scope<'_>) -> Json {
        let cursor = &self.options.cursor;
        let shown = |value: Option<&CursorValue>| {
            value.map_or_else(String::new, |value| value.shown(&cursor.format))
        };
        let end = scope
            .end
            .as_ref()
            .map(|end| end.minus(Some(super::cursor::Step::Time(cursor.granularity))));
        json!({
            "config": self.config,
            "cursor": { "start": shown(scope.start.as_ref()), "end": shown(end.as_ref()) },
            "partition": scope.partition.unwrap_or_default(),
            "parent": scope.parent,
            "page": {
                "number": scope.page + 1,
                "token": scope.token.unwrap_or_default(),
                "size": self.options.pagination.page_size,
            },
        })
    }
}

fn header(name: &HeaderName, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| {
        Error::config_invalid(format!(
            "header `{name}` gets a value that no header can hold"
        ))
    })
}

/// Returns a number that stands for texts, the same in every version: it is stored.
pub(super) fn hash(parts: &[&str]) -> u64 {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.len().to_be_bytes());
        sha.update(part);
    }
    let digest = sha.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
