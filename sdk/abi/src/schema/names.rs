//! Field names as they stand in JSON, rendered once a schema: what makes rows and their JSON cheap.

use std::{fmt, sync::OnceLock};

use super::Field;

/// Renders at first use. A clone starts anew, and it takes no part in equality.
#[derive(Default)]
pub(super) struct Names(OnceLock<Rendered>);

/// `{"first":` and `,"next":` one after the other.
#[derive(Clone)]
pub(crate) struct Rendered {
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Where the fields were, to notice that they were replaced.
    fields: (usize, usize),
}

impl Names {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns the names of these fields, `None` where the fields are no longer those that were rendered.
    #[inline]
    pub(super) fn of(&self, fields: &[Field]) -> Option<&Rendered> {
        let rendered = self.0.get_or_init(|| Rendered::new(fields));
        (rendered.fields == place(fields)).then_some(rendered)
    }
}

fn place(fields: &[Field]) -> (usize, usize) {
    (fields.as_ptr().addr(), fields.len())
}

impl Rendered {
    pub(crate) fn new(fields: &[Field]) -> Self {
        let mut text = Vec::new();
        let mut ends = Vec::with_capacity(fields.len());
        for (position, field) in fields.iter().enumerate() {
            text.push(if position == 0 { b'{' } else { b',' });
            crate::json::write_string(&field.name, &mut text);
            text.push(b':');
            ends.push(text.len());
        }
        Self {
            text,
            ends,
            fields: place(fields),
        }
    }

    /// Returns each field's opening: a brace or a comma, its name, a colon.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let name = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            name
        })
    }
}

impl Clone for Names {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl PartialEq for Names {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}
