//! The texts that a plan was read from: files, overlays and `--set` values, each with a name to print.
//!
//! A [`Span`] is small and copyable; only [`Sources`] can turn it into a [`Location`] or a line of text.

use std::path::{Path, PathBuf};

/// Names one text in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileId(pub(crate) usize);

/// A place in a text: 1-based lines and columns, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) file: FileId,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) end_line: usize,
    pub(crate) end_column: usize,
}

impl Span {
    /// Returns a span of one character.
    pub(crate) fn at(file: FileId, line: usize, column: usize) -> Self {
        Self {
            file,
            line,
            column,
            end_line: line,
            end_column: column + 1,
        }
    }

    /// Returns the span moved `characters` to the right and narrowed to `width`; only sensible within one line.
    pub(crate) fn part(self, characters: usize, width: usize) -> Self {
        let column = self.column + characters;
        Self {
            column,
            end_line: self.line,
            end_column: column + width.max(1),
            ..self
        }
    }
}

/// Where a value was written, for people and for REST answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file as it was named, or `--set`, `--param`, `--env-file …`.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, counted in characters.
    pub column: usize,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One text.
#[derive(Debug)]
pub(crate) struct Source {
    /// What messages print.
    pub(crate) name: String,
    /// Relative paths in this text resolve against this absolute folder.
    pub(crate) base: PathBuf,
    /// Later layers win over earlier ones: 0 = a named file, then overlays, then `--set`.
    pub(crate) layer: usize,
    pub(crate) text: String,
    /// One of Connect's own files: a key that nobody knows is a warning.
    lenient: bool,
}

/// All texts of one load.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    sources: Vec<Source>,
}

impl Sources {
    pub(crate) fn add(&mut self, name: String, base: &Path, layer: usize, text: String) -> FileId {
        let id = FileId(self.sources.len());
        self.sources.push(Source {
            name,
            base: base.to_owned(),
            layer,
            text,
            lenient: false,
        });
        id
    }

    pub(crate) fn set_lenient(&mut self, id: FileId) {
        if let Some(source) = self.sources.get_mut(id.0) {
            source.lenient = true;
        }
    }

    pub(crate) fn is_lenient(&self, id: FileId) -> bool {
        self.get(id).is_some_and(|source| source.lenient)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    pub(crate) fn get(&self, id: FileId) -> Option<&Source> {
        self.sources.get(id.0)
    }

    pub(crate) fn layer(&self, id: FileId) -> usize {
        self.get(id).map_or(0, |source| source.layer)
    }

    pub(crate) fn base(&self, id: FileId) -> PathBuf {
        self.get(id)
            .map(|source| source.base.clone())
            .unwrap_or_default()
    }

    /// Returns the line's text without its line end; empty for a line that does not exist.
    pub(crate) fn line(&self, id: FileId, line: usize) -> &str {
        self.get(id)
            .and_then(|source| source.text.lines().nth(line.saturating_sub(1)))
            .unwrap_or_default()
    }

    pub(crate) fn location(&self, span: Span) -> Location {
        Location {
            file: self
                .get(span.file)
                .map(|source| source.name.clone())
                .unwrap_or_default(),
            line: span.line,
            column: span.column,
        }
    }
}
