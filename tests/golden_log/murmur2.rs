//! Class `murmur2`: the hash of a key as Java computes it, and the partition it leads to.

use std::path::Path;

use libtest_mimic::Failed;
use linkspan_wire::{murmur2, partition_for_key};
use serde_json::Value;

use crate::json::{bytes, field, lines, number, same};
use crate::suite::{Outcome, Suite};

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let vectors = match lines(&dir.join("murmur2.jsonl")) {
        Ok(vectors) => vectors,
        Err(error) => return suite.broken("murmur2", error),
    };
    for vector in vectors {
        let name = vector.get("id").and_then(Value::as_str).unwrap_or("?");
        let name = name.trim_start_matches("murmur2/").to_owned();
        suite.case("murmur2", &name, move || check(&vector));
    }
}

fn check(vector: &Value) -> Result<Outcome, Failed> {
    let key = bytes(field(vector, "key")?)?.ok_or("a null key has no hash")?;
    same("hash", &murmur2(&key), &number(vector, "hash")?)?;
    same(
        "positive",
        &(murmur2(&key) & i32::MAX),
        &number(vector, "positive")?,
    )?;
    let partitions = field(vector, "partition_of")?
        .as_object()
        .ok_or("`partition_of` is no map")?;
    for (count, expected) in partitions {
        let found = partition_for_key(&key, count.parse()?);
        same(&format!("of {count}"), &Value::from(found), expected)?;
    }
    Ok(Outcome::Same)
}
