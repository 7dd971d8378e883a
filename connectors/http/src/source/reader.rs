//! Reading one stream: rounds, values, slices, pages.
//!
//! ```text
//! round ─► value of the list or of a parent's record ─► slice: window of the cursor ─► page ─► records
//! ```
//! Each step hands out records of one page, or moves on; what was handed out is in the state that is committed with it.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing::{debug, warn};

use super::cursor::{self, CursorValue};
use super::decode::decode;
use super::options::{CursorType, Order};
use super::page::{Page, Range};
use super::pager::{self, Pager};
use super::rounds::{Rounds, Turn};
use super::state::{Seen, Slice, State};
use super::stream::{Scope, Stream};
use super::wire::{Asked, Wire, if_changed, validators};

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The batch holds records or offsets.
    Wrote,
    /// It holds nothing yet; there is more to do at once.
    Went,
    /// The round is over.
    RoundDone,
}

/// Reads one stream.
pub(super) struct Reader {
    stream: Rc<Stream>,
    ctx: SourceContext,
    rounds: Rounds,
    active: Option<Active>,
    /// The states of values that were read in this life: what is committed of them may lag behind.
    states: HashMap<String, State>,
    /// When the next round is due; nothing while one runs.
    pub(super) due: Option<Instant>,
}

/// The value that is being read.
struct Active {
    turn: Turn,
    partition: SourcePartition,
    state: State,
    seen: Seen,
    pager: Pager,
    page: Option<Page>,
    /// The slice was begun by an earlier life, and no page of it was read in this one.
    resumed: bool,
    /// A slice of this round is done.
    read_once: bool,
    /// Where this round's windows end.
    until: CursorValue,
    /// Where the last window of this round ended.
    ended: Option<CursorValue>,
    /// Whether somebody was told that records may come twice.
    warned: bool,
}

impl Reader {
    pub(super) fn new(
        stream: Rc<Stream>,
        parent: Option<Rc<Stream>>,
        ctx: &SourceContext,
    ) -> Result<Self> {
        Ok(Self {
            rounds: Rounds::new(Rc::clone(&stream), parent, ctx)?,
            stream,
            ctx: ctx.clone(),
            active: None,
            states: HashMap::new(),
            due: Some(Instant::now()),
        })
    }

    /// Returns the time between two rounds.
    pub(super) fn interval(&self) -> Duration {
        self.stream.options.poll_interval
    }

    /// Takes one step.
    ///
    /// # Errors
    /// What keeps the next page away. The batch is empty then, and the same step may be taken again.
    pub(super) async fn step(&mut self, wire: &mut Wire, out: &mut BatchBuilder) -> Result<Step> {
        let Some(active) = &mut self.active else {
            return self.begin(wire, out).await;
        };
        if active.page.is_some() {
            active.hand_out(&self.stream, out)?;
        } else if active.state.slice.is_some() || active.plan(&self.stream) {
            active.fetch(&self.stream, wire, out).await?;
        }
        // The end of a value is in the batch of its last page, so that no crash comes between them.
        if active.page.is_none() && active.state.slice.is_none() && !active.plan(&self.stream) {
            if let Some(active) = self.active.take() {
                self.states.insert(active.turn.key(), active.state);
            }
            self.rounds.finish(out)?;
        }
        Ok(Step::Wrote)
    }

    async fn begin(&mut self, wire: &mut Wire, out: &mut BatchBuilder) -> Result<Step> {
        let Some(turn) = self.rounds.next(wire, out).await? else {
            return Ok(Step::RoundDone);
        };
        let partition = match &turn.value {
            None => SourcePartition::from([("stream", self.stream.name.clone())]),
            Some(value) => SourcePartition::from([
                ("stream", self.stream.name.clone()),
                ("partition", value.clone()),
            ]),
        };
        let state = match self.states.remove(&turn.key()) {
            Some(state) => state,
            None => self
                .ctx
                .offset(&partition)
                .read::<State>()?
                .unwrap_or_default(),
        };
        let kind = self.stream.options.cursor.kind;
        let cursor = state
            .cursor
            .as_deref()
            .and_then(|text| CursorValue::parse(kind, text));
        let cursor = cursor.unwrap_or_else(|| lowest(kind));
        self.active = Some(Active {
            seen: Seen::load(&state, &cursor),
            pager: Pager::new(&self.stream.options.pagination)?,
            resumed: state.slice.is_some(),
            turn,
            partition,
            state,
            page: None,
            read_once: false,
            until: cursor::now(),
            ended: None,
            warned: false,
        });
        Ok(Step::Went)
    }
}

