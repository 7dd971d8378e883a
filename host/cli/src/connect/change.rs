//! Making and changing connectors over the network.

use std::collections::BTreeMap;
use std::sync::Arc;

use linkspan_config::{
    ClassKind, ConnectorPlan, MADE_BY_REST, MapProblem, Severity, connector_of_map,
};
use linkspan_plugin::{Class, ConfigProblem};
use linkspan_rest::Refusal;
use linkspan_rest::connect::{ConnectorInfo, Created, InitialState};
use linkspan_runtime::{ConnectorSpec, KindOfConnector, StartError, Target};

use super::infos::{Given, Infos, infos};
use super::{Config, Hub, unknown};
use crate::exit::Failure;
use crate::run::plan;
use crate::validate::connect as outside;

impl Hub {
    pub(super) fn change(
        &self,
        name: &str,
        config: Config,
        initial: InitialState,
        only_new: bool,
    ) -> Result<Created, Refusal> {
        let _order = self.order();
        self.change_in_order(name, config, initial, only_new)
    }

    /// As [`Hub::change`], by who holds the order of changes.
    fn change_in_order(
        &self,
        name: &str,
        config: Config,
        initial: InitialState,
        only_new: bool,
    ) -> Result<Created, Refusal> {
        self.refuse_owned(name)?;
        let spec = self.checked(name, &config)?;
        let new = self.control()?.status(name).is_err();
        if !new && only_new {
            return Err(Refusal::new(
                409,
                "LS0624",
                format!("Connector {name} already exists"),
            ));
        }
        let target = Target::from_initial_state(initial.word()).unwrap_or_default();
        self.control()?
            .configure(spec, &config, target)
            .map_err(start_refusal)?;
        self.made().insert(name.to_owned(), config);
        Ok(Created {
            new,
            info: self.show_info(name)?,
        })
    }

