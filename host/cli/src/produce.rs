//! `linkspan produce`: lines into a topic.

use std::fs::File;
use std::io::{BufRead, BufReader};

use linkspan_rest::{NewRecord, Operation};

use crate::args::{InputForm, ProduceArgs};
use crate::exit::{Exit, Failure};
use crate::target::{Place, place};
use crate::terminal;

/// Records of one commit.
const RECORDS_MAX: usize = 1000;
/// Bytes of one commit, about.
const COMMIT_BYTES: usize = 1 << 20;
/// No line is longer: a record of 16 MiB as base64.
const LINE_BYTES_MAX: usize = 24 << 20;

pub(crate) fn run(args: &ProduceArgs) -> Result<Exit, Failure> {
    let shape = Shape::new(args)?;
    let input: Box<dyn BufRead> = match &args.file {
        None => Box::new(BufReader::new(std::io::stdin())),
        Some(path) => Box::new(BufReader::new(File::open(path).map_err(|error| {
            let exit = if error.kind() == std::io::ErrorKind::NotFound {
                Exit::Invalid
            } else {
                Exit::Environment
            };
            let message = format!("could not open `{}`: {error}", path.display());
            Failure::new(exit, "LS0404", message).help(
                "--file names a file with a value a line; without it they are read from stdin",
            )
        })?)),
    };
    let place = place(&args.at, true)?;
    // Also without a record the topic must be there.
    place.perform(Operation::DescribeTopic(args.topic.clone()))?;
    let written = write(args, &shape, input, &place);
    let closed = place.close();
    let written = written?;
    closed?;
    terminal::note(&format!(
        "{} records written to {}",
        terminal::count(written),
        args.topic
    ));
    Ok(Exit::Ok)
}

fn write(
    args: &ProduceArgs,
    shape: &Shape,
    mut input: Box<dyn BufRead>,
    place: &Place,
) -> Result<u64, Failure> {
    let (mut batch, mut bytes, mut written, mut number) = (Vec::new(), 0, 0_u64, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = read_line(&mut input, &mut line).map_err(|error| {
            Failure::new(
                Exit::Runtime,
                "LS0404",
                format!("could not read the input: {error}"),
            )
            .help(after(written))
        })?;
        number += 1;
        let end = n == 0;
        if !end && let Some(record) = shape.record(number, &line)? {
            bytes += n;
            batch.push(record);
        }
        // A terminal gets each line written at once, a pipe whole batches.
        let waits = !end && batch.len() < RECORDS_MAX && bytes < COMMIT_BYTES && !shape.at_once;
        if !waits && !batch.is_empty() {
            let records = std::mem::take(&mut batch);
            let count = records.len() as u64;
            bytes = 0;
            place
                .perform(Operation::Produce(args.topic.clone(), records))
                .map_err(|failure| with_progress(failure, written))?;
            written += count;
        }
        if end {
            return Ok(written);
        }
    }
}

/// Says what was done before a failure: it stays.
fn with_progress(failure: Failure, written: u64) -> Failure {
    if written == 0 {
        return failure;
    }
    let help = match &failure.help {
        Some(help) => format!("{help}; {}", after(written)),
        None => after(written),
    };
    failure.help(help)
}

fn after(written: u64) -> String {
    format!(
        "{} records before it were written",
        terminal::count(written)
    )
}

fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut limited = std::io::Read::take(&mut *input, LINE_BYTES_MAX as u64 + 1);
    let n = limited.read_until(b'\n', line)?;
    if n > LINE_BYTES_MAX {
        let what = format!("a line has more than {LINE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what));
    }
    Ok(n)
}

/// How a line becomes a record.
struct Shape {
    json: bool,
    key: Option<Vec<u8>>,
    separator: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    partition: Option<i32>,
    at_once: bool,
}

impl Shape {
    fn new(args: &ProduceArgs) -> Result<Self, Failure> {
        let invalid = |what: String| Failure::new(Exit::Invalid, "LS0220", what);
        let header = |text: &String| -> Result<_, Failure> {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                invalid(format!("--header {text}: there is no `=`")).help("write NAME=VALUE")
            })?;
            Ok((name.to_owned(), Some(value.as_bytes().to_vec())))
        };
        let separator = args
            .key_separator
            .as_ref()
            .map(|text| text.replace("\\t", "\t"));
        if separator.as_ref().is_some_and(String::is_empty) {
            return Err(invalid("--key-separator is empty".to_owned()));
        }
        let json = args.output == InputForm::Json;
        if json && separator.is_some() {
            return Err(
                invalid("--key-separator has no meaning for JSON lines".to_owned())
                    .help("the key is the field `key` of each line"),
            );
        }
        Ok(Self {
            json,
            key: args.key.clone().map(String::into_bytes),
            separator: separator.map(String::into_bytes),
            headers: args.headers.iter().map(header).collect::<Result<_, _>>()?,
            partition: args.partition,
            at_once: args.file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stdin()),
        })
    }

    /// Returns the record of a line; `None` for an empty line between JSON objects.
    fn record(&self, number: u64, line: &[u8]) -> Result<Option<NewRecord>, Failure> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut record = if self.json {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let text = std::str::from_utf8(line).map_err(|_| {
                Failure::new(Exit::Invalid, "LS0525", format!("line {number}: not UTF-8"))
            })?;
            if text.trim().is_empty() {
                return Ok(None);
            }
            NewRecord::from_json(number, text)?
        } else {
            self.plain(number, line)?
        };
        if self.key.is_some() {
            record.key.clone_from(&self.key);
        }
        record.partition = self.partition.or(record.partition);
        record.headers.extend(self.headers.iter().cloned());
        Ok(Some(record))
    }

    fn plain(&self, line: u64, text: &[u8]) -> Result<NewRecord, Failure> {
        let mut record = NewRecord {
            line,
            ..NewRecord::default()
        };
        let Some(separator) = &self.separator else {
            record.value = Some(text.to_vec());
            return Ok(record);
        };
        let at = text
            .windows(separator.len())
            .position(|window| window == separator.as_slice());
        let (key, value) = at
            .and_then(|at| Some((text.get(..at)?, text.get(at + separator.len()..)?)))
            .ok_or_else(|| {
                let shown = String::from_utf8_lossy(separator);
                let message = format!("line {line}: there is no key separator `{shown}`");
                Failure::new(Exit::Invalid, "LS0525", message)
                    .help("each line is KEY, the separator, VALUE")
            })?;
        record.key = Some(key.to_vec());
        record.value = Some(value.to_vec());
        Ok(record)
    }
}