impl Active {
    /// Begins the next slice; false where the round has none any more.
    fn plan(&mut self, stream: &Stream) -> bool {
        let options = &stream.options.cursor;
        if options.field.is_none() {
            if self.read_once {
                return false;
            }
            self.start(Slice::default());
            return true;
        }
        let known = self
            .state
            .cursor
            .as_deref()
            .and_then(|text| CursorValue::parse(options.kind, text));
        let configured = options
            .start
            .as_deref()
            .and_then(|text| CursorValue::parse(options.kind, text));
        let is_time = options.kind == CursorType::Datetime;
        let start = match (&self.ended, &known) {
            (Some(ended), _) => Some(ended.clone()),
            (None, Some(known)) => Some(known.minus(options.lookback)),
            (None, None) => configured,
        };
        let Some(step) = options.step.filter(|_| is_time) else {
            if self.read_once {
                return false;
            }
            let end = is_time.then(|| self.until.stored());
            self.start(Slice {
                start: start.map(|start| start.stored()),
                end,
                ..Slice::default()
            });
            return true;
        };
        let begin = start.unwrap_or_else(|| self.until.clone());
        if begin >= self.until {
            return false;
        }
        let end = begin.plus(step).min(self.until.clone());
        self.start(Slice {
            start: Some(begin.stored()),
            end: Some(end.stored()),
            ..Slice::default()
        });
        true
    }

    fn start(&mut self, slice: Slice) {
        self.pager.restart();
        self.resumed = false;
        self.state.slice = Some(slice);
    }

    fn bounds(&self, kind: CursorType) -> (Option<CursorValue>, Option<CursorValue>) {
        let read = |text: Option<&String>| text.and_then(|text| CursorValue::parse(kind, text));
        let slice = self.state.slice.as_ref();
        (
            read(slice.and_then(|slice| slice.start.as_ref())),
            read(slice.and_then(|slice| slice.end.as_ref())),
        )
    }

    /// Asks for the next page.
    async fn fetch(
        &mut self,
        stream: &Stream,
        wire: &mut Wire,
        out: &mut BatchBuilder,
    ) -> Result<()> {
        let options = &stream.options;
        let (start, end) = self.bounds(options.cursor.kind);
        let slice = self.state.slice.clone().unwrap_or_default();
        let token = slice.token.clone().or_else(|| self.pager.first());
        let scope = Scope {
            start: start.clone(),
            end: end.clone(),
            partition: self.turn.value.as_deref(),
            parent: self.turn.parent.as_ref(),
            page: slice.page,
            token: token.as_deref(),
        };
        let mut call = stream.call(&scope, &self.pager)?;
        let is_first = slice.page == 0;
        if is_first && options.etag {
            if_changed(&mut call, self.state.validators.as_ref());
        }
        let url = call.url.clone();
        let asked = wire.ask(options, call, self.resumed && !is_first).await?;
        let answer = match asked {
            Asked::Answer(answer) => answer,
            Asked::Nothing => {
                self.resumed = false;
                return self.finish_slice(stream, out);
            }
            Asked::Stale(told) => {
                warn!(stream = %stream.name, page = slice.page + 1, answer = %told, "the server no longer knows this page; the slice is read again from its beginning, and records may come twice");
                let ascending = self
                    .state
                    .cursor
                    .clone()
                    .filter(|_| options.cursor.order == Order::Asc);
                let start = ascending.or(slice.start);
                self.start(Slice {
                    start,
                    end: slice.end,
                    max: slice.max,
                    ..Slice::default()
                });
                return Ok(());
            }
        };
        self.resumed = false;
        let decoded = decode(options, &answer, wire.response_bytes_max, wire.mask())?;
        let count = decoded.records.len();
        let seen_by_pager = pager::Page {
            number: slice.page,
            token: token.as_deref(),
            url: &url,
            headers: &answer.headers,
            document: decoded.is_document.then_some(decoded.text.as_str()),
            last_record: count.checked_sub(1).and_then(|last| decoded.record(last)),
            records: count,
            body: &answer.body,
        };
        let mut after = self.pager.next(&seen_by_pager)?;
        // Without windows a time's end only says where the cursor may move to.
        let last = end.as_ref().filter(|_| options.cursor.step.is_some());
        let range = Range {
            start: start.as_ref(),
            end: last,
        };
        let (mut page, older) = Page::new(stream, decoded, slice.page, &range, slice.skip)?;
        if older && options.cursor.order == Order::Desc {
            after = None;
        }
        if is_first {
            self.state.validators = if after.is_none() && options.etag {
                validators(url.as_str(), &answer)
            } else {
                None
            };
        }
        debug!(stream = %stream.name, page = slice.page + 1, records = count, "page");
        page.after = after;
        self.page = Some(page);
        self.hand_out(stream, out)
    }

