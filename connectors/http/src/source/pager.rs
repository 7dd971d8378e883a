//! From one page to the next.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use linkspan_sdk::{Error, Result};
use reqwest::header::{HeaderMap, LINK};
use serde_json::Value as Json;
use url::Url;

use super::options::{PaginationOptions, PaginationType, TokenIn};
use crate::template::{Condition, values};

/// What a page's answer shows of the next one.
#[derive(Debug)]
pub(super) struct Page<'a> {
    /// Pages before it.
    pub(super) number: u64,
    pub(super) token: Option<&'a str>,
    pub(super) url: &'a Url,
    pub(super) headers: &'a HeaderMap,
    /// The answer's JSON; nothing for formats that have no document.
    pub(super) document: Option<&'a str>,
    pub(super) last_record: Option<&'a str>,
    pub(super) records: usize,
    pub(super) body: &'a [u8],
}

/// Finds next pages and knows when they go in a circle.
#[derive(Debug)]
pub(super) struct Pager {
    options: PaginationOptions,
    stop_when: Option<Condition>,
    /// Of this slice: tokens and the number of the page that each led to.
    met: HashMap<String, u64>,
    /// The hash of the last page that had records.
    last: Option<u64>,
}

impl Pager {
    pub(super) fn new(options: &PaginationOptions) -> Result<Self> {
        let stop_when = options
            .stop_when
            .as_deref()
            .map(|text| Condition::parse("pagination.stop.when", text))
            .transpose();
        let stop_when = stop_when
            .map_err(|wrong| Error::config_invalid(format!("`pagination.stop.when` {wrong}")))?;
        Ok(Self {
            options: options.clone(),
            stop_when,
            met: HashMap::new(),
            last: None,
        })
    }

    /// Starts a slice anew.
    pub(super) fn restart(&mut self) {
        self.met.clear();
        self.last = None;
    }

    /// Returns the first page's number or offset.
    pub(super) fn first(&self) -> Option<String> {
        match self.options.kind {
            PaginationType::Page => Some(self.options.start_from.unwrap_or(1).to_string()),
            PaginationType::Offset => Some(self.options.start_from.unwrap_or(0).to_string()),
            PaginationType::None
            | PaginationType::Cursor
            | PaginationType::LinkHeader
            | PaginationType::NextUrl => None,
        }
    }

    /// Returns the token of the page after this one, nothing where it is the last.
    ///
    /// # Errors
    /// Pages go in a circle, there are more than `pagination.max.pages`, or the answer does not hold what it should.
    pub(super) fn next(&mut self, page: &Page<'_>) -> Result<Option<String>> {
        if self.stopped(page)? {
            return Ok(None);
        }
        let Some(next) = self.token(page)? else {
            return Ok(None);
        };
        let number = page.number + 1;
        let circle = |told: String| Error::data_invalid(format!("pagination does not end: {told}"));
        if let Some(token) = page.token {
            self.met.entry(token.to_owned()).or_insert(page.number + 1);
        }
        if let Some(before) = self.met.get(&next) {
            return Err(circle(format!(
                "page {number} of `{}` leads to `{next}`, which was page {before}",
                page.url
            )));
        }
        let numbered = matches!(
            self.options.kind,
            PaginationType::Page | PaginationType::Offset
        );
        let mut hasher = DefaultHasher::new();
        page.body.hash(&mut hasher);
        let hash = hasher.finish();
        if numbered && page.records > 0 && self.last.replace(hash) == Some(hash) {
            return Err(circle(format!(
                "page {number} of `{}` is page {} again, byte for byte; does the server take `{}`?",
                page.url,
                page.number,
                self.param()
            )));
        }
        if number >= self.options.max_pages {
            return Err(circle(format!(
                "after page {number} of `{}` there is another one, and `pagination.max.pages` is {}",
                page.url, self.options.max_pages
            )));
        }
        Ok(Some(next))
    }

    /// Returns the parameter's name.
    pub(super) fn param(&self) -> &str {
        let default = match self.options.kind {
            PaginationType::Page => "page",
            PaginationType::Offset => "offset",
            PaginationType::None
            | PaginationType::Cursor
            | PaginationType::LinkHeader
            | PaginationType::NextUrl => "cursor",
        };
        self.options.param.as_deref().unwrap_or(default)
    }

