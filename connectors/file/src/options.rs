//! Options of `file-source` and `file-sink`, and what is wrong with them before a file is touched.

mod csv;
mod legacy;
mod sink;
mod source;

pub(crate) use self::csv::{CsvOptions, ShortRows};
pub(crate) use self::legacy::{
    ControlOptions, CopybookOptions, FixedOptions, UserDefined, encoding, unknown_encoding,
};
pub(crate) use self::sink::{FileSinkOptions, SinkFormat};
pub(crate) use self::source::{
    Cleanup, FileSourceOptions, Mode, OnNoInput, ReadFrom, SourceFormat,
};

/// Reads `index/count`.
pub(crate) fn share(text: &str) -> Option<(u64, u64)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}

/// Reads one ASCII character; a backslash and `t` are a tab.
fn ascii(text: &str) -> Option<u8> {
    match text.as_bytes() {
        b"\\t" => Some(b'\t'),
        &[byte] if byte.is_ascii() && byte != b'\n' && byte != b'\r' => Some(byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use linkspan_sdk::Options;

    use super::{FileSinkOptions, FileSourceOptions};

    fn check<O: Options>(config: &[(&str, &str)], expected: &[&str]) {
        let config = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let problems = O::from_config(&config).err().unwrap_or_default();
        let mut options: Vec<_> = problems
            .iter()
            .map(|problem| problem.option.as_str())
            .collect();
        options.sort_unstable();
        assert_eq!(options, expected, "{config:?}: {problems:?}");
    }

    #[test]
    fn source_options_are_all_checked_at_once() {
        check::<FileSourceOptions>(&[("path", "a.txt"), ("topic", "t")], &[]);
        check::<FileSourceOptions>(&[("path", "[\"a.txt\",\"b*.txt\"]"), ("topic", "t")], &[]);
        check::<FileSourceOptions>(&[], &["path", "topic"]);
        check::<FileSourceOptions>(
            &[
                ("path", "a[.txt"),
                ("topic", "t"),
                ("encoding", "klingon"),
                ("file.share", "2/2"),
            ],
            &["encoding", "file.share", "path"],
        );
        check::<FileSourceOptions>(
            &[("path", "a"), ("topic", "t"), ("format", "yaml")],
            &["format"],
        );
        check::<FileSourceOptions>(
            &[("path", "a"), ("topic", "t"), ("max.line.bytes", "17MiB")],
            &["max.line.bytes"],
        );
    }

    #[test]
    fn csv_options_are_checked() {
        let base = [("path", "a"), ("topic", "t"), ("format", "csv")];
        let with = |more: &[(&'static str, &'static str)]| [&base, more].concat();
        check::<FileSourceOptions>(
            &with(&[
                ("csv.types", r#"{"a":"int32","b":"decimal(9,2)"}"#),
                ("csv.delimiter", "\\t"),
            ]),
            &[],
        );
        check::<FileSourceOptions>(&with(&[("csv.types", r#"{"a":"int"}"#)]), &["csv.types"]);
        check::<FileSourceOptions>(
            &with(&[("csv.timezone", "Mars/Olympus")]),
            &["csv.timezone"],
        );
        check::<FileSourceOptions>(&with(&[("csv.timezone", "+09:00")]), &[]);
        check::<FileSourceOptions>(
            &with(&[("csv.delimiter", ";;"), ("csv.escape", "é")]),
            &["csv.delimiter", "csv.escape"],
        );
        check::<FileSourceOptions>(&with(&[("csv.quote", ",")]), &["csv.quote"]);
        check::<FileSourceOptions>(&with(&[("csv.columns", "a,b")]), &["csv.columns"]);
    }

    #[test]
    fn sink_options_are_checked() {
        check::<FileSinkOptions>(&[("path", "out/o.txt")], &[]);
        check::<FileSinkOptions>(&[("path", "..")], &["path"]);
        check::<FileSinkOptions>(&[("path", "o"), ("on.existing", "ask")], &["on.existing"]);
        check::<FileSinkOptions>(
            &[("path", "o"), ("csv.delimiter", "\"")],
            &["csv.delimiter"],
        );
    }
}
