//! `file-source`: options to a reader, and the split into tasks.

use linkspan_sdk::prelude::*;

use crate::decode::Decoder;
use crate::files::Files;
use crate::options::{self, FileSourceOptions, OnNoInput, SourceFormat};
use crate::paths;
use crate::reader::{Reader, Settings};
use crate::table::CsvSettings;

/// A task of `file-source`.
#[derive(Debug)]
pub(crate) struct FileSource {
    reader: Reader,
}

impl SourceTask for FileSource {
    type Options = FileSourceOptions;

    async fn open(options: FileSourceOptions, ctx: SourceContext) -> Result<Self> {
        let share = options::share(&options.file_share).unwrap_or((0, 1));
        let files = Files::matching(options.path.0.clone(), share);
        let decoder = match options.format {
            SourceFormat::Csv => Decoder::csv(CsvSettings::new(&options.csv), ctx.clone()),
            SourceFormat::Lines => Decoder::Lines,
        };
        Ok(Self {
            reader: Reader::new(settings(&options), ctx, files, decoder),
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        self.reader.poll(out)
    }
}

fn settings(options: &FileSourceOptions) -> Settings {
    Settings {
        topic: options.topic.clone(),
        line_bytes_max: options.max_line_bytes.as_usize(),
        records_max: options.batch_records,
        bytes_max: options.batch_bytes.as_usize(),
        on_replaced: options.on_replaced,
        input_optional: options.on_no_input == OnNoInput::Ok,
        poll_interval: options.poll_interval,
        position_only: false,
    }
}

/// `file-source` as a whole: splits its files among tasks.
#[derive(Debug)]
pub(crate) struct FileSourceConnector;

impl SourceConnector for FileSourceConnector {
    type Options = FileSourceOptions;

    /// Each file belongs to one task, by a hash of its name: positions are stored by file, so another number of tasks
    /// continues where the last one stopped. There are no more tasks than files now, and one at least.
    async fn task_configs(options: &FileSourceOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let files = paths::find(&options.path.0, true)?.files.len();
        let tasks = u32::try_from(files)
            .unwrap_or(u32::MAX)
            .clamp(1, max.max(1));
        Ok((0..tasks)
            .map(|task| TaskConfig::from([("file.share".to_owned(), format!("{task}/{tasks}"))]))
            .collect())
    }
}
