//! Options: one struct declares a class's options, and everything else follows from it.
//!
//! `#[derive(Options)]` reads the fields: name, type, default, range, documentation. The host makes validation, `--help`, REST's
//! answers, the JSON Schema of the YAML file and a README table of them.
//!
//! A configuration is flat: names to texts. Lists and maps are canonical JSON texts; a list may also be Connect's `a,b`.
//!
//! # Field attributes
//! | `#[option(…)]` | meaning |
//! |---|---|
//! | `name = "null.values"` | the option's name; without it the field's, with `_` as `.` |
//! | `default = "1s"` | what a missing option is, as text; without it, and unless the field is an `Option`, it is required |
//! | `alias = "…"` | another name it answers to; may stand more than once |
//! | `values("a", "b")` | the words it takes |
//! | `min = 1`, `max = "1h"` | its range |
//! | `secret` | never shown; the type [`Secret`] implies it |
//! | `group = "…"`, `importance = "high"` | for help: a heading, and `high`, `medium` (the default) or `low` |
//! | `kind = "password"` | another type word in the manifest |
//! | `nest = "csv"` | the field is a struct of options itself, whose names get `csv.` in front |
//!
//! `#[options(validate = "Self::check")]` on the struct names a `fn(&Self) -> Vec<ConfigProblem>` for what one option alone cannot
//! show; it runs when all options are fine by themselves. The struct's documentation is the class's.
//!
//! # Examples
//! ```
//! use linkspan_sdk::prelude::*;
//!
//! #[derive(Debug, Options)]
//! struct PollOptions {
//!     /// Where to ask.
//!     url: String,
//!     /// How often.
//!     #[option(default = "30s", min = "1s")]
//!     interval: Duration,
//!     /// Texts that mean null.
//!     #[option(default = "[]")]
//!     null_values: Vec<String>,
//!     token: Option<Secret>,
//! }
//!
//! let config = [("url", "http://x"), ("interval", "2m"), ("null.values", "NA,-")];
//! let config = config.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
//! let options = PollOptions::from_config(&config).unwrap();
//! assert_eq!(options.interval, Duration::from_secs(120));
//! assert_eq!(options.null_values, ["NA", "-"]);
//!
//! let problems = PollOptions::from_config(&[("interval".to_owned(), "5".to_owned())].into()).unwrap_err();
//! assert_eq!(problems.len(), 2); // both at once: `url` is missing, and 5 has no unit
//! ```

mod define;
mod reader;
mod types;
mod units;
mod value;

use std::{collections::BTreeMap, fmt};

pub use define::{Described, define, problems_with_prefix, with_prefix};
pub use linkspan_abi::manifest::OptionDef;
pub use reader::{Field, Reader, one_of};
pub use types::{ByteSize, PathList, Secret};
pub use value::OptionValue;

/// What a class's options are; made by `#[derive(Options)]`.
pub trait Options: Sized + 'static {
    /// The class's documentation: that of the struct.
    const DOCS: &'static str = "";

    /// Returns the declarations, in the order of the fields.
    #[must_use]
    fn definitions() -> Vec<OptionDef>;

    /// Reads all options and notes every problem; `None` where there was one.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// Returns what is wrong with options that are fine one by one.
    fn check(&self) -> Vec<ConfigProblem> {
        Vec::new()
    }

    /// Reads a flat configuration. Names that are no option are the host's business.
    ///
    /// # Errors
    /// Returns all problems at once.
    fn from_config(config: &BTreeMap<String, String>) -> Result<Self, Vec<ConfigProblem>> {
        let mut reader = Reader::new(config);
        let options = Self::read(&mut reader);
        let mut problems = reader.into_problems();
        match options {
            Some(options) if problems.is_empty() => {
                problems = options.check();
                if problems.is_empty() {
                    Ok(options)
                } else {
                    Err(problems)
                }
            }
            _ => Err(problems),
        }
    }
}

/// What is wrong with one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The option's full name.
    pub option: String,
    /// A lower-case fragment that says what is wrong and what would be right, without a secret's value.
    pub message: String,
}

impl ConfigProblem {
    /// Says what is wrong with an option.
    #[must_use]
    pub fn new(option: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            option: option.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.option, self.message)
    }
}

/// No options at all.
impl Options for () {
    fn definitions() -> Vec<OptionDef> {
        Vec::new()
    }

    fn read(_reader: &mut Reader<'_>) -> Option<Self> {
        Some(())
    }
}

#[cfg(test)]
mod tests;
