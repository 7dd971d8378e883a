//! A transform behind the table.

use linkspan_abi::{
    BatchBuf, RVec,
    batch::{self, SinkBatch},
};

use super::{
    runtime::block_on,
    shell::{Task, not_open},
};
use crate::{
    Applied, Records, Result, Transform, TransformContext, context::TaskContext,
    export::class::config_error, options::Options as _,
};

/// A transform's task.
pub(crate) struct Step<T: Transform> {
    context: TaskContext,
    task: Option<T>,
    out: Applied,
}

impl<T: Transform> Step<T> {
    pub(crate) fn new(context: TaskContext) -> Self {
        Self {
            context,
            task: None,
            out: Applied::new(),
        }
    }
}

impl<T: Transform> Task for Step<T> {
    fn open(&mut self) -> Result<()> {
        let options = T::Options::from_config(self.context.config())
            .map_err(|problems| config_error(&problems))?;
        let context = TransformContext::new(self.context.clone());
        self.task = Some(block_on(T::open(options, context))?);
        Ok(())
    }

    fn apply(&mut self, batch: &[u8]) -> Result<BatchBuf> {
        let records = SinkBatch::parse(batch)?;
        let task = self.task.as_mut().ok_or_else(not_open)?;
        self.out.writer.clear();
        self.out.writer.set_mapped();
        block_on(task.apply(Records::new(&records), &mut self.out))?;
        let count = self.out.len();
        let bytes = self.out.writer.finish()?;
        Ok(BatchBuf {
            format: u32::from(batch::FORMAT),
            count,
            seq: 0,
            bytes: RVec::from(bytes),
        })
    }

    fn close(&mut self) -> Result<()> {
        match &mut self.task {
            Some(task) => block_on(task.close()),
            None => Ok(()),
        }
    }
}
