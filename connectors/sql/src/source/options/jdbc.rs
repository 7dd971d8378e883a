//! The same options with the defaults of the JDBC source connector.

use linkspan_sdk::options::{OptionDef, Reader};
use linkspan_sdk::prelude::*;

use super::SqlSourceOptions;

/// The same source under the names of the JDBC connector, with that connector's defaults: timestamps in milliseconds,
/// zoneless ones in UTC, no keys, views only where asked for.
#[derive(Debug, Clone)]
pub(crate) struct JdbcSourceOptions(pub(crate) SqlSourceOptions);

/// What the JDBC connector does where nothing is said.
const JDBC_DEFAULTS: [(&str, &str); 3] = [
    ("db.timezone", "UTC"),
    ("timestamp.granularity", "connect_logical"),
    ("key.columns", "none"),
];

impl Options for JdbcSourceOptions {
    const DOCS: &'static str = "`sql-source` under the name of the JDBC source connector, with that one's option names, offsets and defaults.";

    fn definitions() -> Vec<OptionDef> {
        let mut definitions = SqlSourceOptions::definitions();
        for definition in &mut definitions {
            if let Some((_, default)) = JDBC_DEFAULTS
                .iter()
                .find(|(name, _)| *name == definition.name)
            {
                definition.default = Some((*default).to_owned());
            }
        }
        definitions
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        SqlSourceOptions::read(reader).map(Self)
    }

    fn from_config(
        config: &std::collections::BTreeMap<String, String>,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut config = config.clone();
        for (name, default) in JDBC_DEFAULTS {
            config
                .entry(name.to_owned())
                .or_insert_with(|| default.to_owned());
        }
        SqlSourceOptions::from_config(&config).map(Self)
    }

    fn check(&self) -> Vec<ConfigProblem> {
        self.0.check()
    }
}
