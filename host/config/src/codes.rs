//! The registry of message codes: what `linkspan explain CODE` prints.
//!
//! A code never changes its meaning and is never reused. 01xx YAML and files, 02xx options, 03xx plugins, 04xx tasks
//! and records, 05xx the log, 06xx REST and access, 07xx the environment, 09xx lints.

/// One stable message code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `LSnnnn`.
    pub code: &'static str,
    /// One line.
    pub title: &'static str,
    /// What happened, the likely cause, what to do.
    pub explanation: &'static str,
}

/// Finds a code, in any case, with or without `LS`.
#[must_use]
pub fn find(code: &str) -> Option<&'static Code> {
    let wanted = code.trim().to_ascii_uppercase();
    let digits = wanted.strip_prefix("LS").unwrap_or(&wanted);
    all().find(|known| known.code.strip_prefix("LS") == Some(digits))
}

/// Returns all codes in ascending order.
pub fn all() -> impl Iterator<Item = &'static Code> {
    CODES.iter().copied()
}

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $explanation:literal)*) => {
        $(#[doc = $title] pub static $name: Code = Code { code: $code, title: $title, explanation: $explanation };)*
        static CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    YAML_SYNTAX "LS0101" "the file is not YAML"
        "The YAML parser stopped at the place shown. Most often a colon without a space behind it, a quote that is not closed, or lines that are indented by different amounts. Fix the line; if it looks right, look at the line above it."
    TAB "LS0102" "a tab is used for indentation"
        "YAML allows only spaces at the start of a line. An editor put a tab there. Replace it by spaces (most editors have \"indent using spaces\")."
    UNKNOWN_KEY "LS0103" "unknown key"
        "The key is not one that is known at this place. Usually a typing mistake, or an option of another connector class. Take one of the keys listed with the message. Keys that begin with `x-` are free and are ignored; use them for notes and YAML anchors."
    DUPLICATE_KEY "LS0104" "a key is written twice"
        "The same key stands twice in one map, or two files of one run set the same thing. Only one can hold, and guessing which would hide a mistake. Remove one; to change a value for one environment use `--overlay` or `--set`."
    DUPLICATE_CONNECTOR "LS0105" "two connectors have one name"
        "A connector's name identifies it: its offsets are stored under it. Two files (or one) define the same name. Rename one; `moved.from: old-name` keeps the offsets of a renamed connector."
    SET_TWICE "LS0106" "an option is set in two ways"
        "`errors: {tolerance: all}` and `errors.tolerance: all` are the same option, and so is an option under its alias. It may be written once. Remove one of the two places."
    FILE_UNREADABLE "LS0107" "a file cannot be read"
        "A named YAML file or directory does not exist, is not readable, or a directory holds no *.yaml or *.yml file. Paths on the command line resolve against the current directory."
    FILE_LIMIT "LS0108" "a file goes beyond a limit"
        "A configuration file has at most 1 MiB, 64 levels of nesting and 50,000 values after aliases are expanded, and is UTF-8 text. Perhaps a data file was named by mistake, or aliases multiply each other."
    WRONG_SHAPE "LS0109" "a value has the wrong shape"
        "A map, a list or a single value was expected and another of them was found. Compare the indentation and the dashes with an example of the same option."
    SECOND_DOCUMENT "LS0110" "more than one YAML document in a file"
        "A line `---` starts a second document. One file holds one document: put the rest into another file and name both, or name their directory."
    YAML_FEATURE "LS0111" "a YAML feature that is not used here"
        "Keys are texts; `<<` takes a map or a list of maps; an alias may not stand inside its own anchor."
    NO_VALUE "LS0112" "a key has no value"
        "There is nothing after the colon. Write a value, `\"\"` for an empty text, or remove the key."
    NO_CLASS "LS0113" "a connector does not say what it is"
        "Each connector needs `connector:` with the name of an installed class, for example `connector: file-source`. `linkspan plugin list` prints the installed classes."
    NOTHING_TO_RUN "LS0114" "there is no connector"
        "None of the named files has an entry under `connectors:`. Perhaps only host settings or topics were named."
    BAD_SET "LS0115" "a --set does not fit"
        "`--set` takes `section.name.option=value`, for example `--set connectors.orders.tasks.max=3` or `--set host.listen=none`. The connector or topic must exist in the files."
    BAD_NAME "LS0116" "a name is not allowed"
        "A connector's name has 1 to 200 characters, no slash, no control character and no space at its ends. A topic's name follows Kafka's rule: 1 to 249 of letters, digits, `.`, `_` and `-`, not `.` or `..`."
    UNKNOWN_PARAM "LS0130" "a parameter is not declared"
        "`--param` or `${param:…}` names a parameter that `params:` of the files does not declare. Declare it (`params: { day: { type: date, default: yesterday } }`) or correct the name."
    BAD_PARAM "LS0132" "a parameter's value does not fit its type"
        "A date is written 2026-11-01, or is today, yesterday, tomorrow, today-7. An int is a whole number."
    PARAM_MISSING "LS0133" "a parameter has no value"
        "The parameter has no default, so that each run must name it: `--param name=value`."
    PLACEHOLDER_SYNTAX "LS0150" "a placeholder is not complete"
        "`${env:NAME}`, `${env:NAME:-default}`, `${file:path:key}` and `${param:name}` are replaced when a task starts. To get the characters `${` themselves write `$${`."
    PLACEHOLDER_UNKNOWN "LS0151" "a placeholder names no provider"
        "The providers are env, file and param. To get the characters `${` themselves write `$${`."
    ENV_UNSET "LS0152" "an environment variable is not set"
        "`${env:NAME}` was used and NAME is not in the environment nor in the `--env-file`. Set it, or give a default: `${env:NAME:-default}`. `validate` only warns, because another machine may have it."
    PLACEHOLDER_FILE "LS0153" "a placeholder's file has no such value"
        "`${file:path:key}` reads one key of a .properties, .json or .yaml file; without a key it takes the whole file. A relative path resolves against the YAML file that names it. The file must be readable, at most 1 MiB, and hold the key."
    ENV_FILE "LS0156" "an env file has a line that is not NAME=value"
        "An env file has lines `NAME=value`, empty lines and lines that begin with `#`. A value may stand in quotes."
    UNKNOWN_CLASS "LS0201" "no such connector class is installed"
        "No plugin that was found offers the class. Correct the name, or install the plugin: plugins are searched in --plugin-path, then in the folders `plugins` and `deps` next to the program. `linkspan plugin list` shows what was found and why a file was refused."
    WRONG_TYPE "LS0202" "a value has the wrong type"
        "The option takes another kind of value; the message says which. Booleans are `true` and `false` only, because YAML readers disagree about `yes` and `no`."
    MISSING_OPTION "LS0203" "a required option is missing"
        "The connector cannot work without the option. `linkspan plugin inspect` describes every option of a class."
    OUT_OF_RANGE "LS0204" "a number is out of range"
        "The option has a smallest and a largest value; the message prints them."
    NOT_ALLOWED "LS0205" "a value is not one of those allowed"
        "The option takes one of a fixed set of words, listed with the message."
    UNIT_MISSING "LS0206" "a duration or size has no unit"
        "`5` could mean milliseconds, seconds or days. Write `5s`, `500ms`, `7d`, or for sizes `64KiB`, `1GiB`. Only options whose name ends in `.ms` or `.bytes` take a bare number."
    WRONG_KIND "LS0208" "an option of the other kind of connector"
        "Sources take `topic`, sinks take `topics`; some options only make sense on one side."
    NOT_BUILT "LS0290" "the option is known but not built yet"
        "The name is right, and this version does not do it yet. It is refused because ignoring it would run something else than what was asked for. Remove the option, or use a later version."
    TOPIC_UNWRITTEN "LS0901" "a sink reads a topic that nobody writes"
        "No source of this run writes the topic, so that the sink may wait for ever. Perhaps the name differs by a letter. If an earlier run, another program or REST fills it, all is well."
    SECRET_LITERAL "LS0903" "a secret is written into the file"
        "The value of a secret option stands in the YAML file, where version control and backups keep it. Write `${env:NAME}` or `${file:path:key}` instead."
}
