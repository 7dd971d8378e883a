//! What the configuration may name: the classes of plugins, and the host's own converters.

use std::collections::BTreeMap;

use linkspan_config::{Catalog, Class, ConverterProblem};
use linkspan_convert::converter::CLASSES;
use linkspan_convert::{ConverterClass, Role};

/// Everything that is installed.
#[derive(Debug)]
pub(super) struct Installed(pub(super) Vec<Class>);

impl Catalog for Installed {
    fn class(&self, name: &str) -> Option<&Class> {
        self.0.class(name)
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }

    fn converter_problems(
        &self,
        role: &str,
        class: &str,
        options: &BTreeMap<String, String>,
    ) -> Vec<ConverterProblem> {
        let role = match role {
            "key.converter" => Role::Key,
            "value.converter" => Role::Value,
            _ => Role::Header,
        };
        let found = ConverterClass::find(class.trim()).filter(|class| class.serves(role));
        let Some(found) = found else {
            let classes = CLASSES.iter().filter(|class| class.serves(role));
            return vec![ConverterProblem {
                option: String::new(),
                message: "names no converter for this use".to_owned(),
                known: classes.map(|class| class.name.to_owned()).collect(),
            }];
        };
        let known: Vec<String> = found
            .options
            .iter()
            .map(|def| def.name.to_owned())
            .collect();
        let mut problems: Vec<ConverterProblem> = found
            .unknown(options)
            .map(|option| ConverterProblem {
                option: option.to_owned(),
                message: format!("is no option of the converter `{}`", found.name),
                known: known.clone(),
            })
            .collect();
        if let Err(wrong) = found.configure(options) {
            problems.extend(wrong.into_iter().map(|wrong| ConverterProblem {
                option: wrong.option,
                message: wrong.message,
                known: Vec::new(),
            }));
        }
        problems
    }
}
