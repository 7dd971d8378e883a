//! `TimestampRouter`: a topic name with the record's date in it.

use std::sync::Arc;

use super::date_format::DateFormat;
use super::{Touches, Transform};
use crate::options::{OptionDef, Settings};
use crate::{Class, Error, Record};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string(
        "topic.format",
        "The new name; `${topic}` and `${timestamp}` stand for the old name and the formatted time.",
    )
    .default("${topic}-${timestamp}"),
    OptionDef::string("timestamp.format", "The date, as Java's SimpleDateFormat, in UTC.")
        .default("yyyyMMdd"),
];

#[derive(Debug)]
pub(super) struct TimestampRouter {
    topic_format: String,
    /// A pattern that is none shows at the first record, as in Connect.
    time_format: Result<DateFormat, String>,
}

impl TimestampRouter {
    pub(super) fn configure(settings: &Settings) -> Self {
        let pattern = settings.text_or_empty("timestamp.format");
        Self {
            topic_format: settings.text_or_empty("topic.format").to_owned(),
            time_format: DateFormat::new(pattern, 0).map_err(|error| error.to_string()),
        }
    }
}

impl Transform for TimestampRouter {
    fn touches(&self) -> Touches {
        Touches::NOTHING
    }

    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let timestamp = record
            .timestamp
            .ok_or_else(|| Error::data("the record has no timestamp to route by"))?;
        let format = self.time_format.as_ref().map_err(|message| {
            Error::new(
                Class::IllegalArgument,
                format!("option `timestamp.format`: {message}"),
            )
        })?;
        let topic = self.topic_format.replace("${topic}", &record.topic);
        let topic = topic.replace("${timestamp}", &format.format(timestamp));
        record.topic = Arc::from(topic);
        Ok(Some(record))
    }

    fn routed(&mut self, _topic: &Arc<str>) -> Option<Arc<str>> {
        None
    }
}
