//! The dashboard's files, embedded in the program: what is served under `/ui/`.
//!
//! They are plain ES modules and one style sheet in `web/`, written by hand and served as they are; nothing is built, and
//! nothing is fetched from elsewhere. Here: which files there are, their media types, tags and compressed forms. Not here: HTTP
//! (see `linkspan-rest`), and what the pages show (see `README.md`).

mod files;

use std::io::Write as _;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::files::FILES;

/// What a browser may do on these pages: load from this host only, and run no text as code.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'";

/// Hex digits of a tag.
const TAG_DIGITS: usize = 32;

/// One file of the dashboard.
#[derive(Debug)]
pub struct Asset {
    /// Its path below `/ui/`.
    pub path: &'static str,
    /// Its media type.
    pub media: &'static str,
    /// Its bytes.
    pub body: &'static [u8],
    /// Its bytes as gzip.
    pub gzip: Vec<u8>,
    /// Its entity tag, with quotes: a hash of the bytes.
    pub tag: String,
}

/// Finds a file by its path below `/ui/`; the empty path is the page itself.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    let path = if path.is_empty() { "index.html" } else { path };
    assets().iter().find(|asset| asset.path == path)
}

/// All files, compressed when first asked for.
pub fn assets() -> &'static [Asset] {
    static ASSETS: OnceLock<Vec<Asset>> = OnceLock::new();
    ASSETS.get_or_init(|| {
        FILES
            .iter()
            .map(|&(path, body)| Asset {
                path,
                media: media(path),
                body,
                gzip: compress(body),
                tag: tag(body),
            })
            .collect()
    })
}

fn media(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

fn compress(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory cannot fail; an empty answer would be seen by the tests.
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
}

fn tag(body: &[u8]) -> String {
    let hash = format!("{:x}", Sha256::digest(body));
    format!("\"{}\"", hash.get(..TAG_DIGITS).unwrap_or(&hash))
}

#[cfg(test)]
mod tests;
