//! Changing the header of an encoded batch in place.

use crate::batch::{Batch, seal};
use crate::error::Error;
use crate::header::{LEADER_EPOCH_AT, MAGIC_AT, PRODUCER_AT};

/// Stamps the place in the log into exactly one batch; both fields lie outside the checksum.
///
/// # Errors
/// As [`Batch::parse`]; the bytes are then unchanged.
pub fn set_base_offset_and_epoch(
    batch: &mut [u8],
    base_offset: i64,
    leader_epoch: i32,
) -> Result<(), Error> {
    Batch::parse(batch)?;
    put(batch, 0..8, &base_offset.to_be_bytes());
    put(
        batch,
        LEADER_EPOCH_AT..MAGIC_AT,
        &leader_epoch.to_be_bytes(),
    );
    Ok(())
}

/// Stamps an idempotent producer into exactly one batch and renews the checksum.
///
/// # Errors
/// As [`Batch::parse`]; the bytes are then unchanged.
pub fn set_producer(
    batch: &mut [u8],
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
) -> Result<(), Error> {
    Batch::parse(batch)?;
    put(
        batch,
        PRODUCER_AT..PRODUCER_AT + 8,
        &producer_id.to_be_bytes(),
    );
    put(
        batch,
        PRODUCER_AT + 8..PRODUCER_AT + 10,
        &producer_epoch.to_be_bytes(),
    );
    put(
        batch,
        PRODUCER_AT + 10..PRODUCER_AT + 14,
        &base_sequence.to_be_bytes(),
    );
    seal(batch);
    Ok(())
}

fn put(batch: &mut [u8], range: std::ops::Range<usize>, bytes: &[u8]) {
    if let Some(place) = batch.get_mut(range) {
        place.copy_from_slice(bytes);
    }
}
