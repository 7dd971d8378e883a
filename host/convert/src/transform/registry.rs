//! Every transform by its names, with its options and its maker.
//!
//! A class answers to Connect's full name (`org.apache.kafka.connect.transforms.Cast$Value`), to the simple name
//! (`Cast$Value`), and, where it works on the key or the value, to the bare name with the option `of: key` or
//! `of: value`.

use std::collections::BTreeMap;

use super::side::Side;
use super::{
    Touches, Transform, cast, drop_headers, event_router, extract_field, extract_new_record_state,
    filter, flatten, header_from, hoist_field, insert_field, insert_header, mask, mask_field,
    regex_router, replace_field, set_schema_metadata, timestamp_converter, timestamp_router,
    value_to_key,
};
use crate::options::{ConfigProblem, OptionDef, OptionType, Rule, Settings};

const CONNECT: &str = "org.apache.kafka.connect.transforms.";

/// The option that says which half of the record a class works on, where its name does not.
pub(super) const OF: OptionDef = OptionDef {
    name: "of",
    kind: OptionType::String,
    default: None,
    required: true,
    rule: Rule::OneOf(&["key", "value"]),
    docs: "Which half of the record: key or value.",
};

type Made = Result<Box<dyn Transform>, Vec<ConfigProblem>>;

/// A transform that can be used as a step.
#[derive(Clone, Copy)]
pub struct TransformClass {
    /// The simple name.
    pub name: &'static str,
    /// The Java package with its dot, empty for our own.
    pub package: &'static str,
    /// Whether it works on the key or the value.
    pub sided: bool,
    /// The options, without `of`.
    pub options: &'static [OptionDef],
    /// What it does, for people.
    pub docs: &'static str,
    make: fn(&Settings, Side, i64) -> Made,
}

impl std::fmt::Debug for TransformClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransformClass")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A class as a configuration names it.
#[derive(Debug, Clone, Copy)]
pub struct TransformName {
    /// The class.
    pub class: &'static TransformClass,
    /// The half that the name itself says, by `$Key` or `$Value`.
    pub side: Option<Side>,
}

macro_rules! made {
    ($made:expr) => {{
        let made = $made;
        Ok(Box::new(made))
    }};
}

macro_rules! tried {
    ($made:expr) => {
        match $made {
            Ok(made) => Ok(Box::new(made)),
            Err(problems) => Err(problems),
        }
    };
}

const fn sided(
    name: &'static str,
    options: &'static [OptionDef],
    docs: &'static str,
    make: fn(&Settings, Side, i64) -> Made,
) -> TransformClass {
    TransformClass {
        name,
        package: CONNECT,
        sided: true,
        options,
        docs,
        make,
    }
}

const fn whole(
    name: &'static str,
    options: &'static [OptionDef],
    docs: &'static str,
    make: fn(&Settings, Side, i64) -> Made,
) -> TransformClass {
    TransformClass {
        sided: false,
        ..sided(name, options, docs, make)
    }
}

static CLASSES: &[TransformClass] = &[
    sided(
        "Cast",
        cast::OPTIONS,
        "Casts fields, or the whole key or value, to another primitive type.",
        |s, side, _| tried!(cast::Cast::configure(s, side)),
    ),
    whole(
        "DropHeaders",
        drop_headers::OPTIONS,
        "Takes headers out by name.",
        |s, _, _| made!(drop_headers::DropHeaders::configure(s)),
    ),
    sided(
        "ExtractField",
        extract_field::OPTIONS,
        "Puts one field in the place of the whole key or value.",
        |s, side, _| tried!(extract_field::ExtractField::configure(s, side)),
    ),
    whole(
        "Filter",
        filter::OPTIONS,
        "Drops every record; a predicate says which.",
        |_, _, _| made!(filter::Filter),
    ),
    sided(
        "Flatten",
        flatten::OPTIONS,
        "Joins nested fields into the outermost struct or map.",
        |s, side, _| made!(flatten::Flatten::configure(s, side)),
    ),
    sided(
        "HeaderFrom",
        header_from::OPTIONS,
        "Moves or copies fields into headers.",
        |s, side, _| tried!(header_from::HeaderFrom::configure(s, side)),
    ),
    sided(
        "HoistField",
        hoist_field::OPTIONS,
        "Wraps the whole key or value into a field.",
        |s, side, _| made!(hoist_field::HoistField::configure(s, side)),
    ),
    sided(
        "InsertField",
        insert_field::OPTIONS,
        "Adds fields with topic, partition, offset, time or fixed text.",
        |s, side, _| tried!(insert_field::InsertField::configure(s, side)),
    ),
    whole(
        "InsertHeader",
        insert_header::OPTIONS,
        "Adds a header with a fixed value.",
        |s, _, _| tried!(insert_header::InsertHeader::configure(s)),
    ),
    sided(
        "MaskField",
        mask_field::OPTIONS,
        "Makes fields empty, zero or a fixed text.",
        |s, side, _| made!(mask_field::MaskField::configure(s, side)),
    ),
    whole(
        "RegexRouter",
        regex_router::OPTIONS,
        "Routes to another topic where the name matches a pattern.",
        |s, _, _| tried!(regex_router::RegexRouter::configure(s)),
    ),
    sided(
        "ReplaceField",
        replace_field::OPTIONS,
        "Takes fields out or renames them.",
        |s, side, _| tried!(replace_field::ReplaceField::configure(s, side)),
    ),
    sided(
        "SetSchemaMetadata",
        set_schema_metadata::OPTIONS,
        "Sets name and version of a struct's schema.",
        |s, side, _| tried!(set_schema_metadata::SetSchemaMetadata::configure(s, side)),
    ),
    sided(
        "TimestampConverter",
        timestamp_converter::OPTIONS,
        "Converts between text, unix time and date types.",
        |s, side, now| {
            tried!(timestamp_converter::TimestampConverter::configure(
                s, side, now
            ))
        },
    ),
    whole(
        "TimestampRouter",
        timestamp_router::OPTIONS,
        "Routes to a topic with the record's date in its name.",
        |s, _, _| made!(timestamp_router::TimestampRouter::configure(s)),
    ),
    whole(
        "ValueToKey",
        value_to_key::OPTIONS,
        "Makes the key of fields of the value.",
        |s, _, _| made!(value_to_key::ValueToKey::configure(s)),
    ),
    TransformClass {
        package: "io.debezium.transforms.",
        ..whole(
            "ExtractNewRecordState",
            extract_new_record_state::OPTIONS,
            "Unwraps Debezium's change events: the row as it is after the change.",
            |s, _, _| {
                tried!(extract_new_record_state::ExtractNewRecordState::configure(
                    s
                ))
            },
        )
    },
    TransformClass {
        package: "io.debezium.transforms.outbox.",
        ..whole(
            "EventRouter",
            event_router::OPTIONS,
            "Routes the rows of a transactional outbox.",
            |s, _, _| tried!(event_router::EventRouter::configure(s)),
        )
    },
    TransformClass {
        package: "",
        ..sided(
            "Mask",
            mask::OPTIONS,
            "Hashes or partly covers personal data, also in nested fields.",
            |s, side, _| tried!(mask::Mask::configure(s, side)),
        )
    },
];

