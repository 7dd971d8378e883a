//! Everything that a plugin needs, for `use linkspan_sdk::prelude::*`.

pub use std::time::Duration;

pub use crate::{
    Applied, Assigned, BatchBuilder, ByteSize, Checked, ConfigProblem, Data, Datum, Durable,
    Encoding, Error, ErrorKind, NewRecord, OffsetValue, OffsetView, OptionDef, OptionEnum,
    OptionValue, Options, PathList, Poll, Progress, Record, RecordBuilder, Records, Report, Result,
    Row, RowSchema, RowWriter, Schema, SchemaBuilder, Secret, Seeks, Seq, SinkConnector,
    SinkContext, SinkTask, SourceConnector, SourceContext, SourcePartition, SourceTask, Struct,
    TaskConfig, TaskContext, TopicName, TopicPartition, Transform, TransformContext, Value,
    ValueRef, ValueRefExt, export_plugin,
};
