//! The converters of one connector: `key.converter`, `value.converter`, `header.converter` and what stands below them.

use std::collections::BTreeMap;

use linkspan_convert::{Converter, ConverterClass, Role};

/// What turns keys, values and headers into bytes and back.
#[derive(Debug, Clone)]
pub(crate) struct Converters {
    pub(crate) key: Converter,
    pub(crate) value: Converter,
    pub(crate) header: Converter,
}

impl Default for Converters {
    fn default() -> Self {
        Self {
            key: Converter::Auto,
            value: Converter::Auto,
            header: Converter::Auto,
        }
    }
}

impl Converters {
    /// Reads the options of a connector.
    ///
    /// # Errors
    /// All that is wrong, each as the option with what is the matter.
    pub(crate) fn from_config(config: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut made = Self::default();
        let roles = [
            ("key.converter", Role::Key, &mut made.key),
            ("value.converter", Role::Value, &mut made.value),
            ("header.converter", Role::Header, &mut made.header),
        ];
        for (option, role, slot) in roles {
            let Some(name) = config.get(option) else {
                continue;
            };
            match configured(option, name.trim(), role, config) {
                Ok(converter) => *slot = converter,
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(made)
        } else {
            Err(problems)
        }
    }

    /// Whether the host does all the work, so that bytes can pass as they are.
    pub(crate) fn all_host(&self) -> bool {
        self.key.is_host() && self.value.is_host() && self.header.is_host()
    }
}

fn configured(
    option: &str,
    name: &str,
    role: Role,
    config: &BTreeMap<String, String>,
) -> Result<Converter, Vec<String>> {
    let class = ConverterClass::find(name).ok_or_else(|| {
        vec![format!(
            "option `{option}`: {}",
            ConverterClass::missing(name)
        )]
    })?;
    if !class.serves(role) {
        return Err(vec![format!(
            "option `{option}`: the converter `{}` is not for this",
            class.name
        )]);
    }
    let prefix = format!("{option}.");
    let below = config
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(&prefix)?.to_owned(), text.clone())));
    class.configure(&below.collect()).map_err(|problems| {
        let problems = problems.into_iter();
        problems
            .map(|problem| format!("option `{prefix}{}`: {}", problem.option, problem.message))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Converters, Vec<String>> {
        let pairs = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Converters::from_config(&pairs.collect())
    }

    #[test]
    fn each_role_has_its_own_class_and_options() {
        let made = read(&[
            (
                "key.converter",
                "org.apache.kafka.connect.storage.StringConverter",
            ),
            ("value.converter", "json"),
            ("value.converter.schemas.enable", "false"),
            ("header.converter", "simple"),
            ("path", "x"),
        ])
        .unwrap();
        assert!(matches!(made.key, Converter::String(_)));
        assert!(matches!(&made.value, Converter::Json(json) if json.is_bare()));
        assert!(matches!(made.header, Converter::Simple));
        assert!(!made.all_host());
        assert!(read(&[]).unwrap().all_host());
    }

    #[test]
    fn every_problem_names_its_option() {
        let problems = read(&[
            ("key.converter", "simple"),
            ("value.converter", "json"),
            ("value.converter.schemas.enable", "maybe"),
            ("header.converter", "nosuch"),
        ])
        .unwrap_err();
        assert_eq!(
            problems,
            [
                "option `key.converter`: the converter `simple` is not for this",
                "option `value.converter.schemas.enable`: is `true` or `false`",
                "option `header.converter`: names no converter for this use",
            ]
        );
    }
}
