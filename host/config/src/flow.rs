//! In which order the connectors of a bounded job have to run, and whether they run in a circle.
//!
//! ```text
//! source ── writes ──► topic ── read by ──► sink ── its dead letters ──► topic ── read by ──► sink
//!    ▲                                       │
//!    └── reads the file that it writes ◄─────┘      a later stage: it starts when the earlier one is through
//! ```
//!
//! Topics and paths are compared as they are configured. Not seen: topics that a transform makes up, and what two
//! connectors share inside of another system (a table, a bucket).

use std::collections::{BTreeMap, BTreeSet};

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::option::ClassKind;
use crate::plan::ConnectorPlan;

/// The stage of each connector, by name: 0 starts first.
pub type Stages = BTreeMap<String, u32>;

/// One way from a connector to another.
struct Edge<'a> {
    to: usize,
    /// What lies between them, as a person reads it.
    over: String,
    /// The second one may only begin when the first one has ended.
    after: bool,
    from: &'a ConnectorPlan,
}

/// Returns the stage of each connector.
///
/// # Errors
/// The connectors of a circle, named in its order: such a job would never end.
pub fn stages(connectors: &[ConnectorPlan]) -> Result<Stages, Box<Diagnostic>> {
    let edges: Vec<Vec<Edge<'_>>> = connectors
        .iter()
        .map(|from| edges_of(from, connectors))
        .collect();
    let mut stages = vec![0_u32; connectors.len()];
    let mut done = BTreeSet::new();
    for start in 0..connectors.len() {
        walk(start, &edges, &mut Vec::new(), &mut done)
            .map_err(|circle| refusal(connectors, &edges, &circle))?;
    }
    // Without a circle the longest way has fewer steps than there are connectors.
    for _ in 0..connectors.len() {
        for (from, out) in edges.iter().enumerate() {
            for edge in out {
                let least = stages.get(from).copied().unwrap_or(0) + u32::from(edge.after);
                if let Some(stage) = stages.get_mut(edge.to) {
                    *stage = (*stage).max(least);
                }
            }
        }
    }
    let names = connectors.iter().map(|connector| connector.name.clone());
    Ok(names.zip(stages).collect())
}

fn edges_of<'a>(from: &'a ConnectorPlan, connectors: &'a [ConnectorPlan]) -> Vec<Edge<'a>> {
    let mut edges = Vec::new();
    let writes: BTreeSet<&String> = match from.kind {
        ClassKind::Sink => from.letters.iter().collect(),
        ClassKind::Source | ClassKind::Transform => {
            from.topics.iter().chain(&from.letters).collect()
        }
    };
    for (to, other) in connectors.iter().enumerate() {
        if other.kind == ClassKind::Sink {
            let shared = other.reads().find(|topic| writes.contains(topic));
            edges.extend(shared.map(|topic| Edge {
                to,
                over: format!("topic `{topic}`"),
                after: false,
                from,
            }));
        } else if from.kind == ClassKind::Sink {
            let shared = from
                .paths
                .iter()
                .find(|path| other.paths.iter().any(|pattern| matches(pattern, path)));
            edges.extend(shared.map(|path| Edge {
                to,
                over: format!("file `{path}`"),
                after: true,
                from,
            }));
        }
    }
    edges
}

/// Whether a source's path, which may be a glob, names the file.
fn matches(pattern: &str, path: &str) -> bool {
    pattern == path
        || glob::Pattern::new(pattern).is_ok_and(|glob| {
            glob.matches_with(
                path,
                glob::MatchOptions {
                    require_literal_separator: true,
                    ..glob::MatchOptions::default()
                },
            )
        })
}

/// Walks depth first; an `Err` is a circle, its first connector first.
fn walk(
    at: usize,
    edges: &[Vec<Edge<'_>>],
    way: &mut Vec<usize>,
    done: &mut BTreeSet<usize>,
) -> Result<(), Vec<usize>> {
    if done.contains(&at) {
        return Ok(());
    }
    if let Some(begin) = way.iter().position(|earlier| *earlier == at) {
        return Err(way.iter().skip(begin).copied().collect());
    }
    way.push(at);
    for edge in edges.get(at).into_iter().flatten() {
        walk(edge.to, edges, way, done)?;
    }
    way.pop();
    done.insert(at);
    Ok(())
}

fn refusal(
    connectors: &[ConnectorPlan],
    edges: &[Vec<Edge<'_>>],
    circle: &[usize],
) -> Box<Diagnostic> {
    let name = |at: usize| {
        connectors
            .get(at)
            .map_or("", |connector| connector.name.as_str())
    };
    let mut text = String::new();
    for (place, at) in circle.iter().enumerate() {
        let next = circle.get((place + 1) % circle.len()).copied();
        let edge = edges
            .get(*at)
            .into_iter()
            .flatten()
            .find(|edge| Some(edge.to) == next);
        let over = edge.map_or("", |edge| edge.over.as_str());
        let from = edge.map_or(name(*at), |edge| edge.from.name.as_str());
        text.push_str(&format!("`{from}` → {over} → "));
    }
    text.push_str(&format!(
        "`{}`",
        name(circle.first().copied().unwrap_or_default())
    ));
    let first = circle.first().and_then(|at| connectors.get(*at));
    Box::new(Diagnostic {
        location: first.map(|connector| connector.source.clone()),
        ..Diagnostic::error(
            &codes::JOB_LOOP,
            format!("the connectors run in a circle, so that the job would never end: {text}"),
        )
        .with_help("take one of them out of the job, or let it write to another topic or file")
    })
}
