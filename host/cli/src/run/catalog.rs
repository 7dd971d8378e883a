//! What the configuration may name: the classes of plugins, and the host's own converters.

use std::collections::BTreeMap;
use std::sync::Arc;

use linkspan_config::{
    Catalog, Class, ConverterProblem, NameTest, OptionType as Type, StepProblem,
};
use linkspan_convert::converter::CLASSES;
use linkspan_convert::options::OptionType;
use linkspan_convert::transform::{ClassUse, read_steps};
use linkspan_convert::{ConverterClass, Role};
use linkspan_plugin::{OptionDef, Registry};
use linkspan_runtime::InstalledClasses;

/// Everything that is installed.
#[derive(Debug)]
pub(crate) struct Installed(pub(crate) Vec<Class>, pub(crate) Arc<Registry>);

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
                message: ConverterClass::missing(class).to_owned(),
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

    fn step_problems(&self, config: &BTreeMap<String, String>) -> Vec<StepProblem> {
        let read = read_steps(config, &InstalledClasses::new(&self.1));
        let problems = read.problems.into_iter().map(|problem| StepProblem {
            key: problem.key,
            message: problem.message,
            known: Vec::new(),
        });
        let unknown = read.unknown.into_iter().map(|unknown| StepProblem {
            key: unknown.key,
            message: "is no option of a step".to_owned(),
            known: unknown.known,
        });
        problems.chain(unknown).collect()
    }

    fn topic_pattern(&self, pattern: &str) -> Result<NameTest, String> {
        Ok(Box::new(linkspan_convert::whole_match(pattern)?))
    }

    fn step_places(&self, config: &BTreeMap<String, String>) -> Vec<(String, Type)> {
        let own = self.options_of_steps(config).into_iter();
        let places = own.filter_map(|(key, option)| match option.kind.as_str() {
            "path" => Some((key, Type::Path)),
            "url" => Some((key, Type::Url)),
            _ => None,
        });
        places.collect()
    }

    fn step_topics(&self, config: &BTreeMap<String, String>, topic: &str) -> Option<Vec<String>> {
        let steps = read_steps(config, &InstalledClasses::new(&self.1));
        let topics = steps.topics_after(topic)?;
        Some(topics.iter().map(|topic| topic.to_string()).collect())
    }

    fn step_secrets(&self, config: &BTreeMap<String, String>) -> Vec<String> {
        let own = self.options_of_steps(config).into_iter();
        let mut secrets: Vec<String> = own
            .filter(|(_, option)| option.secret || option.kind == "password")
            .map(|(key, _)| key)
            .collect();
        for step in &read_steps(config, &InstalledClasses::new(&self.1)).steps {
            let options = step.builtin.iter().flat_map(|builtin| builtin.options());
            for option in options.filter(|option| option.kind == OptionType::Password) {
                secrets.push(format!("transforms.{}.{}", step.name, option.name));
            }
        }
        secrets
    }
}

impl Installed {
    /// The options of the steps and predicates that are plugins', each under every key that it may have.
    fn options_of_steps(&self, config: &BTreeMap<String, String>) -> Vec<(String, OptionDef)> {
        let installed = InstalledClasses::new(&self.1);
        let mut own = Vec::new();
        let uses = [
            (ClassUse::Transform, "transforms."),
            (ClassUse::Predicate, "predicates."),
        ];
        for (class_use, list) in uses {
            for (key, class) in config {
                let named = key
                    .strip_prefix(list)
                    .is_some_and(|rest| rest.ends_with(".type"));
                let Some(prefix) = key.strip_suffix("type").filter(|_| named) else {
                    continue;
                };
                let class = installed.find(class_use, class.trim());
                for option in class.iter().flat_map(|class| class.options()) {
                    let names = std::iter::once(&option.name).chain(&option.aliases);
                    own.extend(names.map(|name| (format!("{prefix}{name}"), option.clone())));
                }
            }
        }
        own
    }
}
