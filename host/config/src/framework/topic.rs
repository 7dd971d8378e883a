//! Options of a topic.

use linkspan_types::topic_settings::{Effect, Kind, TopicSetting};

use super::row::{Row, row};
use super::{FrameworkOption, PARTITIONS_MAX, REPLICATION_FACTOR};
use crate::option::{OptionDef, OptionType};
use crate::vocabulary::Built;

/// What a topic has beside its settings; those stand in [`topic_settings::TABLE`].
pub(super) static TOPIC_ROWS: &[Row] = &[
    row(
        "partitions",
        OptionType::Int,
        "The number of partitions; default `host.num.partitions`. It can only grow.",
    )
    .range(1, PARTITIONS_MAX),
    row(
        REPLICATION_FACTOR,
        OptionType::Int,
        "Copies; one machine holds one.",
    )
    .default("1")
    .range(1, 100)
    .only(&["1"]),
];

/// A setting of the log's table as an option of the configuration.
pub(super) fn topic_option(setting: &TopicSetting) -> FrameworkOption {
    let kind = match setting.kind {
        Kind::Duration => OptionType::Duration,
        Kind::Bytes => OptionType::Bytes,
        Kind::Number => OptionType::Long,
        Kind::Ratio => OptionType::Double,
        Kind::Boolean => OptionType::Boolean,
        Kind::Word | Kind::Replicas => OptionType::String,
        Kind::Words => OptionType::List,
    };
    let default = Some(setting.default).filter(|text| !text.is_empty());
    let docs = match setting.effect {
        Effect::Works => setting.docs.to_owned(),
        Effect::Nothing(why) => format!("{} Accepted without effect: {why}.", setting.docs),
    };
    let mut def = OptionDef::new(setting.name, kind, default, &docs);
    def.values = setting
        .values
        .iter()
        .map(|value| (*value).to_owned())
        .collect();
    (def.min, def.max) = (Some(setting.min), Some(setting.max));
    FrameworkOption {
        def,
        built: Built::Yes,
        kind: None,
    }
}
