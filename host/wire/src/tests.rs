//! Behaviour of the crate as a whole: round trips, torn and damaged buffers, arbitrary bytes.

use proptest::prelude::*;

use crate::{
    Batch, BatchBuilder, Batches, Compression, Error, ErrorClass, HEADER_LEN, RecordFault,
    TimestampType, set_base_offset_and_epoch, set_producer,
};

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);
type OwnedRecord = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<OwnedHeader>);

fn encode(codec: Compression, records: &[OwnedRecord]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    push_all(&mut builder, records);
    builder.finish().unwrap()
}

fn push_all(builder: &mut BatchBuilder, records: &[OwnedRecord]) {
    for (timestamp, key, value, headers) in records {
        let headers = headers.iter().map(|(name, value)| (name, value.as_ref()));
        builder
            .push(*timestamp, key.as_deref(), value.as_deref(), headers)
            .unwrap();
    }
}

fn decode(batch: &Batch<'_>) -> Result<Vec<(i64, i32, OwnedRecord)>, Error> {
    let mut scratch = Vec::new();
    let mut all = Vec::new();
    for record in batch.records(&mut scratch)? {
        let record = record?;
        assert_eq!(record.headers.len(), record.headers.count());
        let headers = record
            .headers
            .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
            .collect();
        let owned = (
            record.timestamp,
            record.key.map(<[u8]>::to_vec),
            record.value.map(<[u8]>::to_vec),
            headers,
        );
        all.push((record.offset, record.sequence, owned));
    }
    Ok(all)
}

/// Three records, one with headers, of 100 to 102 ms.
fn sample() -> Vec<OwnedRecord> {
    vec![
        (100, Some(b"k".to_vec()), Some(b"first".to_vec()), vec![]),
        (
            102,
            None,
            Some(vec![]),
            vec![
                (b"h".to_vec(), Some(b"1".to_vec())),
                (b"h".to_vec(), None),
                (vec![], Some(vec![])),
            ],
        ),
        (101, Some(vec![]), None, vec![]),
    ]
}

/// Replaces the records of a batch by `body`, with a right length and checksum.
fn with_body(count: i32, body: &[u8]) -> Vec<u8> {
    let mut batch = encode(Compression::None, &sample());
    batch.truncate(HEADER_LEN);
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    batch.extend_from_slice(body);
    let len = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&len.to_be_bytes());
    crate::batch::seal(&mut batch);
    batch
}

fn first_error(batch: &[u8]) -> Error {
    match Batch::parse(batch).and_then(|batch| batch.verify_crc().map(|()| batch)) {
        Ok(batch) => decode(&batch).unwrap_err(),
        Err(error) => error,
    }
}

#[test]
fn records_come_back_in_every_codec() {
    for codec in CODECS {
        let mut bytes = encode(codec, &sample());
        set_base_offset_and_epoch(&mut bytes, 40, 7).unwrap();
        let batch = Batch::parse(&bytes).unwrap();
        batch.verify_crc().unwrap();

        let header = batch.header();
        assert_eq!(
            (
                header.base_offset,
                header.last_offset(),
                header.next_offset()
            ),
            (40, 42, 43)
        );
        assert_eq!(
            (header.leader_epoch, header.magic, header.record_count),
            (7, 2, 3)
        );
        assert_eq!((header.base_timestamp, header.max_timestamp), (100, 102));
        assert_eq!(
            (
                header.producer_id,
                header.producer_epoch,
                header.base_sequence
            ),
            (-1, -1, -1)
        );
        assert_eq!(header.size(), bytes.len());
        assert_eq!(header.compression().unwrap(), codec);
        assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
        assert!(!header.is_control() && !header.is_transactional());
        assert_eq!(header.delete_horizon_ms(), None);

        let expected: Vec<_> = sample()
            .into_iter()
            .zip(40..)
            .map(|(record, offset)| (offset, -1, record))
            .collect();
        assert_eq!(decode(&batch).unwrap(), expected, "{codec}");
        assert_eq!(
            batch.plain_records().unwrap().is_some(),
            codec == Compression::None
        );
    }
}

