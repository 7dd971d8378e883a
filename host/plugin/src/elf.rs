//! Does a file export our symbol? Answered from a few pages of it, without running or mapping it.
//!
//! Reads the header, the program headers, the section headers, and the dynamic symbols with their names. Each length is checked
//! against the file and a bound before anything is allocated.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

/// The most bytes of one table that are read.
const TABLE_BYTES_MAX: u64 = 64 << 20;

const HEADER_LEN: usize = 64;
const PROGRAM_HEADER_LEN: u64 = 56;
const SECTION_HEADER_LEN: u64 = 64;
const SYMBOL_LEN: usize = 24;
const TYPE_SHARED: u16 = 3;
const SEGMENT_LOAD: u32 = 1;
const SECTION_DYNSYM: u32 = 11;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It exports the symbol.
    Exports,
    /// It is no shared library of this machine that exports the symbol.
    Foreign(&'static str),
    /// It cannot be read, or its parts are not all there.
    Broken(String),
}

/// Looks at a file.
pub(crate) fn look(path: &Path, symbol: &str) -> Look {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Look::Foreign("it is not a file"),
        _ => {}
    }
    match File::open(path).and_then(|file| look_inside(&file, symbol)) {
        Ok(look) => look,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Look::Broken("the file is truncated".to_owned())
        }
        Err(error) => Look::Broken(error.to_string()),
    }
}

fn look_inside(file: &File, symbol: &str) -> io::Result<Look> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Look::Foreign("it is not a file"));
    }
    let len = metadata.len();
    if len == 0 {
        return Ok(Look::Foreign("the file is empty"));
    }
    if len < u64::try_from(HEADER_LEN).unwrap_or(u64::MAX) {
        return Ok(Look::Foreign("it is not a shared library"));
    }
    let header = read(file, len, 0, u64::try_from(HEADER_LEN).unwrap_or(0))?;
    if header.get(..4) != Some(b"\x7fELF") {
        return Ok(Look::Foreign("it is not a shared library"));
    }
    // 64 bit, little-endian.
    if header.get(4..6) != Some(&[2, 1]) || u16_at(&header, 18) != Some(MACHINE) {
        return Ok(Look::Foreign("it is built for another machine"));
    }
    if u16_at(&header, 16) != Some(TYPE_SHARED) {
        return Ok(Look::Foreign("it is not a shared library"));
    }
    check_segments(file, len, &header)?;
    let Some((symbols, names)) = dynamic_symbols(file, len, &header)? else {
        return Ok(Look::Foreign("it has no dynamic symbols"));
    };
    let defined = symbols.chunks_exact(SYMBOL_LEN).any(|entry| {
        let place = u32_at(entry, 0).and_then(|place| usize::try_from(place).ok());
        let name = place
            .and_then(|place| names.get(place..))
            .and_then(|rest| rest.split(|byte| *byte == 0).next());
        name == Some(symbol.as_bytes()) && u16_at(entry, 6) != Some(0)
    });
    Ok(if defined {
        Look::Exports
    } else {
        Look::Foreign("it does not export the plugin symbol")
    })
}

/// A segment beyond the end of the file is SIGBUS when it is touched.
fn check_segments(file: &File, len: u64, header: &[u8]) -> io::Result<()> {
    let (Some(at), Some(count)) = (u64_at(header, 32), u16_at(header, 56)) else {
        return Err(truncated());
    };
    let headers = read(file, len, at, PROGRAM_HEADER_LEN * u64::from(count))?;
    for header in headers.chunks_exact(usize::try_from(PROGRAM_HEADER_LEN).unwrap_or(1)) {
        let (Some(kind), Some(at), Some(size)) =
            (u32_at(header, 0), u64_at(header, 8), u64_at(header, 32))
        else {
            return Err(truncated());
        };
        if kind == SEGMENT_LOAD && at.checked_add(size).is_none_or(|end| end > len) {
            return Err(truncated());
        }
    }
    Ok(())
}

/// Returns the bytes of the dynamic symbols and of their names.
fn dynamic_symbols(file: &File, len: u64, header: &[u8]) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let (Some(at), Some(count)) = (u64_at(header, 40), u16_at(header, 60)) else {
        return Err(truncated());
    };
    let sections = read(file, len, at, SECTION_HEADER_LEN * u64::from(count))?;
    let section_len = usize::try_from(SECTION_HEADER_LEN).unwrap_or(1);
    let section = |index: usize| {
        let start = index.checked_mul(section_len)?;
        sections.get(start..start.checked_add(section_len)?)
    };
    let Some(symbols) = (0..usize::from(count))
        .filter_map(section)
        .find(|section| u32_at(section, 4) == Some(SECTION_DYNSYM))
    else {
        return Ok(None);
    };
    let names = u32_at(symbols, 40)
        .and_then(|link| usize::try_from(link).ok())
        .and_then(section)
        .ok_or_else(truncated)?;
    let bytes = |section: &[u8]| -> io::Result<Vec<u8>> {
        let (Some(at), Some(size)) = (u64_at(section, 24), u64_at(section, 32)) else {
            return Err(truncated());
        };
        read(file, len, at, size)
    };
    Ok(Some((bytes(symbols)?, bytes(names)?)))
}

fn truncated() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

/// Reads a range that must lie within the file.
fn read(file: &File, len: u64, at: u64, size: u64) -> io::Result<Vec<u8>> {
    if at.checked_add(size).is_none_or(|end| end > len) {
        return Err(truncated());
    }
    if size > TABLE_BYTES_MAX {
        return Err(io::Error::other("a table of the file is too large"));
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cut_and_no_changed_byte_panics() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.so");
        let check = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            assert_ne!(look(&path, "no such symbol"), Look::Exports);
        };
        let head = &program[..4096];
        for len in (0..200).chain([1_000, 4_000]) {
            check(&head[..len]);
        }
        // Tables that lie about their place and size.
        for at in 16..64 {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut changed = head.to_vec();
                changed[at] = byte;
                check(&changed);
            }
        }
    }
}
