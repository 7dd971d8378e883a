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

/// Title and explanation of every code in Korean: blocks of three lines, in the order of the codes.
const KOREAN: &str = include_str!("codes.ko.txt");

/// Returns title and explanation of a code in Korean.
#[must_use]
pub fn korean(code: &Code) -> Option<(&'static str, &'static str)> {
    let mut blocks = KOREAN.split("\n\n").map(|block| block.splitn(3, '\n'));
    blocks.find_map(|mut lines| {
        (lines.next()? == code.code).then_some(())?;
        Some((lines.next()?, lines.next()?.trim_end()))
    })
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
    JSON_SYNTAX "LS0117" "the file is not JSON"
        "The file's name ends in .json, so that it is read as JSON: a connector as Kafka Connect takes it (a flat map with `name`, or `{name, config}`), or a configuration with `connectors:`. The place named is where reading stopped."
    PROPERTIES_SYNTAX "LS0118" "a .properties file has a wrong escape"
        "In Java's .properties files a backslash begins an escape; `\\u` takes four hexadecimal digits of one character. Write the character itself in UTF-8, and `\\\\` for a backslash."
    UNKNOWN_PARAM "LS0130" "a parameter is not declared"
        "`--param` or `${param:…}` names a parameter that `params:` of the files does not declare. Declare it (`params: { day: { type: date, default: yesterday } }`) or correct the name."
    BAD_PARAM "LS0132" "a parameter's value does not fit its type"
        "A date is written 2026-11-01, or is today, yesterday, tomorrow, today-7. An int is a whole number."
    PARAM_MISSING "LS0133" "a parameter has no value"
        "The parameter has no default, so that each run must name it: `--param name=value`."
    PLACEHOLDER_SYNTAX "LS0150" "a placeholder is not complete"
        "`${env:NAME}`, `${env:NAME:-default}`, `${file:path:key}`, `${directory:path:name}` and `${param:name}` are replaced when a task starts. To get the characters `${` themselves write `$${`."
    PLACEHOLDER_UNKNOWN "LS0151" "a placeholder names no provider"
        "The providers are env, file, directory and param, and those that `host.config.providers` names. To get the characters `${` themselves write `$${`."
    ENV_UNSET "LS0152" "an environment variable is not set"
        "`${env:NAME}` was used and NAME is not in the environment nor in the `--env-file`. Set it, or give a default: `${env:NAME:-default}`. `validate` only warns, because another machine may have it."
    PLACEHOLDER_FILE "LS0153" "a placeholder's file has no such value"
        "`${file:path:key}` reads one key of a .properties, .json or .yaml file; without a key it takes the whole file. A relative path resolves against the YAML file that names it. The file must be readable, at most 1 MiB, and hold the key."
    PLACEHOLDER_BARRED "LS0154" "a placeholder asks for what its provider may not reach"
        "`host.config.providers.NAME.param.allowed.paths` or `….allowlist.pattern` says what placeholders may reach, and this is outside of it, or is not there. Links and `..` count as where they lead to. A name in `${directory:path:name}` is one of a file in that folder. Widen the list, or ask for something inside of it."
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
    REFUSED_BY_CLASS "LS0210" "a connector refuses its configuration"
        "The options are well-formed one by one, and the connector's own check found what is wrong with them: a combination, a column name, a file format. The message names the option."
    NOT_COMPLETE "LS0211" "a value could not be completed"
        "A placeholder of the connector has no value at the moment its task starts: an unset variable, a file that went away. Set it and start again; the value is never stored."
    FEWER_PARTITIONS "LS0212" "a topic has more partitions than asked for"
        "Partitions can be added to a topic, never removed, because their records and positions would go with them. Ask for at least as many as exist, or use another topic."
    NEVER_ENDS "LS0213" "a connector that never ends, in a job that must"
        "`run --once` ends when every source is exhausted. This class waits for more for ever. Run it without --once, or give it an end where its options allow one."
    MOVED_FROM "LS0214" "`moved.from` cannot be done"
        "`moved.from: old` takes over what the connector `old` left: offsets and state. That needs `old` to be gone from the files, and one heir only. Rename the connector instead of copying it."
    JOB_LOOP "LS0216" "the connectors of a job run in a circle"
        "A job ends when everything is moved. Here what one connector writes comes back to it: through topics, through dead letters, or through a file that a sink writes and a source reads. The message names the circle. Let one of them write elsewhere, or run it without `--once` and `schedule:`."
    BAD_SCHEDULE "LS0217" "a schedule is not valid"
        "`schedule:` takes `cron` (five fields: minute, hour, day of month, month, day of week; six with seconds first; or @hourly, @daily, @weekly, @monthly), `timezone` (Asia/Seoul, UTC, +09:00), `missed` (skip, run-once, run-all), `overlap` (skip, queue), `name` and `timeout`. `on.failure` and `on.success` take either `command`, a list of a program and its arguments, or `url`."
    BAD_ARGUMENT "LS0220" "an argument of the command line is malformed"
        "The message says what the argument takes. `linkspan COMMAND --help` has examples."
    NOT_CONFIRMED "LS0221" "something that cannot be undone was not confirmed"
        "The command deletes. It asks on a terminal; in a script add `--yes`."
    RUN_UNKNOWN "LS0222" "there is no such run"
        "The data directory keeps the records of its runs in `runs/`. `linkspan runs list` shows them; the beginning of an id is enough where only one begins so. The oldest are removed when there are more than 10,000."
    RUN_CHANGED "LS0223" "the configuration is no longer that of the run"
        "`--rerun` repeats a run with the same files, values of `--set`, and parameters. Their texts are not the same any more, so it would be another run. Add `--changed-config` to run what the files say now, or run the files by name."
    RUN_NOT_REPEATABLE "LS0224" "the run cannot be repeated"
        "Its record does not hold all that it was started with: a `--set` carried a secret, and secrets are never stored, or an older version wrote it. Run the files by name; secrets belong into `${env:NAME}` or `${file:path:key}`."
    CONTEXT_UNKNOWN "LS0225" "there is no such context"
        "`linkspan context add NAME --url URL` gives a host elsewhere a name; `linkspan context list` shows the names there are. They stand in `$XDG_CONFIG_HOME/linkspan/config.yaml` (else `~/.config/linkspan/config.yaml`)."
    TOKEN_IN_THE_OPEN "LS0226" "a token would go over an open line"
        "The address of the host begins with http:// and is not of this machine, so that whoever is between could read the token. Use https, or a tunnel to the host whose end is on this machine."
    PLAIN_SECRET "LS0230" "a password or token stands in the file as it is"
        "Version control, backups and everybody who reads the file would have it. Write the hash that `linkspan users hash` or `linkspan users token` prints, or name the secret by a placeholder: `${env:NAME}`, `${file:path:key}`."
    BAD_HASH "LS0231" "the hash of a password or token is not one"
        "A password is stored as an argon2id hash (`$argon2id$v=19$...`), a token as the 64 hex digits of its SHA-256. `linkspan users hash` and `linkspan users token` print both. In YAML put a hash into quotes. A token that is too short to be safe has this code as well."
    HIDDEN_WORD "LS0232" "the hidden word stands where a secret belongs"
        "`[hidden]` is what is shown in a secret's place, in answers, in `linkspan export` and `linkspan config show`. Taken for the secret itself it would replace the one that works, so it is refused. Name the secret by a placeholder: `${env:NAME}`, `${file:path:key}`. To change other options of a connector that was made over REST, PATCH those alone: `PATCH /connectors/NAME/config`."
    NOT_BUILT "LS0290" "the option is known but not built yet"
        "The name is right, and this version does not do it yet. It is refused because ignoring it would run something else than what was asked for. Remove the option, or use a later version."
    NOT_A_PLUGIN "LS0301" "a file is no linkspan plugin"
        "A file in a folder given with --plugin-path (or `host.plugins`) is not a shared library that exports linkspan's symbol. Remove it from the folder. Beside the program such files are passed over silently."
    PLUGIN_UNREADABLE "LS0302" "a plugin file cannot be read"
        "The file is empty, cut off, or not readable. Copy it again."
    PLUGIN_CRASHED "LS0303" "a plugin crashed while it was looked at"
        "The file was loaded in a child process first, and that process crashed, exited or hung. The host itself was never at risk. Rebuild the plugin; a crash at load is usually a constructor or a damaged file."
    PLUGIN_LAYOUT "LS0304" "a plugin was built against another layout"
        "The tables that host and plugin share differ where neither side knows how to bridge it. Rebuild the plugin with the sdk version that the message names."
    PLUGIN_MAJOR "LS0305" "a plugin was built for another major version"
        "The boundary's major version differs. Rebuild the plugin with an sdk of this host's major version."
    PLUGIN_NAMES "LS0306" "two files of one folder offer the same plugin"
        "Which of them is meant cannot be known, so neither is loaded. Remove one."
    PLUGIN_CLASSES "LS0307" "two plugins offer the same class"
        "The plugin found first keeps the class. Remove one of the plugins, or order the folders as you mean it."
    PLUGIN_SHADOWED "LS0308" "a plugin hides another of the same name"
        "Folders are searched in order and the first plugin of a name wins; another file of that name has other bytes. Remove the one you do not mean."
    PLUGIN_PANICKED "LS0309" "a plugin panicked while it was looked at"
        "Its manifest or start-up code panicked; the message has the place. Report it to the plugin's author."
    PLUGIN_MANIFEST "LS0310" "a plugin's manifest is not valid"
        "What the plugin says of itself cannot be read. Rebuild it with a current sdk."
    PLUGIN_TEST "LS0311" "a plugin's crate does not pass"
        "`linkspan plugin test` builds the crate, loads what came out as a host does, and runs the crate's tests. The message says which of them ended it; the compiler's or the tests' own words are above it."
    TASK_FAILED "LS0401" "a task stopped by an internal error"
        "Something unexpected happened in the connector or the host. The message says what; an internal error is retried by `restart.policy`."
    TASK_STUCK "LS0402" "a task did not stop in time"
        "The connector did not return from a call within the time given to stop. Its thread was given up. What was acknowledged is safe."
    TASK_PANICKED "LS0403" "a connector panicked"
        "A defect of the connector, caught at the boundary; the message has the file and line. The task is restarted by `restart.policy`, other connectors go on. Report it to the plugin's author."
    NOT_FOUND "LS0404" "something the connector needs does not exist"
        "A file, table or address named in its options is not there. The message names it. A glob that may match nothing says so with `on.no.input: ok`."
    NO_PERMISSION "LS0405" "the connector may not do that"
        "The system or the other side refuses access. Check owner and mode of the path, or the credentials."
    UNAVAILABLE "LS0406" "the other side is not available"
        "It cannot be reached, is full or asks to slow down. The connector tries again by itself with growing pauses, nothing is lost; `--timeout` bounds a job."
    CONFLICT "LS0407" "the connector found something it must not overwrite"
        "What is there does not fit the recorded position: an output file without a position, an input that was replaced. The message names the option that decides (`on.existing`, `on.replaced`)."
    UNSUPPORTED "LS0408" "the connector does not do that"
        "The request is understood and not offered by this connector or version."
    TIMED_OUT "LS0409" "a job did not end within --timeout"
        "What was done is kept; the next run goes on from there. The summary says how far each connector came."
    BAD_RECORD "LS0410" "a record or its source is not valid"
        "The data cannot be read as the options say. The message names file, line and byte, or topic, partition and offset; values are not printed. Correct the data or the options; the records before it are safe."
    BAD_SCHEMA "LS0411" "a connector gave a schema that is not valid"
        "A defect of the connector. Report it to its author."
    KEY_COLUMN "LS0412" "`key.fields` names a column that is not there"
        "The message lists the columns that the rows have."
    RECORD_TOO_LARGE "LS0413" "a record is larger than its topic takes"
        "Raise `max.message.bytes` of the topic (at most 16 MiB), or make the records smaller."
    RECORD_REFUSED "LS0414" "a sink refused a record"
        "The message names topic, partition and offset and why. With `errors.tolerance: none` the task stops there; nothing behind it is lost. `errors.tolerance: all` with `errors.deadletterqueue.topic.name` sets such records aside, `linkspan dlq list` shows them."
    LEFT_OVER "LS0415" "a job ended before a sink had written everything"
        "The records are in the log. The next run of the same configuration writes them; nothing is lost or doubled."
    POSITION_LOST "LS0420" "a sink's position is no longer in the log"
        "Records that the sink had not read were deleted. The message says how many. Reset the sink's offsets to go on from the first record that is there."
    GAVE_UP "LS0421" "a temporary error lasted longer than errors.retry.timeout"
        "The message names the cause and how often it was tried. Nothing is lost: the task failed where it stood. Restart it once the cause is gone, or allow more time; 0 (the default) lets a sink's put wait without limit."
    REFUSED_ALL "LS0422" "a sink refused nearly every record of a batch"
        "Each bad record of a batch is found by putting its halves again; this batch had too many. The target or the options are wrong rather than the records: see the last reason in the message."
    NO_PROGRESS "LS0425" "a task makes no progress"
        "The task has been inside one call of its connector for longer than `no.progress.timeout.ms`. It may wait for a system outside, or hang. Nothing is done about it: `linkspan describe NAME` shows it, `linkspan restart NAME --include-tasks` asks it to stop; a task that does not stop costs its thread until the host ends."
    TOO_MANY_TASKS "LS0426" "a connector made more tasks than `tasks.max`"
        "The class divided its work into more tasks than the configuration allows; that is a defect of the class. `tasks.max.enforce: false` runs all of them with a warning."
    SLOW_PLAN "LS0427" "a plugin does not say what its tasks are"
        "The class was asked to check its options or to divide its work, and has not answered for ten seconds: it waits for a system outside, or hangs. The connector starts when it answers; all others run. `linkspan describe NAME` shows since when it is asked."
    TRANSACTION_TOO_LARGE "LS0428" "a connector's transaction is larger than a commit"
        "With `transaction.boundary: connector` all records of a transaction are one commit, of 16 MiB at most. Let the connector close its transactions earlier, or choose `interval` or `poll`."
    HOOK_FAILED "LS0430" "a command or call after a job did not work"
        "`on.failure` or `on.success` names a program that could not be started, ended with an error or took too long, or an address that did not answer with 2xx. The job itself is not touched by it. The message says what happened; `linkspan runs show ID` has what the command was given."
    RUN_LEFT_OUT "LS0431" "a scheduled run was left out"
        "Its time came while the run before it was still working (`overlap: skip`), or while no host ran (`missed: skip`, or more missed runs than are made up for). The next run reads on from where the last one ended; nothing is lost by it. Raise the time between two runs, or set `overlap: queue` and `missed: run-all`."
    HOST_DEFECT "LS0499" "a defect of the host or a connector"
        "This should not happen. Please report it with the message."
    LOG_ERROR "LS0501" "the log refused"
        "The message says what was asked of it and why it refused."
    FENCED "LS0510" "a newer owner took over"
        "The connector was started again elsewhere; the older one may not write any more. That is the protection against doubled records, not a defect."
    DISK_FULL "LS0511" "the disk of the data directory is full, or no file descriptor is left"
        "Writes wait, reads go on, and everything goes on by itself when there is space again. When the message speaks of file descriptors, raise the limit of open files (`ulimit -n`, `LimitNOFILE`)."
    LOG_POISONED "LS0512" "the log stopped after a failed write"
        "The system reported that data could not be made durable. Retrying could hide a loss, so the log refuses to write. Look at the disk, then start again: what was acknowledged is recovered."
    LOG_DAMAGED "LS0513" "stored data is damaged"
        "Bytes that had been acknowledged are not what they were. Nothing was changed. `linkspan log verify` names every damaged place; `linkspan log repair` says what it would cut and does it with `--yes`, keeping everything in a folder beside it; `linkspan restore` makes a directory from a backup."
    COMMIT_TOO_LARGE "LS0514" "a commit or record is larger than a limit"
        "The message names the limit."
    OFFSET_UNKNOWN "LS0515" "a position is not in this log"
        "The offset is outside of what the log holds, or belongs to another log: the data directory was replaced. Nothing was skipped; reset the position knowingly."
    TOPIC_UNKNOWN "LS0516" "there is no such topic"
        "The message lists the topics there are. Names are case-sensitive."
    TOPIC_INVALID "LS0517" "a topic or setting is not valid"
        "The message says what is allowed."
    LOG_CLOSED "LS0518" "the log is closing"
        "The host is stopping; the task goes on at the next start."
    DISK_BOUND "LS0519" "the log holds as much as it may"
        "`log.max.bytes` is reached. Nothing is deleted for it: sources wait, sinks and readers go on, and sources go on by themselves when there is room. Raise `log.max.bytes`, shorten `retention.ms` or `retention.bytes` of a topic, start sinks that lag (retention keeps what they have not read), or delete records or a topic."
    GROUP_UNKNOWN "LS0520" "there is no such group"
        "A group exists when it has members or committed positions. `linkspan groups list` shows all. Names are case-sensitive. A member that does not ask for records for 30 seconds leaves by itself."
    GROUP_ACTIVE "LS0521" "the group has members"
        "Positions of a group are set, and a group is deleted, only while nobody reads in it: members would go on where they are and commit over it. Stop the sink, or the `consume --group`, and try again."
    KEY_MISSING "LS0522" "a record without a key on a compacted topic"
        "Compaction keeps the last record of each key, so each record needs one. Give a key (`--key`, `--key-separator`, the field `key`, `key.fields` of a source), or set `cleanup.policy` of the topic to `delete`."
    TOPIC_EXISTS "LS0523" "the topic exists already"
        "Change it with `linkspan topic alter`, or take another name. Making it anew means to delete it first, with all its records."
    INPUT_MALFORMED "LS0525" "a line of the input is not a record"
        "`produce` takes a value a line, or with `-o json` what `consume -o json` prints: `key`, `value` and header values are strings, null, or `{\"base64\":…}`. The message names the line; records before it are written."
    BACKUP_INVALID "LS0526" "a backup is incomplete or damaged"
        "A backup is complete when its `backup.json` is written, which comes last, and every file is as that says. One that was interrupted is refused, and so is one with a missing or changed file. Nothing was written. Take another backup, or restore another one."
    HOST_ANSWER "LS0601" "the host refused a request"
        "A command talked to a running host and it refused; the message is the host's."
    METHOD_NOT_ALLOWED "LS0602" "the path has no such method"
        "OPTIONS of the same path lists the methods it has."
    BODY_TOO_LARGE "LS0603" "a body is too large, or ended early"
        "The REST interface takes bodies of at most 4 MiB; a connector's configuration stays far below that."
    BAD_PATH "LS0604" "a path cannot be read"
        "Names in a path are percent-encoded UTF-8. Kafka Connect takes no encoded `/`, `\\`, `%` or `.`, no control characters and no empty segments, and neither does this."
    MEDIA_TYPE "LS0605" "a media type is not JSON"
        "Bodies and answers are `application/json`: send `Content-Type: application/json`, and an `Accept` that takes it."
    UNREADABLE_BODY "LS0606" "a body cannot be read"
        "The message says what is wrong and where. A configuration is a flat object; its values are texts, numbers or booleans, lists and maps are written as text. Kafka Connect answers 500 here, this host 400."
    BETWEEN_WORKERS "LS0607" "a call that only workers of Kafka Connect make"
        "Workers of a Kafka Connect cluster tell each other task configurations and fences this way. One host needs neither."
    NAME_MISMATCH "LS0608" "two names for one connector"
        "`name` in the configuration must be the name in the path or beside the configuration, or stay away."
    LOGGER "LS0609" "no such logger or level"
        "`GET /admin/loggers` lists the loggers: `root`, and names of connectors whose level was set. Levels are OFF, ERROR, WARN, INFO, DEBUG, TRACE."
    UNKNOWN_CONNECTOR "LS0610" "there is no such connector or task"
        "`linkspan get` lists the connectors that the data directory knows. One that a `run --once` job made and no host ever ran is known only by its offsets."
    OWNED_BY_FILE "LS0611" "a file owns the connector"
        "A connector of a YAML, JSON or .properties file is changed and removed in that file. Pause, stop, restart and offsets work all the same. To delete it, remove it from its file, start the host, then delete it."
    NOT_STOPPED "LS0612" "offsets can only be changed while the connector is stopped"
        "A running or paused connector would write over them. `linkspan stop NAME`, change them, `linkspan resume NAME`. On a data directory that no host holds nothing runs, so they can be changed at once."
    BAD_OFFSETS "LS0613" "the offsets are not what the connector takes"
        "The shape is {\"offsets\": [{\"partition\": {...}, \"offset\": {...}}]}, an offset of null resets its partition. A sink's partition is {\"kafka_topic\", \"kafka_partition\"}, its offset {\"kafka_offset\"}, inside of what the topic holds. `linkspan offsets get NAME -o json` shows what is stored."
    STILL_THERE "LS0614" "tasks of a stopped connector have not closed yet"
        "A task was told to stop and still sits in a call of its connector, so it may still hold its partitions. Try again; if it hangs (`linkspan describe NAME`), restart the host."
    NO_COMMANDS "LS0615" "the host takes no commands now"
        "It is still starting, or it runs with `--once`, where the files as they were at its start decide what runs."
    HOST_IS_A_JOB "LS0616" "the data directory belongs to another job"
        "Another `run --once` works on the data directory. A job that finds one there waits for its end, at most as long as `--timeout` says, and runs then."
    JOB_REFUSED "LS0617" "the running host cannot run the job"
        "A `run --once` on a data directory that a host holds runs on that host. It refuses a connector that it runs itself, one that another job works with at this moment, and a class that its own plugins do not offer. The message names it. Stop the host, or take the connector out of one of the two."
    NO_HOST "LS0618" "no host runs on the data directory"
        "The command is for a running host. `linkspan run FILE.yaml` starts one."
    INVALID_CONNECTOR "LS0619" "the configuration of a connector is not valid"
        "The message lists every problem. `PUT /connector-plugins/CLASS/config/validate` shows each one beside its option."
    FOREIGN_NAME "LS0620" "a request was sent to a name that is not this host's"
        "A page elsewhere can make a browser ask a machine on its own network by a name of its own. Use the host's IP address or `localhost`."
    FOREIGN_PAGE "LS0621" "a page of another site may not change anything"
        "The request carries an `Origin` that is not this host's. Programs send none."
    OPEN_LISTENER "LS0622" "others could reach the listener"
        "An address that is not this machine's own is reached by others, who could read all records and change all connectors. So it needs users or tokens (`host.users`, `host.tokens`) and TLS (`host.listen.tls.cert`, `host.listen.tls.key`). `configs/host/secured.yaml` shows both. Behind a proxy that does both listen on 127.0.0.1. `--insecure-listen` does without, says so each hour, and is for networks that nobody else is in."
    ON_THE_MACHINE "LS0623" "what only the machine itself may ask for"
        "A backup writes a folder of the host's machine. Use `linkspan backup` there."
    CONNECTOR_EXISTS "LS0624" "the connector exists already"
        "Change it with `PUT /connectors/NAME/config`, or delete it first."
    TOO_MANY_READERS "LS0625" "too many programs read the stream of events"
        "At most 100 read `/api/v1/events` at a time. Close pages of the dashboard that nobody looks at, or ask `/api/v1/fleet` now and then."
    ROLE_MISSING "LS0626" "the user may not do this"
        "A viewer sees everything but the values of records; an operator works with connectors, offsets and records; an admin makes, changes and deletes. `GET /api/v1/whoami` says who you are. Ask with another user, or give the user another role under `host.users` or `host.tokens`."
    WHO_ASKS "LS0627" "the host does not know who asks"
        "The host has users, and the request carried no user and password, no token, or wrong ones; which of the two is wrong is not told. Programs send `Authorization: Basic ...` or `Authorization: Bearer ...`, curl with `-u NAME` or `-H`, linkspan with `--token-file`, `--user` or a context."
    TOO_MANY_FAILURES "LS0628" "too many wrong passwords or tokens from one address"
        "After five wrong ones an address has one more try a second. Wait for the time that `Retry-After` names; who sent the right ones before is not stopped."
    TLS_FILES "LS0629" "certificate or key cannot be used"
        "The message names the file and what is wrong with it: it is not there, it is not PEM, it holds no certificate or no key, or the key is not the certificate's. The chain begins with the host's own certificate. A host that runs keeps the old pair until the new one is right."
    HELD "LS0701" "a host works on the data directory"
        "One data directory has one host. The message has its process id. Stop it, or use another directory."
    NEWER_DATA "LS0702" "the data directory is of a newer version"
        "A newer linkspan wrote it. Use that version or a later one; older data is always read."
    NO_DATA_DIRECTORY "LS0703" "there is no data directory at this place"
        "The folder does not exist or is not one that linkspan made. `linkspan run` prints the directory it uses in its first line."
    SYSTEM "LS0704" "the system refused"
        "A file, folder or thread could not be had; the message names it."
    SOCKET "LS0705" "the host's socket cannot be made"
        "The host listens in its data directory for the other commands. Check that the file system supports sockets."
    NO_ANSWER "LS0706" "the running host does not answer"
        "A process holds the data directory and does not answer on its socket. It may be starting or stopping; try again."
    FOLDER_NOT_EMPTY "LS0707" "a folder is not empty"
        "A backup is made in, and a data directory is restored to, a folder that is missing or empty: nothing is ever written over. Name another one, or remove what is there yourself."
    NOT_CONNECTED "LS0708" "what a connector needs outside is not there"
        "`validate --connect` asked the connector's class to try what it needs: the server, its credentials, tables, paths. The message says what failed. The configuration may be right all the same: the system can be down, or not be reached from this machine."
    TOPIC_UNWRITTEN "LS0901" "a sink reads a topic that nobody writes"
        "No source of this run writes the topic, so that the sink may wait for ever. Perhaps the name differs by a letter. If an earlier run, another program or REST fills it, all is well."
    PATTERN_UNMATCHED "LS0902" "a pattern matches no topic of the files"
        "`topics.regex` of a sink matches no topic that the files name, so that the sink may wait for ever. The pattern must match a whole name. If an earlier run, another program or REST makes such topics, all is well."
    SECRET_LITERAL "LS0903" "a secret is written into the file"
        "The value of a secret option stands in the YAML file, where version control and backups keep it. Write `${env:NAME}` or `${file:path:key}` instead."
    SETTING_WITHOUT_EFFECT "LS0904" "a setting has no effect here"
        "The setting is one of a Kafka topic and is accepted so that a topic's settings can be taken over, but it makes no sense on one machine. The message says why. Remove it, or leave it for the day the topic moves to a cluster."
    SPREAD_WITHOUT_KEY "LS0905" "records without a key go to several partitions"
        "A topic of several partitions keeps the order of records inside of a partition only, and a record without a key goes to any. Set `key.fields` to the fields whose records must stay in order, or give the topic one partition. If order does not matter, all is well."
    IDLE_TASKS "LS0906" "a connector has more tasks than work"
        "A partition is read by one task of a connector, so that tasks beyond the number of partitions have nothing to do. Lower `tasks.max`, or give the topics more partitions under `topics:`."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_in_both_languages() {
        let english: Vec<&str> = all().map(|code| code.code).collect();
        let korean_codes: Vec<&str> = KOREAN
            .split("\n\n")
            .filter_map(|block| block.lines().next())
            .collect();
        assert_eq!(
            korean_codes, english,
            "codes.ko.txt has one block for each code"
        );
        for code in all() {
            let (title, explanation) = korean(code).unwrap();
            for (text, original) in [(title, code.title), (explanation, code.explanation)] {
                let is_korean = text.chars().any(|c| ('가'..='힣').contains(&c));
                assert!(is_korean && text != original, "{}: {text}", code.code);
                assert!(!text.contains('\n'), "{}: one line each", code.code);
                let ticks = |text: &str| text.matches('`').count() % 2;
                assert_eq!(ticks(text), 0, "{}: {text}", code.code);
            }
        }
    }
}