    pub(super) fn change_some(
        &self,
        name: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<ConnectorInfo, Refusal> {
        // Two that change some options each: the second one starts from what the first one made.
        let _order = self.order();
        let Some(mut config) = self.config(name) else {
            return Err(unknown(name));
        };
        for (key, value) in changes {
            match value {
                Some(value) => config.insert(key, value),
                None => config.remove(&key),
            };
        }
        if !config.contains_key("name") {
            return Err(invalid(
                1,
                "Missing required configuration \"name\" which has no default value.",
            ));
        }
        Ok(self
            .change_in_order(name, config, InitialState::Running, false)?
            .info)
    }

    /// A connector of a file is changed in its file.
    fn refuse_owned(&self, name: &str) -> Result<(), Refusal> {
        let Some(origin) = self.control()?.file_of(name) else {
            return Ok(());
        };
        Err(Refusal::new(
            409,
            "LS0611",
            format!("connector {name} stands in {origin}, which owns its configuration"),
        )
        .help("Change it there: the running host takes the change over"))
    }

    /// Everything that is wrong, in Kafka Connect's words, or what the runtime is told.
    fn checked(&self, name: &str, config: &Config) -> Result<ConnectorSpec, Refusal> {
        let given: Given = config
            .iter()
            .map(|(key, value)| (key.clone(), Some(value.clone())))
            .collect();
        let class = config.get("connector.class").map(String::as_str);
        let Some(class) = class.filter(|class| !class.is_empty()) else {
            return Err(Refusal::new(
                400,
                "LS0619",
                format!(
                    "Connector config {{{}}} contains no connector type",
                    keys(config)
                ),
            )
            .help("Set `connector.class`"));
        };
        let infos = self.check_as(class, &given).map_err(|refusal| Refusal {
            error_code: 400,
            ..refusal
        })?;
        if infos.error_count > 0 {
            return Err(invalid(infos.error_count, &infos.problems().join("\n")));
        }
        self.spec(name, config).map_err(|why| invalid(1, &why))
    }

    /// Checks a configuration as one of `plugin`, with the class's own code too.
    pub(super) fn check_as(&self, plugin: &str, given: &Given) -> Result<Infos, Refusal> {
        let written = given
            .get("connector.class")
            .and_then(Option::as_deref)
            .ok_or_else(|| {
                Refusal::new(400, "LS0619", "the configuration has no `connector.class`")
            })?;
        let found = self.class(written);
        // A step is no connector.
        let found = found.filter(|(class, _)| class.kind != ClassKind::Transform);
        let names_it = plugin == written
            || (!plugin.contains('.')
                && found.as_ref().is_some_and(|(class, _)| {
                    class.name == plugin || class.aliases.iter().any(|alias| alias == plugin)
                }));
        if !names_it {
            return Err(Refusal::new(
                400,
                "LS0619",
                format!("Included connector type {written} does not match request type {plugin}"),
            ));
        }
        let Some((class, version)) = found else {
            return Err(self.no_class(written));
        };
        let mut infos = infos(given, class, &version, &self.classes);
        // What needs more than one option at a time: the host's own checks, then the class's.
        let config: Config = given
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
            .collect();
        let name = config.get("name").cloned().unwrap_or_default();
        if name.is_empty() || infos.error_count > 0 {
            return Ok(infos);
        }
        let (_, problems) = self.plan_of(&name, &config);
        for problem in problems {
            // Steps and topic creation were judged by Kafka Connect's rules above; what only this host refuses of them is said when it is made.
            // Steps of plugins have no rules but their own.
            let step = problem.key.as_deref().is_some_and(|key| {
                ["transforms.", "predicates.", "topic.creation."]
                    .iter()
                    .any(|prefix| key.starts_with(prefix))
                    && !self.is_of_plugin(key, &config)
            });
            if problem.diagnostic.severity == Severity::Error && !step {
                infos.add(problem.key.as_deref(), sentence(&problem.diagnostic));
            }
        }
        if infos.error_count > 0 {
            return Ok(infos);
        }
        for (option, message) in self.refused_by_class(&name, &config) {
            infos.add(
                Some(option.as_str()).filter(|option| !option.is_empty()),
                message,
            );
        }
        Ok(infos)
    }

    /// Adds what the class finds outside: servers, credentials, paths.
    pub(super) fn try_outside(&self, given: &Given, infos: &mut Infos) {
        let config: Config = given
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
            .collect();
        let name = config.get("name").cloned().unwrap_or_default();
        let look = |class: Class, config: BTreeMap<String, String>| {
            Ok(outside::answer(class, config).problems)
        };
        for (option, message) in self.asked(&name, &config, look) {
            infos.add(
                Some(option.as_str()).filter(|option| !option.is_empty()),
                message,
            );
        }
    }

    /// Whether an option is one of a step whose class is a plugin's.
    fn is_of_plugin(&self, key: &str, config: &Config) -> bool {
        let mut parts = key.splitn(3, '.');
        let (Some(list), Some(alias)) = (parts.next(), parts.next()) else {
            return false;
        };
        let class = config.get(&format!("{list}.{alias}.type"));
        let class = class.and_then(|class| self.class(class.trim()));
        class.is_some_and(|(class, _)| class.kind == ClassKind::Transform)
    }

    /// What the configuration comes to, with the host's converters where it names none.
    pub(super) fn plan_of(
        &self,
        name: &str,
        config: &Config,
    ) -> (Option<ConnectorPlan>, Vec<MapProblem>) {
        let mut config = config.clone();
        self.settings.lend_converters(&mut config);
        connector_of_map(name, &config, &self.base, &self.resolver, &self.classes)
    }

    fn refused_by_class(&self, name: &str, config: &Config) -> Vec<(String, String)> {
        self.asked(name, config, |class, config| class.validate(&config))
    }

    /// Asks the class of a right configuration, placeholders resolved; returns options and messages, secrets concealed.
    fn asked(
        &self,
        name: &str,
        config: &Config,
        ask: impl FnOnce(
            Class,
            BTreeMap<String, String>,
        ) -> Result<Vec<ConfigProblem>, linkspan_plugin::PluginError>,
    ) -> Vec<(String, String)> {
        let (plan, _) = self.plan_of(name, config);
        let Some(plan) = plan else { return Vec::new() };
        let concealed = plan.concealed(&self.resolver);
        let hide = |message: &str| linkspan_runtime::conceal(message, &concealed);
        let Some(class) = self.registry.class(&plan.class) else {
            return Vec::new();
        };
        let resolved = match plan.resolved(&self.resolver) {
            Ok(resolved) => resolved.0,
            Err(error) => return vec![(String::new(), error.message)],
        };
        match ask(class, resolved) {
            Ok(problems) => problems
                .into_iter()
                .map(|problem| (problem.option, hide(&problem.message)))
                .collect(),
            Err(error) => vec![(String::new(), hide(&error.message))],
        }
    }

    /// What the runtime is told of a connector.
    pub(super) fn spec(&self, name: &str, config: &Config) -> Result<ConnectorSpec, String> {
        // Its `name` may have become another one by PATCH; the connector stays what it is.
        let mut own = config.clone();
        own.insert("name".to_owned(), name.to_owned());
        let (plan, problems) = self.plan_of(name, &own);
        let Some(plan) = plan else {
            let messages: Vec<String> = problems
                .iter()
                .filter(|problem| problem.diagnostic.severity == Severity::Error)
                .map(|problem| sentence(&problem.diagnostic))
                .collect();
            return Err(messages.join("\n"));
        };
        plan::spec(&plan, &self.resolver).map_err(|failure: Failure| failure.message)
    }

    /// One that cannot run: it fails with its reason when it starts.
    pub(super) fn broken(&self, name: &str, config: &Config, why: String) -> ConnectorSpec {
        let written = config.get("connector.class").cloned().unwrap_or_default();
        let kind = match self.class(&written) {
            Some((class, _)) if class.kind == linkspan_config::ClassKind::Sink => {
                KindOfConnector::Sink
            }
            _ => KindOfConnector::Source,
        };
        ConnectorSpec::broken(name, &written, kind, MADE_BY_REST, Arc::from(why))
    }
}

fn keys(config: &Config) -> String {
    config.keys().cloned().collect::<Vec<_>>().join(", ")
}

fn sentence(diagnostic: &linkspan_config::Diagnostic) -> String {
    match &diagnostic.help {
        Some(help) => format!("{}: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    }
}

/// Kafka Connect's frame around what is wrong.
fn invalid(count: usize, problems: &str) -> Refusal {
    Refusal::new(
        400,
        "LS0619",
        format!(
            "Connector configuration is invalid and contains the following {count} error(s):\n{problems}\nYou can also find the above list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`"
        ),
    )
}

fn start_refusal(error: StartError) -> Refusal {
    match error {
        StartError::Invalid(problems) => {
            let messages: Vec<&str> = problems
                .iter()
                .map(|problem| problem.message.as_str())
                .collect();
            invalid(messages.len(), &messages.join("\n"))
        }
        StartError::Log(error) => error.into(),
        other => Refusal::new(500, "LS0704", linkspan_types::error_chain(&other)),
    }
}