/// Returns every built-in class.
#[must_use]
pub fn transform_classes() -> &'static [TransformClass] {
    CLASSES
}

/// Finds a class by any of its names.
#[must_use]
pub fn find_transform(name: &str) -> Option<TransformName> {
    let (bare, side) = match name.split_once('$') {
        Some((bare, "Key")) => (bare, Some(Side::Key)),
        Some((bare, "Value")) => (bare, Some(Side::Value)),
        Some(_) => return None,
        None => (name, None),
    };
    let class = CLASSES.iter().find(|class| {
        let full = bare.strip_prefix(class.package);
        (bare == class.name || full == Some(class.name)) && (class.sided || side.is_none())
    })?;
    Some(TransformName { class, side })
}

impl TransformName {
    /// Returns the options that this name takes; `of` among them where the name does not say the half.
    #[must_use]
    pub fn options(&self) -> Vec<OptionDef> {
        let mut options = self.class.options.to_vec();
        if self.class.sided && self.side.is_none() {
            options.insert(0, OF);
        }
        options
    }

    /// Makes the transform. `now_ms` decides the century of two-digit years.
    ///
    /// # Errors
    /// Names every option that is wrong.
    pub fn build(
        &self,
        config: &BTreeMap<String, String>,
        now_ms: i64,
    ) -> Result<(Box<dyn Transform>, Touches), Vec<ConfigProblem>> {
        let settings = Settings::parse(&self.options(), config)?;
        let side = self.side.unwrap_or(match settings.text("of") {
            Some("key") => Side::Key,
            _ => Side::Value,
        });
        let transform = (self.class.make)(&settings, side, now_ms)?;
        let touches = if self.class.sided {
            Touches::only(side)
        } else {
            transform.touches()
        };
        Ok((transform, touches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_answer_to_all_their_names() {
        let check = |name: &str, expected: Option<(&str, Option<Side>)>| {
            let found = find_transform(name).map(|found| (found.class.name, found.side));
            assert_eq!(found, expected, "{name}");
        };
        check("Cast$Value", Some(("Cast", Some(Side::Value))));
        check(
            "org.apache.kafka.connect.transforms.Cast$Key",
            Some(("Cast", Some(Side::Key))),
        );
        check("Cast", Some(("Cast", None)));
        check(
            "org.apache.kafka.connect.transforms.RegexRouter",
            Some(("RegexRouter", None)),
        );
        check(
            "io.debezium.transforms.outbox.EventRouter",
            Some(("EventRouter", None)),
        );
        check(
            "io.debezium.transforms.ExtractNewRecordState",
            Some(("ExtractNewRecordState", None)),
        );
        check("Mask$Value", Some(("Mask", Some(Side::Value))));
        check("RegexRouter$Value", None);
        check("Cast$Other", None);
        check("com.example.Cast", None);
    }

    #[test]
    fn a_sided_class_asks_which_half() {
        let config = BTreeMap::from([("field".to_owned(), "a".to_owned())]);
        let bare = find_transform("HoistField").unwrap();
        let problems = bare.build(&config, 0).unwrap_err();
        assert_eq!(problems, [ConfigProblem::new("of", "is required")]);
        let mut config = config;
        config.insert("of".to_owned(), "key".to_owned());
        let (_, touches) = bare.build(&config, 0).unwrap();
        assert_eq!(touches, Touches::only(Side::Key));
    }

    #[test]
    fn every_option_is_documented_once() {
        for class in CLASSES {
            let mut names: Vec<&str> = class.options.iter().map(|option| option.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), class.options.len(), "{}", class.name);
            assert!(class.options.iter().all(|option| option.docs.len() > 5));
        }
    }
}