    fn stopped(&self, page: &Page<'_>) -> Result<bool> {
        let Some(condition) = &self.stop_when else {
            return Ok(false);
        };
        let headers: serde_json::Map<String, Json> = page
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), Json::from(value.to_str().ok()?)))
            })
            .collect();
        let seen = serde_json::json!({
            "response": document(page)?,
            "headers": headers,
            "records": page.records,
            "page": { "number": page.number + 1, "token": page.token },
        });
        condition.holds(&values(&seen))
    }

    fn token(&self, page: &Page<'_>) -> Result<Option<String>> {
        let short = self
            .options
            .page_size
            .is_some_and(|size| page.records < usize::try_from(size).unwrap_or(usize::MAX));
        let number = || {
            page.token
                .and_then(|token| token.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let count = u64::try_from(page.records).unwrap_or(u64::MAX);
        Ok(match self.options.kind {
            PaginationType::None => None,
            PaginationType::Page | PaginationType::Offset if short || page.records == 0 => None,
            PaginationType::Page => Some((number() + 1).to_string()),
            PaginationType::Offset => Some((number() + count).to_string()),
            PaginationType::Cursor => self.cursor(page)?,
            PaginationType::NextUrl => self.absolute(page, self.cursor(page)?)?,
            PaginationType::LinkHeader => {
                let links = page
                    .headers
                    .get_all(LINK)
                    .iter()
                    .filter_map(|value| value.to_str().ok());
                let next = links.flat_map(link_targets).find(|(_, relation)| {
                    relation
                        .split_ascii_whitespace()
                        .any(|one| one.eq_ignore_ascii_case("next"))
                });
                self.absolute(page, next.map(|(target, _)| target))?
            }
        })
    }

    fn cursor(&self, page: &Page<'_>) -> Result<Option<String>> {
        let path = self.options.cursor_path.as_str();
        let found = match self.options.cursor_in {
            TokenIn::Header => page
                .headers
                .get(path.trim_start_matches('/'))
                .and_then(|value| value.to_str().ok())
                .map(Json::from),
            TokenIn::Response => document(page)?.pointer(path).cloned(),
            TokenIn::LastRecord => {
                match page.last_record {
                    None => None,
                    Some(record) => {
                        let record: Json = serde_json::from_str(record)?;
                        let found = record.pointer(path).cloned();
                        Some(found.ok_or_else(|| Error::data_invalid(format!("the last record of page {} has no `{path}` (`pagination.cursor.path`)", page.number + 1)))?)
                    }
                }
            }
        };
        Ok(match found {
            None | Some(Json::Null | Json::Bool(false)) => None,
            Some(Json::String(text)) => (!text.is_empty()).then_some(text),
            Some(Json::Number(number)) => Some(number.to_string()),
            Some(Json::Bool(true) | Json::Array(_) | Json::Object(_)) => {
                return Err(Error::data_invalid(format!(
                    "`pagination.cursor.path` `{path}` leads to neither a text nor a number on page {}",
                    page.number + 1
                )));
            }
        })
    }

    /// Makes the next page's URL whole. It stays with the server that was asked: credentials go along.
    fn absolute(&self, page: &Page<'_>, next: Option<String>) -> Result<Option<String>> {
        let Some(next) = next else {
            return Ok(None);
        };
        let url = page.url.join(&next).map_err(|_| {
            Error::data_invalid(format!(
                "page {} names a next page that is no URL",
                page.number + 1
            ))
        })?;
        if url.origin() != page.url.origin() {
            let (here, there) = (
                page.url.origin().ascii_serialization(),
                url.origin().ascii_serialization(),
            );
            return Err(Error::data_invalid(format!(
                "page {} of `{here}` leads to `{there}`, another server, which is not asked",
                page.number + 1
            )));
        }
        Ok(Some(url.into()))
    }
}

fn document(page: &Page<'_>) -> Result<Json> {
    Ok(page
        .document
        .map(serde_json::from_str)
        .transpose()?
        .unwrap_or(Json::Null))
}

/// Reads a `Link` header (RFC 8288 §3): targets and their `rel`.
fn link_targets(header: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut rest = header;
    while let Some((target, after)) = rest
        .split_once('<')
        .and_then(|(_, inner)| inner.split_once('>'))
    {
        let mut quoted = false;
        let end = after.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == ',' && !quoted
        });
        let (parameters, next) = after.split_at(end.map_or(after.len(), |(at, _)| at));
        let relation = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.trim().split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("rel")
                .then(|| value.trim().trim_matches('"').to_owned())
        });
        links.push((target.to_owned(), relation.unwrap_or_default()));
        rest = next;
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_headers_are_read_as_they_are_written() {
        let header = r#"<https://h/a?p=1,2>; rel="prev", <https://h/a?p=3>; title="x, y"; rel=next, </b>;rel="last start""#;
        let expected = [
            ("https://h/a?p=1,2", "prev"),
            ("https://h/a?p=3", "next"),
            ("/b", "last start"),
        ];
        assert_eq!(
            link_targets(header),
            expected.map(|(target, relation)| (target.to_owned(), relation.to_owned()))
        );
        assert!(link_targets("").is_empty());
        assert!(link_targets("<unclosed").is_empty());
    }
}
