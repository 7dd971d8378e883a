//! `linkspan explain`: what a code of a message means and what to do.

use linkspan_config::codes;

use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(code: &str) -> Result<Exit, Failure> {
    let Some(known) = codes::find(code) else {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0220",
            format!("`{code}` is no code of a message"),
        )
        .help("codes look like LS0103; `linkspan explain all` lists them"));
    };
    terminal::line(&format!(
        "{}: {}\n\n{}",
        known.code, known.title, known.explanation
    ));
    Ok(Exit::Ok)
}

pub(crate) fn list() -> Exit {
    for known in codes::all() {
        terminal::line(&format!("{}  {}", known.code, known.title));
    }
    Exit::Ok
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
