//! Arrays: PostgreSQL's literal, JSON elsewhere.

use super::Encoder;
use super::fitted::Fitted;
use crate::dialect::Dialect;
use crate::types::cell::{Cell, Unfit};
use crate::types::column::{Column, ColumnKind};
use crate::types::{json, tree};

impl Encoder {
    pub(super) fn array(
        &mut self,
        cells: &[Cell<'_>],
        column: &Column,
    ) -> Result<Fitted<'static>, Unfit> {
        let mut literal = String::new();
        match &column.kind {
            ColumnKind::Array(item) if self.dialect == Dialect::Postgres => {
                literal.push('{');
                let inner = Column {
                    kind: item.as_ref().clone(),
                    length_max: None,
                    ..column.clone()
                };
                for (n, cell) in cells.iter().enumerate() {
                    if n > 0 {
                        literal.push(',');
                    }
                    let fitted = self.fit(cell, &inner)?;
                    fitted.push_item(&self.scratch, &mut literal)?;
                }
                literal.push('}');
            }
            _ => {
                literal.push('[');
                let inner = Column {
                    kind: ColumnKind::Text,
                    length_max: None,
                    ..column.clone()
                };
                for (n, cell) in cells.iter().enumerate() {
                    if n > 0 {
                        literal.push(',');
                    }
                    let bare = matches!(
                        cell,
                        Cell::Bool(_)
                            | Cell::Int(_)
                            | Cell::Number(_)
                            | Cell::Float32(_)
                            | Cell::Float64(_)
                    );
                    let fitted = self.fit(cell, &inner)?;
                    fitted.push_json(&self.scratch, bare, &mut literal);
                }
                literal.push(']');
            }
        }
        self.scratch = literal;
        Ok(Fitted::Scratch)
    }
}

pub(super) fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// Appends a JSON array as PostgreSQL's array literal; arrays inside are further dimensions.
pub(super) fn array_of_json(text: &str, item: &ColumnKind, out: &mut String) -> Result<(), Unfit> {
    let items = json::items(text).map_err(|fault| Unfit(fault.to_string().into()))?;
    out.push('{');
    for (n, value) in items.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        match value {
            json::Json::Null => out.push_str("NULL"),
            json::Json::Array(inner) if !matches!(item, ColumnKind::Json) => {
                array_of_json(inner, item, out)?
            }
            json::Json::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
            json::Json::Number(digits) => out.push_str(digits),
            json::Json::Text(text) if matches!(item, ColumnKind::Json) => {
                let mut json = String::new();
                tree::write_text(&text, &mut json);
                push_quoted(&json, out);
            }
            json::Json::Text(text) => push_quoted(&text, out),
            json::Json::Object(text) | json::Json::Array(text) => push_quoted(text, out),
        }
    }
    out.push('}');
    Ok(())
}
