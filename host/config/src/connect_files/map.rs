//! A connector that comes as a flat map, from Kafka Connect's REST interface.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Pair, connector};
use crate::connector::{self as connectors, Surroundings};
use crate::diagnostic::{Diagnostic, Severity};
use crate::option::Catalog;
use crate::placeholder::Resolver;
use crate::plan::ConnectorPlan;
use crate::report::Report;
use crate::source::Span;
use crate::yaml::Kind;

/// Where such a connector is said to stand.
pub const MADE_BY_REST: &str = "REST";

/// One problem of a connector that is a map.
#[derive(Clone, Debug)]
pub struct MapProblem {
    /// The key it is about; `None`: the connector as a whole.
    pub key: Option<String>,
    /// What is wrong.
    pub diagnostic: Diagnostic,
}

/// Checks a connector. Unknown keys are warnings, as Kafka Connect accepts them. Relative paths resolve against `base`.
#[must_use]
pub fn connector_of_map(
    name: &str,
    config: &BTreeMap<String, String>,
    base: &Path,
    resolver: &Resolver,
    catalog: &dyn Catalog,
) -> (Option<ConnectorPlan>, Vec<MapProblem>) {
    let mut report = Report::default();
    // One line per key, so that a place is a key. Values stay out: nothing of this text is ever shown.
    let keys: Vec<&String> = config.keys().collect();
    let text: String = keys.iter().map(|_| "\n").collect();
    let id = report.sources.add(MADE_BY_REST.to_owned(), base, 0, text);
    report.sources.set_lenient(id);
    let whole = Span::at(id, keys.len() + 1, 1);
    let pairs: Vec<Pair> = config
        .iter()
        .zip(1..)
        .map(|((key, value), line)| Pair {
            key: key.clone(),
            key_span: Span::at(id, line, 1),
            value: value.clone(),
            value_span: Span::at(id, line, 1),
        })
        .collect();
    let node = connector(whole, name, whole, pairs);
    let entries = match node.kind {
        Kind::Map(sections) => sections
            .into_iter()
            .next()
            .map(|section| match section.value.kind {
                Kind::Map(entries) => entries,
                Kind::Null | Kind::Scalar(_) | Kind::List(_) => Vec::new(),
            })
            .unwrap_or_default(),
        Kind::Null | Kind::Scalar(_) | Kind::List(_) => Vec::new(),
    };
    let around = Surroundings {
        catalog,
        defaults: &[],
        host: &[],
        resolver,
        unset_env: Severity::Error,
    };
    let plan = connectors::read(&mut report, &entries, &around)
        .into_iter()
        .next();
    let (_, diagnostics) = report.finish();
    let problems: Vec<MapProblem> = diagnostics
        .iter()
        .map(|diagnostic| MapProblem {
            key: diagnostic
                .location
                .as_ref()
                .and_then(|location| keys.get(location.line.wrapping_sub(1)))
                .map(|key| (*key).clone()),
            diagnostic: diagnostic.clone(),
        })
        .collect();
    let sound = !diagnostics.has_errors();
    (plan.filter(|_| sound), problems)
}
