//! `file-sink`: records to one file that grows, or to many that are finished, exactly once either way.
//!
//! A `path` with placeholders makes many files ([`many`]), any other one ([`single`]).

mod lane;
mod many;
mod single;
mod template;

use linkspan_sdk::prelude::*;

use self::many::ManyFiles;
use self::single::SingleFile;
pub(crate) use self::template::Template;
use crate::options::FileSinkOptions;

/// A task of `file-sink`.
#[derive(Debug)]
pub(crate) struct FileSink(Files);

#[derive(Debug)]
enum Files {
    Single(Box<SingleFile>),
    Many(Box<ManyFiles>),
}

/// `file-sink` as a whole.
#[derive(Debug)]
pub(crate) struct FileSinkConnector;

impl SinkConnector for FileSinkConnector {
    type Options = FileSinkOptions;

    /// One file has one writer; of many files each belongs to a partition, and so to the task that has it.
    async fn task_configs(options: &FileSinkOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let tasks = if options.is_template() { max.max(1) } else { 1 };
        Ok((0..tasks).map(|_| TaskConfig::new()).collect())
    }

    /// Looks whether the file, or the nearest folder of it that is there, may be written to. Makes nothing.
    async fn check(options: &FileSinkOptions) -> Result<Checked> {
        Ok(crate::outside::writable(&options.path))
    }
}

impl SinkTask for FileSink {
    type Options = FileSinkOptions;

    async fn open(options: FileSinkOptions, ctx: SinkContext) -> Result<Self> {
        Ok(Self(if options.is_template() {
            Files::Many(Box::new(ManyFiles::new(options, ctx)?))
        } else {
            Files::Single(Box::new(SingleFile::new(options, ctx)))
        }))
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        match &mut self.0 {
            Files::Single(single) => single.assigned(partitions),
            Files::Many(many) => many.assigned(partitions),
        }
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        match &mut self.0 {
            Files::Single(single) => single.put(records, report),
            Files::Many(many) => many.put(records, report),
        }
    }

    async fn flush(&mut self) -> Result<Progress> {
        match &mut self.0 {
            Files::Single(single) => single.flush(),
            Files::Many(many) => many.flush(),
        }
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        match &mut self.0 {
            Files::Single(single) => single.revoked(partitions),
            Files::Many(many) => many.revoked(partitions),
        }
        Ok(())
    }
}
