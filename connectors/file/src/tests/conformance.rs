//! The suites of the testkit.

use std::fs;
use std::path::Path;

use linkspan_testkit::TestRecord;
use linkspan_testkit::conformance::{SinkSuite, SourceSuite};

use crate::sink::FileSink;
use crate::source::FileSource;

fn path(folder: &Path, name: &str) -> (&'static str, String) {
    ("path", folder.join(name).display().to_string())
}

#[test]
fn the_source_conforms() {
    SourceSuite::<FileSource>::new(|folder| {
        let lines: Vec<String> = (0..24).map(|number| format!("line {number}\n")).collect();
        fs::write(folder.join("a.txt"), lines.concat()).unwrap();
        fs::write(
            folder.join("b.txt"),
            lines.concat().replace("line", "other"),
        )
        .unwrap();
        [
            path(folder, "*.txt"),
            ("topic", "t".to_owned()),
            ("format", "lines".to_owned()),
        ]
    })
    .run();
}

#[test]
fn the_sink_conforms_and_is_exactly_once() {
    SinkSuite::<FileSink>::new(|folder| [path(folder, "out.txt"), ("format", "lines".to_owned())])
        .outside(|folder| {
            let text = fs::read_to_string(folder.join("out.txt")).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        })
        .rejecting(TestRecord::new("t", "two\nlines"))
        .exactly_once()
        .run();
}
