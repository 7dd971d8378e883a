//! What the disk can do: a large sequential write, and one page written and synced again and again.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use linkspan_log::{DiskFs, File, Fs as _, Open};

use crate::table::{float, timed};

const RAW_BYTES: u64 = 256 << 20;
const FILE_BYTES: u64 = 8 << 20;

/// R: MB/s of a sequential write into a new file, one fdatasync at its end included.
pub(crate) fn sequential(dir: &Path) -> Result<f64> {
    let path = dir.join("calibrate");
    let chunk = vec![0x5a_u8; 1 << 20];
    let file = DiskFs.open(&path, Open::Create)?;
    file.truncate(0)?;
    let start = Instant::now();
    for n in 0..RAW_BYTES >> 20 {
        file.write_at(&[IoSlice::new(&chunk)], n << 20)?;
    }
    file.sync_data()?;
    let rate = float(RAW_BYTES) / start.elapsed().as_secs_f64() / 1e6;
    DiskFs.remove(&path)?;
    Ok(rate)
}

/// S: a page of a prewritten file, written and synced.
pub(crate) struct Page {
    file: Arc<dyn File>,
    bytes: Vec<u8>,
    n: u64,
}

impl Page {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        Self::of_bytes(dir, 4096)
    }

    /// A larger page.
    pub(crate) fn of_bytes(dir: &Path, bytes: usize) -> Result<Self> {
        let file = DiskFs.open(&dir.join(format!("prewritten-{bytes}")), Open::Create)?;
        for mib in 0..FILE_BYTES >> 20 {
            file.write_at(&[IoSlice::new(&vec![0; 1 << 20])], mib << 20)?;
        }
        file.sync_data()?;
        Ok(Self {
            file,
            bytes: vec![0x5a; bytes],
            n: 0,
        })
    }

    /// Returns microseconds.
    pub(crate) fn sync(&mut self) -> Result<f64> {
        let bytes = self.bytes.len() as u64;
        let at = (self.n % (FILE_BYTES / bytes)) * bytes;
        self.n += 1;
        timed(|| {
            self.file.write_at(&[IoSlice::new(&self.bytes)], at)?;
            Ok(self.file.sync_data()?)
        })
    }
}