#[test]
fn a_producer_is_stamped_under_the_checksum() {
    let mut bytes = encode(Compression::None, &sample());
    set_producer(&mut bytes, 9, 2, i32::MAX).unwrap();
    let batch = Batch::parse(&bytes).unwrap();
    batch.verify_crc().unwrap();
    let sequences: Vec<_> = decode(&batch)
        .unwrap()
        .into_iter()
        .map(|(_, s, _)| s)
        .collect();
    assert_eq!(sequences, [i32::MAX, 0, 1]);
    assert_eq!(batch.header().last_sequence(), 1);
    assert_eq!(
        (batch.header().producer_id, batch.header().producer_epoch),
        (9, 2)
    );
}

#[test]
fn patches_refuse_what_is_not_one_batch() {
    let batch = encode(Compression::None, &sample());
    for bytes in [
        &batch[..batch.len() - 1],
        &[&batch[..], b"x"].concat(),
        b"",
        &[0; 80],
    ] {
        let mut bytes = bytes.to_vec();
        let before = bytes.clone();
        assert!(set_base_offset_and_epoch(&mut bytes, 1, 1).is_err());
        assert!(set_producer(&mut bytes, 1, 1, 1).is_err());
        assert_eq!(bytes, before);
    }
}

#[test]
fn a_builder_is_reusable() {
    for codec in CODECS {
        let mut builder = BatchBuilder::new(codec);
        assert!(matches!(builder.finish(), Err(Error::EmptyBatch)));
        push_all(&mut builder, &sample());
        let first = builder.finish().unwrap();
        assert!(builder.is_empty());
        builder.push_plain(5, None, Some(b"dropped")).unwrap();
        builder.reset();
        push_all(&mut builder, &sample());
        assert_eq!(builder.record_count(), 3);
        assert_eq!(builder.finish().unwrap(), first);
        builder.recycle(first.clone());
        push_all(&mut builder, &sample());
        assert_eq!(builder.finish().unwrap(), first);
    }
}

#[test]
fn a_plain_push_and_one_without_headers_are_the_same() {
    let (mut plain, mut general) = (
        BatchBuilder::new(Compression::None),
        BatchBuilder::new(Compression::None),
    );
    for at in 0..200i64 {
        let value = vec![b'v'; usize::try_from(at).unwrap()];
        plain
            .push_plain(at * 1000, Some(b"key"), Some(&value))
            .unwrap();
        let none: [(&str, Option<&[u8]>); 0] = [];
        general
            .push(at * 1000, Some(b"key"), Some(&value), none)
            .unwrap();
    }
    let estimated = plain.estimated_bytes();
    let bytes = plain.finish().unwrap();
    assert_eq!(bytes.len(), estimated);
    assert_eq!(bytes, general.finish().unwrap());
}

#[test]
fn extreme_timestamps_wrap_like_java() {
    for times in [
        [i64::MIN, i64::MAX],
        [i64::MAX, i64::MIN],
        [-5, -7],
        [0, -1],
    ] {
        let records = times.map(|time| (time, None, None, vec![]));
        let bytes = encode(Compression::None, &records);
        let batch = Batch::parse(&bytes).unwrap();
        let read: Vec<_> = decode(&batch)
            .unwrap()
            .into_iter()
            .map(|(_, _, r)| r.0)
            .collect();
        assert_eq!(read, times);
        assert_eq!(batch.header().max_timestamp, times[0].max(times[1]).max(-1));
    }
}

#[test]
fn append_time_and_offset_overflow() {
    let mut bytes = encode(Compression::None, &sample());
    bytes[22] |= 0x08;
    crate::batch::seal(&mut bytes);
    set_base_offset_and_epoch(&mut bytes, i64::MAX, -1).unwrap();
    let batch = Batch::parse(&bytes).unwrap();
    assert_eq!(
        batch.header().timestamp_type(),
        TimestampType::LogAppendTime
    );
    let read = decode(&batch).unwrap();
    assert!(read.iter().all(|(_, _, record)| record.0 == 102));
    assert_eq!(read[2].0, i64::MIN + 1);
    assert_eq!(batch.header().next_offset(), i64::MIN + 2);
}

