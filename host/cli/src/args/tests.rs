//! The command line as a whole: well-formed, with the names that scripts rely on, with examples everywhere.

use clap::{Command as Clap, CommandFactory, Parser};

use super::*;

#[test]
fn command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn names_that_scripts_rely_on_are_there() {
    for line in [
        "linkspan run --once --timeout 90s --data d --plugin-path p --listen none --param day=1 --set a=b --env-file e --overlay o -o json x.yaml",
        "linkspan consume t --data d --from earliest --exit -o json",
        "linkspan get c -o yaml",
        "linkspan describe c",
        "linkspan restart c --include-tasks --only-failed",
        "linkspan offsets rewind c --to 2026-11-01T00:00:00Z",
        "linkspan topic list --url http://127.0.0.1:8083",
    ] {
        let words = line.split_whitespace();
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}

/// Every command with its path, as it is typed.
fn commands() -> Vec<(String, Clap)> {
    fn visit(path: &str, command: &Clap, found: &mut Vec<(String, Clap)>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name());
            visit(&path, sub, found);
            found.push((path, sub.clone()));
        }
    }
    let root = Cli::command();
    let mut found = vec![("linkspan".to_owned(), root.clone())];
    visit("linkspan", &root, &mut found);
    found
}

#[test]
fn every_command_has_two_examples_that_can_be_typed() {
    for (path, command) in commands() {
        let text = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let examples: Vec<&str> = text
            .lines()
            .skip_while(|line| *line != "Examples:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        assert!(examples.len() >= 2, "{path} --help has no two examples");
        for example in examples {
            for line in calls(example) {
                if let Err(error) = Cli::try_parse_from(&line) {
                    panic!("{path}: `{example}`: {error}");
                }
            }
        }
    }
}

/// The calls of linkspan in a line of shell.
fn calls(line: &str) -> Vec<Vec<String>> {
    let words = shell_words(line);
    let parts =
        words.split(|word| matches!(word.as_str(), "|" | "&&" | ">" | "xargs" | "-n" | "1"));
    parts
        .filter(|part| part.first().is_some_and(|word| word == "linkspan"))
        // What `xargs` appends is a name.
        .map(|part| match part {
            [rest @ .., last] if line.contains("xargs") && last == "remove" => {
                let mut words = rest.to_vec();
                words.extend([last.clone(), "name".to_owned()]);
                words
            }
            part => part.to_vec(),
        })
        .collect()
}

/// Splits at spaces outside of single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Documents are read like `--help`: what they show can be typed. A command with `…`, `[` or `|` inside is a sketch.
#[test]
fn commands_that_documents_show_can_be_typed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut seen = 0;
    for document in [
        "README.md",
        "README.ko.md",
        "configs/README.md",
        "connectors/README.md",
        "sdk/README.md",
        "host/ARCHITECTURE.md",
    ] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for example in shown(&text) {
            for line in calls(&example) {
                seen += 1;
                if let Err(error) = Cli::try_parse_from(&line) {
                    panic!("{document}: `{example}`: {error}");
                }
            }
        }
    }
    assert!(seen >= 20, "only {seen} commands were found");
}

/// The commands of a document: lines of code blocks, and code within a line.
fn shown(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            let line = line.trim().trim_start_matches("$ ");
            let line = line.split("  #").next().unwrap_or_default();
            let line = line.replace("cargo run -- ", "linkspan ");
            if line.contains("linkspan ") && !line.contains("linkspan:") {
                found.push(line);
            }
        } else {
            let code = line.split('`').skip(1).step_by(2);
            found.extend(
                code.filter(|code| code.starts_with("linkspan "))
                    .map(str::to_owned),
            );
        }
    }
    found.retain(|line| !line.contains(['…', '[', '<', '·']) && !line.contains("\\|"));
    found
}

#[test]
fn one_letter_and_one_word_mean_the_same_everywhere() {
    for (path, command) in commands() {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let letter = argument.get_short();
            match letter {
                Some('o') => assert_eq!(name, "output", "{path}"),
                Some('w') => assert_eq!(name, "watch", "{path}"),
                Some(other) => assert!("hV".contains(other), "{path} -{other}"),
                None => assert_ne!(name, "output", "{path} has no -o"),
            }
            assert!(
                argument.get_help().is_some() || argument.is_hide_set(),
                "{path}: `{name}` is not explained"
            );
        }
    }
}

/// Every command's help, rendered at one width, as it stands in `snapshots/help.txt`.
#[test]
fn help_is_as_it_was_reviewed() {
    let mut text = String::new();
    for (path, command) in commands() {
        let mut command = command.term_width(100).bin_name(&path);
        let help = command.render_long_help().to_string();
        text.push_str(&format!("$ {path} --help\n{}\n\n", help.trim_end()));
    }
    let version = env!("CARGO_PKG_VERSION");
    crate::snapshot::check("help.txt", &text.replace(version, "VERSION"));
}
