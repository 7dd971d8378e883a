//! The text that Prometheus reads (exposition format 0.0.4): families with their help, types and samples.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// What a family's figures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
    /// Percentiles that were computed here.
    Summary,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// Figures of one meaning, told apart by labels.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The labels that its samples have, in order; `le` and `quantile` come on top.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Page {
    families: BTreeMap<&'static str, (&'static Family, String)>,
    /// Samples of what plugins tell, by name.
    told: BTreeMap<String, String>,
}

impl Page {
    fn samples(&mut self, family: &'static Family) -> &mut String {
        &mut self
            .families
            .entry(family.name)
            .or_insert_with(|| (family, String::new()))
            .1
    }

    /// Adds a sample; `values` are those of the family's labels.
    pub(super) fn add(&mut self, family: &'static Family, values: &[&str], value: impl Display) {
        let labels = labels(family, values, None);
        line(self.samples(family), family.name, "", &labels, value);
    }

    /// Adds a sample of what a plugin tells of the task `at`, connector and number.
    pub(super) fn tell(
        &mut self,
        name: &str,
        at: &[&str; 2],
        labels: &BTreeMap<String, String>,
        value: f64,
    ) {
        let [connector, number] = at.map(escaped);
        let mut text = format!("{{connector=\"{connector}\",task=\"{number}\"");
        for (label, of) in labels {
            // Writing to a string cannot fail.
            _ = write!(text, ",{label}=\"{}\"", escaped(of));
        }
        text.push('}');
        let samples = self.told.entry(name.to_owned()).or_default();
        line(samples, name, "", &text, value);
    }

    /// Adds a histogram: counts of the buckets that end at `ends_us` and of the rest, and the sum, in microseconds.
    pub(super) fn histogram(
        &mut self,
        family: &'static Family,
        values: &[&str],
        ends_us: &[u64],
        counts: &[u64],
        sum_us: u64,
    ) {
        let plain = labels(family, values, None);
        let mut so_far = 0;
        let mut samples = String::new();
        for (end, count) in ends_us.iter().zip(counts) {
            so_far += count;
            let end = seconds(*end).to_string();
            let labels = labels(family, values, Some(("le", &end)));
            line(&mut samples, family.name, "_bucket", &labels, so_far);
        }
        let all: u64 = counts.iter().sum();
        let infinite = labels(family, values, Some(("le", "+Inf")));
        line(&mut samples, family.name, "_bucket", &infinite, all);
        line(&mut samples, family.name, "_sum", &plain, seconds(sum_us));
        line(&mut samples, family.name, "_count", &plain, all);
        self.samples(family).push_str(&samples);
    }

    /// Adds a summary: percentiles, and how often it was measured.
    pub(super) fn summary(
        &mut self,
        family: &'static Family,
        percentiles: &[(&str, f64)],
        count: u64,
    ) {
        let samples = self.samples(family);
        for (quantile, value) in percentiles {
            let labels = labels(family, &[], Some(("quantile", quantile)));
            line(samples, family.name, "", &labels, value);
        }
        line(samples, family.name, "_count", "", count);
    }

    /// Returns the text.
    pub(super) fn render(self) -> String {
        let mut out = String::new();
        for (name, samples) in self.told {
            let kind = match name.ends_with("_total") {
                true => Kind::Counter,
                false => Kind::Gauge,
            };
            // Writing to a string cannot fail.
            _ = writeln!(
                out,
                "# HELP {name} Told by the connector.\n# TYPE {name} {}",
                kind.word()
            );
            out.push_str(&samples);
        }
        for (family, samples) in self.families.into_values() {
            // Writing to a string cannot fail.
            _ = writeln!(
                out,
                "# HELP {} {}\n# TYPE {} {}",
                family.name,
                family.help,
                family.name,
                family.kind.word()
            );
            out.push_str(&samples);
        }
        out
    }
}

/// Microseconds as seconds.
pub(super) fn seconds(us: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact up to 285 years of microseconds"
    )]
    let us = us as f64;
    us / 1e6
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &str, value: impl Display) {
    // Writing to a string cannot fail.
    _ = writeln!(out, "{name}{suffix}{labels} {value}");
}

fn labels(family: &Family, values: &[&str], more: Option<(&str, &str)>) -> String {
    let pairs: Vec<String> = family
        .labels
        .iter()
        .copied()
        .zip(values.iter().copied())
        .chain(more)
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    if pairs.is_empty() {
        return String::new();
    }
    format!("{{{}}}", pairs.join(","))
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