#[test]
fn a_buffer_ends_in_one_of_three_ways() {
    let one = encode(Compression::None, &sample());
    let size = one.len();
    let two = [&one[..], &one[..]].concat();
    for cut in 0..=two.len() {
        let mut batches = Batches::verified(&two[..cut]);
        assert_eq!(
            batches.by_ref().map(Result::unwrap).count(),
            cut / size,
            "cut at {cut}"
        );
        assert_eq!(batches.position(), cut / size * size);
        assert_eq!(batches.is_truncated(), cut % size != 0);
        let known = (cut % size >= 12).then_some(size);
        assert_eq!(batches.needed(), known);
    }
    for (tail, class) in [
        (vec![0; 17], None),
        (vec![0; 18], Some(ErrorClass::BadFraming)),
        (vec![0xff; 18], Some(ErrorClass::BadFraming)),
        (vec![0x7f; 400], None),
    ] {
        let bytes = [&one[..], &tail].concat();
        let mut batches = Batches::verified(&bytes);
        assert!(batches.next().unwrap().is_ok());
        let error = batches.next().map(|result| result.unwrap_err().class());
        assert_eq!(error, class, "{} bytes of {:x}", tail.len(), tail[0]);
        assert_eq!(batches.position(), size);
        assert_eq!(batches.is_truncated(), class.is_none());
        assert!(batches.next().is_none());
    }
}

#[test]
fn damage_to_the_header_has_its_class() {
    let good = encode(Compression::None, &sample());
    let cases: [(&str, usize, u8, ErrorClass); 9] = [
        ("length too large", 11, good[11] + 1, ErrorClass::Truncated),
        ("length below the header", 11, 20, ErrorClass::BadFraming),
        ("negative length", 8, 0xff, ErrorClass::BadFraming),
        ("magic 0", 16, 0, ErrorClass::BadChecksum),
        ("magic 1", 16, 1, ErrorClass::BadChecksum),
        ("magic -1", 16, 0xff, ErrorClass::BadChecksum),
        ("magic 3", 16, 3, ErrorClass::BadHeader),
        ("crc", 17, good[17] ^ 1, ErrorClass::BadChecksum),
        (
            "payload",
            HEADER_LEN + 4,
            good[HEADER_LEN + 4] ^ 1,
            ErrorClass::BadChecksum,
        ),
    ];
    for (what, at, byte, class) in cases {
        let mut bytes = good.clone();
        bytes[at] = byte;
        let error = first_error(&bytes);
        assert_eq!(error.class(), class, "{what}: {error}");
    }
    // A length that cuts the header off is no framing error: the next batch can still be found.
    let mut bytes = good.clone();
    bytes[11] = 48;
    assert!(matches!(
        Batches::new(&bytes).next(),
        Some(Err(Error::HeaderTooShort { size: 60 }))
    ));
    // A foreign magic on damaged bytes is damage.
    let mut bytes = good;
    bytes[16] = 3;
    bytes[17] ^= 1;
    assert_eq!(first_error(&bytes).class(), ErrorClass::BadChecksum);
}

#[test]
fn damage_to_records_is_named() {
    let record: &[u8] = &[14, 0, 0, 0, 1, 2, b'v', 0];
    let cases: &[(&str, i32, &[u8], Option<RecordFault>)] = &[
        ("nothing", 1, &[], Some(RecordFault::PastBatch)),
        (
            "negative length",
            1,
            &[1],
            Some(RecordFault::NegativeLength),
        ),
        ("length 0", 1, &[0], Some(RecordFault::PastRecord)),
        (
            "past the batch",
            1,
            &[16, 0, 0, 0, 1, 2, b'v', 0],
            Some(RecordFault::PastBatch),
        ),
        (
            "long varint",
            1,
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0],
            Some(RecordFault::VarintTooLong),
        ),
        (
            "value past the record",
            1,
            &[14, 0, 0, 0, 1, 6, b'v', 0],
            Some(RecordFault::PastRecord),
        ),
        (
            "spare in the record",
            1,
            &[16, 0, 0, 0, 1, 2, b'v', 0, 0],
            Some(RecordFault::SpareBytes),
        ),
        (
            "negative headers",
            1,
            &[14, 0, 0, 0, 1, 2, b'v', 1],
            Some(RecordFault::HeaderCount),
        ),
        (
            "many headers",
            1,
            &[14, 0, 0, 0, 1, 2, b'v', 0x7e],
            Some(RecordFault::HeaderCount),
        ),
        (
            "nameless header",
            1,
            &[18, 0, 0, 0, 1, 2, b'v', 2, 1, 1],
            Some(RecordFault::HeaderName),
        ),
        ("one too many", 1, &[record, record].concat(), None),
        ("count 0", 0, record, None),
        ("count negative", -1, record, None),
    ];
    for (what, count, body, fault) in cases {
        let error = first_error(&with_body(*count, body));
        assert_eq!(error.class(), ErrorClass::BadRecords, "{what}: {error}");
        match error {
            Error::Record { fault: found, .. } => assert_eq!(Some(found), *fault, "{what}"),
            _ => assert_eq!(*fault, None, "{what}: {error}"),
        }
    }
    let good = with_body(2, &[record, record].concat());
    assert_eq!(decode(&Batch::parse(&good).unwrap()).unwrap().len(), 2);
    // Any negative length is null, and an empty batch needs no records.
    let odd = with_body(1, &[12, 0, 0, 0, 3, 5, 0]);
    assert_eq!(
        decode(&Batch::parse(&odd).unwrap()).unwrap()[0].2,
        (100, None, None, vec![])
    );
    assert_eq!(
        decode(&Batch::parse(&with_body(0, &[])).unwrap()).unwrap(),
        []
    );
}

