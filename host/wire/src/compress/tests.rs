use super::*;

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491u32;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..len).map(step).collect()
}

fn packed(codec: Compression, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(codec, data, &mut out).unwrap();
    out
}

fn unpacked(codec: Compression, payload: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let mut out = vec![7; 9];
    decompress(codec, payload, &mut out, limit).map(|()| out)
}

#[test]
fn every_codec_returns_what_it_was_given() {
    let text: Vec<u8> = b"line 000123 of a plain file\n".repeat(9_000);
    for codec in CODECS {
        for data in [
            &b""[..],
            b"x",
            &noise(70_000),
            &text,
            &noise(65_536),
            &vec![0; 131_072],
        ] {
            if codec == Compression::None && data.is_empty() {
                continue;
            }
            let payload = packed(codec, data);
            assert_eq!(
                unpacked(codec, &payload, data.len()).unwrap(),
                data,
                "{codec}"
            );
        }
    }
}

#[test]
fn output_stops_at_the_limit() {
    let bomb = vec![0; 1 << 20];
    for codec in CODECS {
        if codec == Compression::None {
            continue;
        }
        let payload = packed(codec, &bomb);
        for limit in [0, 1, 65_535, 65_536, (1 << 20) - 1] {
            let mut out = Vec::new();
            let error = decompress(codec, &payload, &mut out, limit).unwrap_err();
            assert!(
                matches!(error, Error::DecompressedTooLarge { limit: named, .. } if named == limit),
                "{codec} at {limit}: {error}"
            );
            assert!(
                out.len() <= limit + 1,
                "{codec} at {limit} grew to {}",
                out.len()
            );
        }
        assert_eq!(unpacked(codec, &payload, 1 << 20).unwrap(), bomb);
    }
}

#[test]
fn an_empty_payload_is_an_empty_stream_only_for_zstd() {
    for (codec, readable) in [
        (Compression::Gzip, false),
        (Compression::Snappy, false),
        (Compression::Lz4, false),
        (Compression::Zstd, true),
    ] {
        assert_eq!(unpacked(codec, b"", 100).is_ok(), readable, "{codec}");
    }
}

#[test]
fn what_follows_a_stream_is_treated_as_kafka_treats_it() {
    let data = b"some bytes, some bytes, some bytes";
    for (codec, spare, readable) in [
        (Compression::Gzip, 3, true),
        (Compression::Gzip, 40, true),
        (Compression::Snappy, 3, true),
        (Compression::Snappy, 40, false),
        (Compression::Lz4, 3, true),
        (Compression::Lz4, 40, true),
        (Compression::Zstd, 3, false),
        (Compression::Zstd, 40, false),
    ] {
        let mut payload = packed(codec, data);
        payload.extend(vec![0xaa; spare]);
        let result = unpacked(codec, &payload, 1000);
        assert_eq!(result.is_ok(), readable, "{codec} + {spare}: {result:?}");
        if let Ok(out) = result {
            assert_eq!(out, data);
        }
    }
}

#[test]
fn a_second_stream_is_read_except_by_lz4() {
    for (codec, expected) in [
        (Compression::Gzip, &b"onetwo"[..]),
        (Compression::Snappy, b"onetwo"),
        (Compression::Lz4, b"one"),
        (Compression::Zstd, b"onetwo"),
    ] {
        let payload = [packed(codec, b"one"), packed(codec, b"two")].concat();
        assert_eq!(
            unpacked(codec, &payload, 1000).unwrap(),
            expected,
            "{codec}"
        );
    }
}

#[test]
fn foreign_framings() {
    let raw = snap::raw::Encoder::new()
        .compress_vec(b"a bare snappy block")
        .unwrap();
    assert_eq!(
        unpacked(Compression::Snappy, &raw, 99).unwrap(),
        b"a bare snappy block"
    );

    let mut info = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max256KB)
        .block_checksums(true)
        .content_checksum(true);
    for (mode, readable) in [
        (lz4_flex::frame::BlockMode::Independent, true),
        (lz4_flex::frame::BlockMode::Linked, false),
    ] {
        info = info.block_mode(mode);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info.clone(), Vec::new());
        io::Write::write_all(&mut encoder, &b"lines of text ".repeat(50_000)).unwrap();
        let payload = encoder.finish().unwrap();
        let result = unpacked(Compression::Lz4, &payload, 1 << 20);
        assert_eq!(result.is_ok(), readable);
        if let Ok(out) = result {
            assert_eq!(out, b"lines of text ".repeat(50_000));
        }
    }
}

#[test]
fn our_lz4_is_read_by_the_library() {
    let data = [b"text ".repeat(40_000), noise(100_000)].concat();
    let payload = packed(Compression::Lz4, &data);
    let mut out = Vec::new();
    lz4_flex::frame::FrameDecoder::new(&payload[..])
        .read_to_end(&mut out)
        .unwrap();
    assert_eq!(out, data);
}

#[test]
fn a_packed_batch_has_a_buffer_of_its_length() {
    let records = b"a line that repeats itself, as lines in logs do. ".repeat(4000);
    for codec in CODECS {
        let batch = super::packed(codec, &records, 61).unwrap();
        assert_eq!(batch.capacity(), batch.len(), "{codec:?}");
        let (head, body) = batch.split_at(61);
        assert_eq!(head, [0; 61]);
        let mut out = Vec::new();
        decompress(codec, body, &mut out, records.len()).unwrap();
        assert!(out == records, "{codec:?}");
    }
}
