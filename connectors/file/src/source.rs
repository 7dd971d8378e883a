//! `file-source`: options to a reader, and the split into tasks.

use std::rc::Rc;

use fancy_regex::Regex;
use linkspan_sdk::prelude::*;

use crate::charset::Charset;
use crate::control::Control;
use crate::copybook::records::{CopybookRecords, RecordSettings};
use crate::decode::{CsvRows, CsvSettings, Decode, JsonRecords, Lines, Multiline, XmlRecords};
use crate::encoding::{Fallback, TextEncoding, TextLayer};
use crate::files::{Files, Share};
use crate::fixed::cutter::Cutter;
use crate::fixed::decoder::Rows;
use crate::fixed::records::FixedRecords;
use crate::infer;
use crate::options::{self, Cleanup, FileSourceOptions, Mode, OnNoInput, ReadFrom, SourceFormat};
use crate::paths::{self, Patterns};
use crate::reader::{Reader, Settings};
use crate::spool::{OnDuplicate, SpoolSettings};
use crate::storage::Local;
use crate::unpack::UnpackLimit;

/// A task of `file-source`.
#[derive(Debug)]
pub(crate) struct FileSource {
    reader: Reader,
}

impl SourceTask for FileSource {
    type Options = FileSourceOptions;

    async fn open(options: FileSourceOptions, ctx: SourceContext) -> Result<Self> {
        let share = options::share(&options.file_share).unwrap_or((0, 1));
        let shared = match options.mode {
            Mode::Tail => Share::ByFamily,
            Mode::Spool => Share::ByBytes,
        };
        let files = Files::matching(Rc::new(Local), patterns(&options), share, shared)
            .cleaning(options.cleanup != Cleanup::None);
        let decoder = decoder(&options, &ctx)?;
        let charset = charset(&options);
        Ok(Self {
            reader: Reader::new(settings(&options), ctx, files, decoder, charset)?,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        self.reader.poll(out).await
    }
}

/// Returns what reads the records of the format.
fn decoder(options: &FileSourceOptions, ctx: &SourceContext) -> Result<Box<dyn Decode>> {
    Ok(match options.format {
        SourceFormat::Lines => match &options.multiline_start_pattern {
            None => Box::new(Lines::TEXT),
            Some(pattern) => {
                let start = Regex::new(pattern).map_err(|error| {
                    Error::config_invalid(format!("`multiline.start.pattern`: {error}"))
                })?;
                Box::new(Multiline::new(start))
            }
        },
        SourceFormat::Csv => Box::new(CsvRows::new(CsvSettings::new(&options.csv), ctx.clone())),
        SourceFormat::Tsv => {
            let mut settings = CsvSettings::new(&options.csv);
            if settings.dialect.delimiter == b',' {
                settings.dialect.delimiter = b'\t';
            }
            Box::new(CsvRows::new(settings, ctx.clone()))
        }
        SourceFormat::Jsonl => Box::new(Lines::JSON),
        SourceFormat::Json => Box::new(JsonRecords::new(&options.json_path)),
        SourceFormat::Xml => Box::new(XmlRecords::new(&options.xml_path)),
        SourceFormat::Fixed => Box::new(fixed(options, ctx)?),
        SourceFormat::Copybook => Box::new(copybook(options, ctx)?),
    })
}

/// Returns what decodes text that is not UTF-8.
fn charset(options: &FileSourceOptions) -> Option<Box<dyn Charset>> {
    let encoding = options.text_encoding()?;
    (encoding != TextEncoding::Utf8).then(|| Box::new(TextLayer::new(encoding)) as Box<dyn Charset>)
}

/// Control totals need a file that is complete: a job's, or a spooled one.
fn control(options: &FileSourceOptions, ctx: &SourceContext) -> Result<Control> {
    let control = options.control.control(&mut |_, _| {});
    if control.is_set() && options.mode == Mode::Tail && !ctx.bounded() {
        return Err(Error::config_invalid(
            "control totals are checked in complete files: use `mode: spool`, or run the source as a job",
        ));
    }
    Ok(control)
}

fn known_encoding(options: &FileSourceOptions) -> Result<TextEncoding> {
    let unknown = || Error::config_invalid(options::unknown_encoding(&options.encoding));
    options.text_encoding().ok_or_else(unknown)
}

fn fixed(options: &FileSourceOptions, ctx: &SourceContext) -> Result<FixedRecords> {
    let encoding = known_encoding(options)?;
    let layout = options
        .fixed
        .layout(encoding)
        .map_err(|wrong| Error::config_invalid(format!("`fixed.layout`: {}", wrong.join("; "))))?;
    let cutter = Cutter {
        layout,
        end: options.fixed.record_end,
        pads_short: options.fixed.pad_short_records,
    };
    let fields = options.fixed.context(encoding, Fallback::Refuse);
    let rows = Rows::new(cutter, fields, ctx)?;
    let control = control(options, ctx)?;
    Ok(FixedRecords::new(
        rows,
        control,
        options.max_line_bytes.as_usize(),
    ))
}

fn copybook(options: &FileSourceOptions, ctx: &SourceContext) -> Result<CopybookRecords> {
    let plan = options
        .copybook
        .plan(known_encoding(options)?)
        .map_err(|wrong| {
            let list = wrong
                .iter()
                .map(|(option, wrong)| format!("`{option}`: {wrong}"));
            Error::config_invalid(list.collect::<Vec<_>>().join("; "))
        })?;
    let settings = RecordSettings {
        frames: options.copybook.frames(),
        len: options
            .copybook
            .record_length
            .and_then(|len| usize::try_from(len).ok()),
        skipped: options.copybook.skipped(),
        control: control(options, ctx)?,
        record_bytes_max: options.max_line_bytes.as_usize(),
    };
    CopybookRecords::new(plan, settings, ctx)
}

fn patterns(options: &FileSourceOptions) -> Patterns {
    let exclude = options.exclude.iter();
    Patterns {
        include: options.path.0.clone(),
        exclude: exclude
            .filter_map(|pattern| glob::Pattern::new(pattern).ok())
            .collect(),
        order: options.order,
        globs: true,
    }
}

fn settings(options: &FileSourceOptions) -> Settings {
    Settings {
        mode: options.mode,
        compression: options.compression,
        unpack_limit: UnpackLimit {
            bytes_max: options.max_unpacked_bytes.as_usize() as u64,
        },
        line_bytes_max: options.max_line_bytes.as_usize(),
        header_lines: options.skip_header_lines,
        footer_lines: options.skip_footer_lines,
        record_headers: options.record_headers,
        records_max: options.batch_records,
        bytes_max: options.batch_bytes.as_usize(),
        on_replaced: options.on_replaced,
        input_optional: options.on_no_input == OnNoInput::Ok,
        from_end: options.read_from == ReadFrom::End,
        rotate_wait: options.rotate_wait,
        multiline_timeout: options.multiline_timeout,
        poll_interval: options.poll_interval,
        spool: SpoolSettings {
            on_duplicate: options.on_duplicate.unwrap_or(OnDuplicate::Fail),
            done_marker: options.done_marker.clone(),
            age_min: options.min_file_age,
            looks_min: options.stable_size_checks,
            cleanup: options.cleanup,
            finished: options.finished_path.clone(),
            error: options.error_path.clone(),
            history: options.history,
        },
        ..Settings::plain(options.topic.clone())
    }
}

/// `file-source` as a whole: splits its files among tasks.
#[derive(Debug)]
pub(crate) struct FileSourceConnector;

impl SourceConnector for FileSourceConnector {
    type Options = FileSourceOptions;

    fn call(operation: &str, body: &serde_json::Value) -> Result<serde_json::Value> {
        match operation {
            "infer" => infer::answer(body),
            other => Err(Error::unsupported(format!(
                "`file-source` does not know the operation `{other}`"
            ))),
        }
    }

    /// Opens each file that `path` names now.
    async fn check(options: &FileSourceOptions) -> Result<Checked> {
        Ok(crate::outside::readable(&paths::find(
            &Local,
            &patterns(options),
        )?))
    }

    /// Each file belongs to one task, by a hash of its name or, spooled, of its first bytes: positions are stored by file, so
    /// another number of tasks continues where the last one stopped. There are no more tasks than files now, and one at least.
    async fn task_configs(options: &FileSourceOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let files = paths::find(&Local, &patterns(options))?.files.len();
        let tasks = u32::try_from(files)
            .unwrap_or(u32::MAX)
            .clamp(1, max.max(1));
        Ok((0..tasks)
            .map(|task| TaskConfig::from([("file.share".to_owned(), format!("{task}/{tasks}"))]))
            .collect())
    }
}
