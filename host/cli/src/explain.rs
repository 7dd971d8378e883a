//! `linkspan explain`: what a code of a message means and what to do.

use linkspan_config::codes::{self, Code};
use serde_json::{Value, json};

use crate::args::{ExplainArgs, Language};
use crate::exit::{Exit, Failure};
use crate::shown::{structured, text};
use crate::terminal;

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let name = |row: &Value| text(row, "code");
    if args.code == "all" {
        let rows = codes::all().map(|code| value(code, args.lang)).collect();
        if !structured(args.output, &rows, name) {
            for code in codes::all() {
                terminal::line(&format!("{}  {}", code.code, words(code, args.lang).0));
            }
        }
        return Ok(Exit::Ok);
    }
    let code = args.code.as_str();
    let Some(known) = codes::find(code) else {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0220",
            format!("`{code}` is no code of a message"),
        )
        .help("codes look like LS0103; `linkspan explain all` lists them"));
    };
    if !structured(args.output, &value(known, args.lang), name) {
        let (title, explanation) = words(known, args.lang);
        terminal::line(&format!("{}: {title}\n\n{explanation}", known.code));
    }
    Ok(Exit::Ok)
}

/// Title and explanation. A code that lacks one language is explained in the other; a test sees to it that none does.
fn words(code: &Code, language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (code.title, code.explanation),
        Language::Ko => codes::korean(code).unwrap_or((code.title, code.explanation)),
    }
}

fn value(code: &Code, language: Language) -> Value {
    let (title, explanation) = words(code, language);
    json!({ "code": code.code, "title": title, "explanation": explanation })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every code that host sources name has an explanation.
    #[test]
    fn every_code_is_explained() {
        let mut missing = Vec::new();
        visit(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
            &mut missing,
        );
        assert_eq!(missing, Vec::<String>::new());
    }

    fn visit(folder: &Path, missing: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, missing);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.to_string_lossy().contains("test")
            {
                for piece in fs::read_to_string(&path).unwrap().split("\"LS").skip(1) {
                    let code: String = piece.chars().take_while(char::is_ascii_digit).collect();
                    if code.len() == 4
                        && piece.get(4..).is_some_and(|rest| rest.starts_with('"'))
                        && linkspan_config::codes::find(&code).is_none()
                    {
                        missing.push(format!("LS{code} in {}", path.display()));
                    }
                }
            }
        }
    }
}