#[test]
fn a_lying_count_reserves_nothing() {
    let bytes = with_body(i32::MAX, &[14, 0, 0, 0, 1, 2, b'v', 0]);
    let mut scratch = Vec::new();
    let records = Batch::parse(&bytes).unwrap().records(&mut scratch).unwrap();
    assert!(records.size_hint().1.unwrap() <= 2);
}

#[test]
fn control_records_need_a_key() {
    for (key, good) in [
        (&b"\0\0\0\x01"[..], true),
        (b"\0\0\0\x01more", true),
        (b"\0\x05\0\x63", true),
        (b"\0\0\0", false),
        (b"\xff\xff\0\x01", false),
    ] {
        let mut bytes = encode(
            Compression::None,
            &[(1, Some(key.to_vec()), Some(vec![]), vec![])],
        );
        bytes[22] |= 0x30;
        crate::batch::seal(&mut bytes);
        let result = decode(&Batch::parse(&bytes).unwrap());
        assert_eq!(result.is_ok(), good, "{key:?}");
    }
}

fn any_record() -> impl Strategy<Value = OwnedRecord> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let header = (proptest::collection::vec(any::<u8>(), 0..20), bytes());
    let time = prop_oneof![0i64..2_000_000_000_000, any::<i64>()];
    (
        time,
        bytes(),
        bytes(),
        proptest::collection::vec(header, 0..4),
    )
}

/// Reads everything that can be read; what it finds does not matter here.
fn exercise(bytes: &[u8]) {
    for batch in Batches::new(bytes).chain(Batches::verified(bytes)) {
        let Ok(batch) = batch else { continue };
        let mut scratch = Vec::new();
        if let Ok(records) = batch.records_bounded(&mut scratch, 1 << 20) {
            for record in records.flatten() {
                assert_eq!(record.headers.len(), record.headers.count());
            }
        }
        assert!(scratch.len() <= (1 << 20) + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_records_survive(records in proptest::collection::vec(any_record(), 1..30), codec in 0usize..5) {
        let bytes = encode(CODECS[codec], &records);
        let batch = Batch::parse(&bytes).unwrap();
        batch.verify_crc().unwrap();
        let read: Vec<_> = decode(&batch).unwrap().into_iter().map(|(_, _, record)| record).collect();
        prop_assert_eq!(read, records);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        exercise(&bytes);
        for codec in CODECS {
            let mut framed = encode(codec, &sample());
            framed.truncate(HEADER_LEN);
            framed.extend_from_slice(&bytes);
            let len = i32::try_from(framed.len() - 12).unwrap();
            framed[8..12].copy_from_slice(&len.to_be_bytes());
            crate::batch::seal(&mut framed);
            exercise(&framed);
        }
    }

    #[test]
    fn flipped_bits_never_panic_and_never_pass_the_checksum(
        records in proptest::collection::vec(any_record(), 1..10),
        codec in 0usize..5,
        at in any::<proptest::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut bytes = encode(CODECS[codec], &records);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        exercise(&bytes);
        // All but base offset and leader epoch is covered by length, magic or checksum.
        if at >= 16 {
            prop_assert!(Batches::verified(&bytes).next().unwrap().is_err());
        }
        // The same damage behind a right checksum reaches the decoders.
        if at >= HEADER_LEN - 4 {
            crate::batch::seal(&mut bytes);
            exercise(&bytes);
        }
    }
}
