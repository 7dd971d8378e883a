//! Dates, times and durations, in the texts that the databases read.

use super::Encoder;
use super::fitted::Fitted;
use crate::dialect::Dialect;
use crate::types::cell::Moment;
use crate::types::column::ColumnKind;
use crate::types::text;
use crate::types::zone::{instant_of, parse_time};

impl Encoder {
    pub(super) fn date(&mut self, days: i32, kind: &ColumnKind) -> Fitted<'static> {
        self.scratch.clear();
        let moment = Moment {
            seconds: i64::from(days) * 86_400,
            nanos: 0,
        };
        if matches!(kind, ColumnKind::Timestamp { .. }) {
            self.push_moment(moment);
        } else {
            self.push_date(moment);
        }
        Fitted::Scratch
    }

    pub(super) fn instant(&mut self, moment: Moment, kind: &ColumnKind) -> Fitted<'static> {
        self.scratch.clear();
        match kind {
            ColumnKind::Timestamp { zone: true } => {
                self.push_moment(moment);
                if self.dialect == Dialect::Postgres {
                    self.push_zone();
                }
            }
            ColumnKind::Timestamp { zone: false }
            | ColumnKind::Any
            | ColumnKind::Decimal { .. } => {
                let local = self.zone.local(moment);
                self.push_moment(local);
            }
            ColumnKind::Date => {
                let local = self.zone.local(moment);
                self.push_date(local);
            }
            ColumnKind::Time { .. } => text::push_clock(self.zone.local(moment), &mut self.scratch),
            ColumnKind::Int { .. } => {
                return Fitted::Int(
                    moment.seconds.saturating_mul(1_000) + i64::from(moment.nanos / 1_000_000),
                );
            }
            _ => {
                let quote = matches!(kind, ColumnKind::Json);
                if quote {
                    self.scratch.push('"');
                }
                text::push_moment(moment, 'T', &mut self.scratch);
                self.scratch.push_str(if quote { "Z\"" } else { "Z" });
            }
        }
        Fitted::Scratch
    }

    pub(super) fn local(&mut self, moment: Moment, kind: &ColumnKind) -> Fitted<'static> {
        self.scratch.clear();
        match kind {
            ColumnKind::Timestamp { zone: true } => {
                let instant = self.zone.instant(moment);
                return self.instant(instant, kind);
            }
            ColumnKind::Timestamp { zone: false } => self.push_moment(moment),
            ColumnKind::Date => self.push_date(moment),
            ColumnKind::Time { .. } => text::push_clock(moment, &mut self.scratch),
            _ => text::push_moment(moment, 'T', &mut self.scratch),
        }
        Fitted::Scratch
    }

    /// A time in text: what the database would misread (an offset on a column without zone) or refuse is converted.
    pub(super) fn time_text<'a>(&mut self, text: &'a str, zone: bool) -> Fitted<'a> {
        let Some((moment, offset)) = parse_time(text) else {
            // `infinity`, `now`, a date alone: the server judges.
            return Fitted::Text(text);
        };
        let moment = match (offset, zone) {
            (Some(offset), true) => instant_of(moment, offset),
            (Some(offset), false) => self.zone.local(instant_of(moment, offset)),
            (None, true) => self.zone.instant(moment),
            (None, false) => moment,
        };
        self.scratch.clear();
        self.push_moment(moment);
        if zone && self.dialect == Dialect::Postgres {
            self.push_zone();
        }
        Fitted::Scratch
    }

    pub(super) fn duration(&mut self, micros: i64, kind: &ColumnKind) -> Fitted<'static> {
        match kind {
            ColumnKind::Interval => {
                self.scratch.clear();
                text::push_int(micros, &mut self.scratch);
                self.scratch.push_str(" microseconds");
                Fitted::Scratch
            }
            ColumnKind::Time { .. } => {
                self.scratch.clear();
                text::push_time(micros.saturating_mul(1_000), &mut self.scratch);
                Fitted::Scratch
            }
            _ => Fitted::Int(micros),
        }
    }

    fn push_moment(&mut self, moment: Moment) {
        let (year, ..) = text::civil(text::day_of(moment));
        if self.dialect == Dialect::Postgres && year < 1 {
            self.push_before_christ(moment, true);
        } else {
            text::push_moment(moment, ' ', &mut self.scratch);
        }
    }

    fn push_date(&mut self, moment: Moment) {
        let (year, ..) = text::civil(text::day_of(moment));
        if self.dialect == Dialect::Postgres && year < 1 {
            self.push_before_christ(moment, false);
        } else {
            text::push_date(text::day_of(moment), &mut self.scratch);
        }
    }

    /// PostgreSQL counts years before 1 as BC, from 1 on.
    fn push_before_christ(&mut self, moment: Moment, clock: bool) {
        let (year, month, day) = text::civil(text::day_of(moment));
        self.scratch
            .push_str(&format!("{:04}-{month:02}-{day:02}", 1 - year));
        if clock {
            self.scratch.push(' ');
            text::push_clock(moment, &mut self.scratch);
        }
        self.scratch.push_str(" BC");
    }

    /// The zone stands before ` BC`.
    fn push_zone(&mut self) {
        match self.scratch.strip_suffix(" BC").map(str::len) {
            Some(len) => {
                self.scratch.truncate(len);
                self.scratch.push_str("+00 BC");
            }
            None => self.scratch.push_str("+00"),
        }
    }
}
