//! Collects messages while a plan is built, and redacts them when it is done.
//!
//! Secrets are found at the end of the reading, messages are made all along: that is why a message keeps its place as a
//! [`Span`] until [`Report::finish`] turns it into text.

use linkspan_types::HIDDEN;

use crate::codes::Code;
use crate::connect_files::{KeyFate, KeyReport};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Snippet};
use crate::source::{Sources, Span};

/// A message whose line of text is not cut out yet.
#[derive(Debug)]
pub(crate) struct Draft {
    diagnostic: Diagnostic,
    span: Option<Span>,
    label: String,
    related: Vec<(Span, String)>,
}

impl Draft {
    pub(crate) fn error(code: &'static Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            diagnostic: Diagnostic::error(code, message),
            span: Some(span),
            label: String::new(),
            related: Vec::new(),
        }
    }

    pub(crate) fn warning(code: &'static Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            diagnostic: Diagnostic::warning(code, message),
            ..Self::error(code, span, "")
        }
    }

    /// Text after the carets.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.diagnostic.notes.push(note.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, span: Span, what: impl Into<String>) -> Self {
        self.related.push((span, what.into()));
        self
    }

    pub(crate) fn severity(mut self, severity: Severity) -> Self {
        self.diagnostic.severity = severity;
        self
    }
}

impl From<Diagnostic> for Draft {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic,
            span: None,
            label: String::new(),
            related: Vec::new(),
        }
    }
}

/// The most messages of one load; one more says that there are others.
const DRAFTS_MAX: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) sources: Sources,
    drafts: Vec<Draft>,
    left_out: Vec<Severity>,
    secrets: Vec<Span>,
    /// What became of the keys of Connect's files.
    pub(crate) keys: Vec<KeyReport>,
}

impl Report {
    pub(crate) fn push(&mut self, draft: impl Into<Draft>) {
        let draft = draft.into();
        if self.drafts.len() < DRAFTS_MAX {
            self.drafts.push(draft);
        } else {
            self.left_out.push(draft.diagnostic.severity);
        }
    }

    /// No message will show the text at this place.
    pub(crate) fn conceal(&mut self, span: Span) {
        self.secrets.push(span);
    }

    /// A key of one of Connect's files turns out to do nothing: it is told as ignored, also where it was taken for used before.
    pub(crate) fn ignored(&mut self, span: Span, key: &str, why: &str) {
        let file = self.sources.location(span).file;
        let told = self
            .keys
            .iter_mut()
            .filter(|told| told.key == key && told.location.file == file);
        for told in told {
            told.fate = KeyFate::Ignored;
            why.clone_into(&mut told.why);
        }
    }

    /// Errors so far.
    pub(crate) fn errors(&self) -> usize {
        let drafts = self.drafts.iter().map(|draft| draft.diagnostic.severity);
        let all = self.left_out.iter().copied().chain(drafts);
        all.filter(|severity| *severity == Severity::Error).count()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.left_out.contains(&Severity::Error)
            || self
                .drafts
                .iter()
                .any(|draft| draft.diagnostic.severity == Severity::Error)
    }

    pub(crate) fn finish(self) -> (Sources, Diagnostics) {
        let Self {
            sources,
            drafts,
            left_out,
            secrets,
            mut keys,
        } = self;
        keys.sort_by(|a, b| a.location.cmp(&b.location));
        let mut diagnostics = Diagnostics::default();
        diagnostics.keys = keys;
        for draft in drafts {
            let Draft {
                mut diagnostic,
                span,
                label,
                related,
            } = draft;
            if let Some(span) = span {
                diagnostic.location = Some(sources.location(span));
                diagnostic.snippet = Some(snippet(&sources, span, label, &secrets));
            }
            diagnostic.related.extend(
                related
                    .into_iter()
                    .map(|(span, what)| (sources.location(span), what)),
            );
            diagnostics.push(diagnostic);
        }
        diagnostics.sort();
        if let Some(severity) = left_out.iter().min() {
            let message = format!("{} further messages are not shown", left_out.len());
            diagnostics.push(Diagnostic {
                severity: *severity,
                ..Diagnostic::error(&crate::codes::FILE_LIMIT, message)
            });
        }
        (sources, diagnostics)
    }
}

fn snippet(sources: &Sources, span: Span, label: String, secrets: &[Span]) -> Snippet {
    let mut text: Vec<char> = sources.line(span.file, span.line).chars().collect();
    let mut indent = span.column.saturating_sub(1);
    let mut width = if span.end_line == span.line {
        span.end_column.saturating_sub(span.column)
    } else {
        text.len().saturating_sub(indent)
    };
    for (from, to) in cuts(span, secrets, text.len()).into_iter().rev() {
        let end = indent + width;
        // The length is nobody's business either, so the caret moves with what stands behind the secret.
        text.splice(from..to, HIDDEN.chars());
        let moved = |at: usize| at - to + from + HIDDEN.len();
        if to <= indent {
            indent = moved(indent);
        } else if from <= indent {
            indent = from;
            width = HIDDEN.len().max(moved(end.max(to)) - from);
        } else if to <= end {
            width = moved(end) - indent;
        }
    }
    Snippet {
        text: text.into_iter().collect(),
        indent,
        width: width.max(1),
        label,
    }
}

/// The secrets in the line of a span: where each begins and ends, in order, none within another.
fn cuts(span: Span, secrets: &[Span], length: usize) -> Vec<(usize, usize)> {
    let mut cuts: Vec<(usize, usize)> = secrets
        .iter()
        .filter(|secret| {
            secret.file == span.file && secret.line <= span.line && span.line <= secret.end_line
        })
        .map(|secret| {
            let from = if secret.line == span.line {
                secret.column.saturating_sub(1).min(length)
            } else {
                0
            };
            let to = if secret.end_line == span.line {
                secret.end_column.saturating_sub(1)
            } else {
                length
            };
            (from, to.clamp(from, length))
        })
        .filter(|(from, to)| from < to)
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut apart: Vec<(usize, usize)> = Vec::new();
    for (from, to) in cuts {
        match apart.last_mut() {
            Some(last) if from < last.1 => last.1 = last.1.max(to),
            Some(_) | None => apart.push((from, to)),
        }
    }
    apart
}
