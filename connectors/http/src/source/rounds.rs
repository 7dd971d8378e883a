//! Which values a stream is read for: none, those of a list, or those of a parent's records, page by page.

use std::collections::VecDeque;
use std::rc::Rc;

use linkspan_sdk::prelude::*;
use serde_json::Value as Json;

use super::decode::decode;
use super::pager::{self, Pager};
use super::state::RoundState;
use super::stream::{Scope, Stream};
use super::wire::{Asked, Wire};

/// A value whose turn it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Turn {
    pub(super) value: Option<String>,
    /// The parent's record.
    pub(super) parent: Option<Json>,
}

impl Turn {
    /// Returns what names the value among those of its stream.
    pub(super) fn key(&self) -> String {
        self.value.clone().unwrap_or_default()
    }
}

/// The values of a stream, round by round.
pub(super) struct Rounds {
    stream: Rc<Stream>,
    parent: Option<(Rc<Stream>, Pager)>,
    partition: SourcePartition,
    state: RoundState,
    /// Of the parent's page, those that are still to come.
    values: VecDeque<Turn>,
    /// The parent's page is read; behind it comes this one.
    read: Option<Option<String>>,
    /// A stream without values has its one turn.
    taken: bool,
    /// The page's token was stored by an earlier life.
    resumed: bool,
}

impl Rounds {
    pub(super) fn new(
        stream: Rc<Stream>,
        parent: Option<Rc<Stream>>,
        ctx: &SourceContext,
    ) -> Result<Self> {
        let partition =
            SourcePartition::from([("stream", stream.name.as_str()), ("round", "values")]);
        let has_values = parent.is_some() || !stream.options.partition.list.is_empty();
        let state: RoundState = if has_values {
            ctx.offset(&partition).read()?.unwrap_or_default()
        } else {
            RoundState::default()
        };
        let parent = parent
            .map(|parent| Pager::new(&parent.options.pagination).map(|pager| (parent, pager)))
            .transpose()?;
        Ok(Self {
            stream,
            parent,
            partition,
            resumed: state.token.is_some(),
            state,
            values: VecDeque::new(),
            read: None,
            taken: false,
        })
    }

    /// Returns the next turn; nothing where the round is over, and the next call begins another.
    ///
    /// # Errors
    /// The parent's page cannot be had.
    pub(super) async fn next(
        &mut self,
        wire: &mut Wire,
        out: &mut BatchBuilder,
    ) -> Result<Option<Turn>> {
        if self.parent.is_some() {
            return self.next_of_parent(wire, out).await;
        }
        let list = &self.stream.options.partition.list;
        if list.is_empty() {
            self.taken = !self.taken;
            return Ok(self.taken.then_some(Turn {
                value: None,
                parent: None,
            }));
        }
        match list.get(usize::try_from(self.state.done).unwrap_or(usize::MAX)) {
            Some(value) => Ok(Some(Turn {
                value: Some(value.clone()),
                parent: None,
            })),
            None => {
                self.end(out)?;
                Ok(None)
            }
        }
    }

    /// Says that the turn is over.
    pub(super) fn finish(&mut self, out: &mut BatchBuilder) -> Result<()> {
        if self.parent.is_none() && self.stream.options.partition.list.is_empty() {
            return Ok(());
        }
        self.state.done += 1;
        out.offset_from(&self.partition, &self.state)
    }

    fn end(&mut self, out: &mut BatchBuilder) -> Result<()> {
        self.state = RoundState::default();
        self.read = None;
        out.offset_from(&self.partition, &self.state)
    }

    async fn next_of_parent(
        &mut self,
        wire: &mut Wire,
        out: &mut BatchBuilder,
    ) -> Result<Option<Turn>> {
        loop {
            if let Some(turn) = self.values.pop_front() {
                return Ok(Some(turn));
            }
            match self.read.take() {
                Some(None) => {
                    if let Some((_, pager)) = &mut self.parent {
                        pager.restart();
                    }
                    self.end(out)?;
                    return Ok(None);
                }
                Some(Some(token)) => {
                    // Kept with the first value that is done there; until then all values of the page before count as done.
                    self.state = RoundState {
                        done: 0,
                        page: self.state.page + 1,
                        token: Some(token),
                    };
                }
                None => {}
            }
            self.read_page(wire).await?;
        }
    }

    async fn read_page(&mut self, wire: &mut Wire) -> Result<()> {
        let Some((parent, pager)) = &mut self.parent else {
            return Ok(());
        };
        let token = self.state.token.clone().or_else(|| pager.first());
        let scope = Scope {
            page: self.state.page,
            token: token.as_deref(),
            ..Scope::default()
        };
        let call = parent.call(&scope, pager)?;
        let url = call.url.clone();
        let answer = match wire.ask(&parent.options, call, self.resumed).await? {
            Asked::Answer(answer) => answer,
            Asked::Nothing => {
                self.read = Some(None);
                return Ok(());
            }
            Asked::Stale(_) => {
                // The values before are read again; what they had is known by their own states.
                self.state = RoundState::default();
                self.resumed = false;
                return Ok(());
            }
        };
        self.resumed = false;
        let decoded = decode(
            &parent.options,
            &answer,
            wire.response_bytes_max,
            wire.mask(),
        )?;
        let count = decoded.records.len();
        let page = pager::Page {
            number: self.state.page,
            token: token.as_deref(),
            url: &url,
            headers: &answer.headers,
            document: decoded.is_document.then_some(decoded.text.as_str()),
            last_record: count.checked_sub(1).and_then(|last| decoded.record(last)),
            records: count,
            body: &answer.body,
        };
        self.read = Some(pager.next(&page)?);
        let path = self.stream.options.partition.parent_path.as_str();
        let mut values = VecDeque::with_capacity(count);
        for index in 0..count {
            let record: Json = serde_json::from_str(decoded.record(index).unwrap_or("null"))?;
            let value = match record.pointer(path) {
                Some(Json::String(text)) => text.clone(),
                Some(value @ (Json::Number(_) | Json::Bool(_))) => value.to_string(),
                Some(Json::Null | Json::Array(_) | Json::Object(_)) | None => {
                    return Err(Error::data_invalid(format!(
                        "stream `{}`: record {} of page {} of its parent `{}` has no text or number at `partition.parent.path` `{path}`",
                        self.stream.name,
                        index + 1,
                        self.state.page + 1,
                        parent.name
                    )));
                }
            };
            values.push_back(Turn {
                value: Some(value),
                parent: Some(record),
            });
        }
        let done = usize::try_from(self.state.done)
            .unwrap_or(usize::MAX)
            .min(values.len());
        values.drain(..done);
        self.values = values;
        Ok(())
    }
}
