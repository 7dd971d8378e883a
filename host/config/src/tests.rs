//! One `check(yaml, expected rendering)` and tables of configurations below it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{
    Class, ClassKind, Diagnostics, OptionDef, OptionType, Plan, Request, RestartPolicy, load,
};

mod access;
mod bad_input;
mod connect_files;
mod fuzz;
mod jobs;
mod layers;
mod lints;
mod params;
mod providers;
mod yaml;

/// 2026-11-24T18:00:00Z, which is the 25th in Seoul.
const NOW_MS: i64 = 1_795_543_200_000;

fn option(name: &str, kind: OptionType) -> OptionDef {
    OptionDef::new(name, kind, None, "")
}

fn catalog() -> Vec<Class> {
    use OptionType::{
        Boolean, Bytes, Double, Duration, Int, List, Map, Password, Path, String, Topic,
    };
    let required = |def: OptionDef| OptionDef {
        required: true,
        ..def
    };
    let source = vec![
        OptionDef {
            aliases: vec!["file".to_owned()],
            docs: "What is read.".to_owned(),
            ..required(option("path", Path))
        },
        required(option("topic", Topic)),
        option("format", String).one_of(&["lines", "csv"]),
        option("csv.null.values", List),
        option("csv.types", Map),
        option("csv.header", Boolean),
        option("poll.interval", Duration),
        option("idle.ms", Duration).range(1, 60_000),
        option("buffer.bytes", Bytes),
        option("max.line", Bytes),
        option("ratio", Double).range(0, 1),
        option("lines.max", Int).range(0, 1000),
        OptionDef {
            secret: true,
            ..option("api.key", String)
        },
        option("login.password", Password),
        option("header.*", String),
    ];
    let sink = vec![
        required(option("path", Path)),
        option("format", String).one_of(&["lines", "jsonl", "csv"]),
    ];
    let class = |name: &str, kind, alias: &str, options| Class {
        name: name.to_owned(),
        kind,
        aliases: vec![alias.to_owned()],
        options,
        features: Vec::new(),
    };
    vec![
        class(
            "file-source",
            ClassKind::Source,
            "SpoolDirCsvSourceConnector",
            source,
        ),
        class("file-sink", ClassKind::Sink, "FileSinkConnector", sink),
        class("blackhole-sink", ClassKind::Sink, "Blackhole", Vec::new()),
        class("mask", ClassKind::Transform, "MaskField", Vec::new()),
    ]
}

/// Classes, and patterns that match what they are the beginning of.
struct Prefixes(Vec<Class>);

impl crate::Catalog for Prefixes {
    fn class(&self, name: &str) -> Option<&Class> {
        self.0.class(name)
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }

    fn topic_pattern(&self, pattern: &str) -> Result<crate::NameTest, String> {
        let pattern = pattern.to_owned();
        Ok(Box::new(move |name| name.starts_with(&pattern)))
    }
}

/// A folder of files, and the request that names some of them.
struct Case {
    folder: tempfile::TempDir,
    request: Request,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let request = Request {
            cwd: folder.path().to_owned(),
            now_ms: NOW_MS,
            run: true,
            ..Request::default()
        };
        Self { folder, request }
    }

    fn one(text: &str) -> Self {
        Self::new(&[("a.yaml", text)]).paths(&["a.yaml"])
    }

    fn paths(mut self, paths: &[&str]) -> Self {
        self.request.paths = paths.iter().map(PathBuf::from).collect();
        self
    }

    fn set(mut self, set: &str) -> Self {
        self.request.sets.push(set.to_owned());
        self
    }

    fn param(mut self, name: &str, value: &str) -> Self {
        self.request
            .params
            .push((name.to_owned(), value.to_owned()));
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.request.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> (Option<Plan>, Diagnostics) {
        load(&self.request, &Prefixes(catalog()))
    }

    /// Returns the plan of a good configuration.
    fn plan(&self) -> Plan {
        let (plan, diagnostics) = self.load();
        plan.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
    }

    /// Returns `LS0103 a.yaml:4:5 message` of each diagnostic.
    fn lines(&self) -> Vec<String> {
        let (_, diagnostics) = self.load();
        diagnostics
            .iter()
            .map(|item| {
                let place = item
                    .location
                    .as_ref()
                    .map_or("-".to_owned(), ToString::to_string);
                format!("{} {place} {}", item.code, item.message)
            })
            .collect()
    }
}

/// Compares what is said about one file with the expected rendering; the `more:` lines are left out.
fn check(text: &str, expected: &str) {
    let (_, diagnostics) = Case::one(text).load();
    let rendered: String = diagnostics
        .render(false)
        .lines()
        .filter(|line| !line.contains("= more: "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        rendered.trim(),
        expected.trim(),
        "\n--- of\n{text}\n--- said\n{rendered}"
    );
}

/// Returns the options of the only connector.
fn config(text: &str) -> BTreeMap<String, String> {
    Case::one(text).plan().connectors.remove(0).config
}

fn source(body: &str) -> String {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!("connectors:\n  in:\n    connector: file-source\n    path: /in\n    topic: t\n{body}")
}
