#![doc = include_str!("../README.md")]

mod charset;
mod column;
mod content;
mod control;
mod copybook;
mod decode;
mod encode;
mod encoding;
mod error;
mod files;
mod fixed;
mod format;
mod identity;
mod infer;
mod moment;
mod options;
mod output;
mod outside;
mod pack;
mod paths;
mod reader;
mod recorded;
mod rotation;
mod sink;
mod source;
mod spool;
mod storage;
mod stream;
mod unpack;
mod window;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::sink::{FileSink, FileSinkConnector};
use crate::source::{FileSource, FileSourceConnector};
use crate::stream::{StreamSink, StreamSinkConnector, StreamSource, StreamSourceConnector};

export_plugin! {
    sources: [
        FileSource as "file-source" { connector: FileSourceConnector },
        StreamSource as "FileStreamSource" {
            connector: StreamSourceConnector,
            aliases: ["FileStreamSourceConnector", "org.apache.kafka.connect.file.FileStreamSourceConnector"],
        },
    ],
    sinks: [
        FileSink as "file-sink" { connector: FileSinkConnector },
        StreamSink as "FileStreamSink" {
            connector: StreamSinkConnector,
            aliases: ["FileStreamSinkConnector", "org.apache.kafka.connect.file.FileStreamSinkConnector"],
        },
    ],
}