    /// Hands out what is left of the page, and moves on where nothing is.
    fn hand_out(&mut self, stream: &Stream, out: &mut BatchBuilder) -> Result<()> {
        let options = &stream.options.cursor;
        let Some(page) = &mut self.page else {
            return Ok(());
        };
        out.stamp(&self.partition);
        let slice = self.state.slice.get_or_insert_default();
        let mut max = slice
            .max
            .as_deref()
            .and_then(|text| CursorValue::parse(options.kind, text));
        let mut forgot = false;
        page.hand_out(
            stream,
            &mut self.seen,
            |seen, value, hash| {
                if max.as_ref().is_none_or(|max| value > *max) {
                    max = Some(value.clone());
                }
                let low = max
                    .as_ref()
                    .map_or_else(|| value.clone(), |max| max.minus(options.lookback));
                forgot |= seen.remember(value, hash, &low);
            },
            out,
        )?;
        if forgot && !self.warned {
            self.warned = true;
            warn!(stream = %stream.name, "more records lie near the cursor than are remembered; some may come twice");
        }
        slice.max = max.map(|max| max.stored());
        slice.skip = page.done();
        if !page.is_done() {
            return self.save(out);
        }
        let after = page.after.take();
        self.page = None;
        match after {
            None => self.finish_slice(stream, out),
            Some(token) => {
                slice.page += 1;
                slice.token = Some(token);
                slice.skip = 0;
                if options.order == Order::Asc {
                    self.advance(stream, false);
                }
                self.save(out)
            }
        }
    }

    fn finish_slice(&mut self, stream: &Stream, out: &mut BatchBuilder) -> Result<()> {
        self.advance(stream, true);
        let slice = self.state.slice.take().unwrap_or_default();
        self.ended = slice
            .end
            .as_deref()
            .and_then(|end| CursorValue::parse(stream.options.cursor.kind, end));
        self.page = None;
        self.read_once = true;
        self.save(out)
    }

    /// Moves the cursor: to the end of a window that has passed, else to the newest record, but never beyond the present.
    fn advance(&mut self, stream: &Stream, whole: bool) {
        let options = &stream.options.cursor;
        if options.field.is_none() {
            return;
        }
        let read =
            |text: Option<&String>| text.and_then(|text| CursorValue::parse(options.kind, text));
        let slice = self.state.slice.clone().unwrap_or_default();
        let (max, end) = (read(slice.max.as_ref()), read(slice.end.as_ref()));
        let known = read(self.state.cursor.as_ref());
        let passed = end
            .as_ref()
            .filter(|end| whole && options.step.is_some() && **end < self.until)
            .cloned();
        let reached = max.map(|max| end.map_or(max.clone(), |end| max.min(end)));
        let cursor = [known, passed, reached].into_iter().flatten().max();
        if let Some(cursor) = &cursor {
            self.state.cursor = Some(cursor.stored());
            if whole {
                self.seen.settle(&cursor.minus(options.lookback));
            }
        }
    }

    fn save(&mut self, out: &mut BatchBuilder) -> Result<()> {
        self.seen.store(&mut self.state);
        out.offset_from(&self.partition, &self.state)
    }
}

fn lowest(kind: CursorType) -> CursorValue {
    match kind {
        CursorType::Datetime => CursorValue::Time(i64::MIN),
        CursorType::Integer => CursorValue::Number(i64::MIN),
        CursorType::String => CursorValue::Text(String::new()),
    }
}
