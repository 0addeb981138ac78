//! JSON that can be trusted to say one thing.

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// The value that `text` begins with, and where it ends. `None` if it is no JSON, and also if an object names a key twice: parsers
/// differ in which value they keep, so that such a text is searched as bytes and described as what it is not.
pub fn parse(text: &[u8]) -> Option<(serde_json::Value, usize)> {
    let mut checked = serde_json::Deserializer::from_slice(text).into_iter::<NoRepeats>();
    checked.next()?.ok()?;
    let end = checked.byte_offset();
    Some((serde_json::from_slice(&text[..end]).ok()?, end))
}

/// Fields that decide what an image is, in upper case.
const FIELDS: [&str; 13] = [
    "CONFIG",
    "LAYERS",
    "REPOTAGS",
    "ROOTFS",
    "DIFF_IDS",
    "HISTORY",
    "MANIFESTS",
    "DIGEST",
    "MEDIATYPE",
    "FSLAYERS",
    "BLOBSUM",
    "PARENT",
    "ENV",
];

/// Reads JSON and keeps nothing of it.
struct NoRepeats;

impl<'de> Deserialize<'de> for NoRepeats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NoRepeats)
    }
}

impl<'de> Visitor<'de> for NoRepeats {
    type Value = NoRepeats;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NoRepeats, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            // Go takes keys that differ in case for one, where a field of a document is meant.
            let folded = key.to_uppercase();
            let key = if FIELDS.contains(&folded.as_str()) { folded } else { key };
            if !keys.insert(key) {
                return Err(A::Error::custom("a key is named twice"));
            }
            map.next_value::<NoRepeats>()?;
        }
        Ok(NoRepeats)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NoRepeats, A::Error> {
        while list.next_element::<NoRepeats>()?.is_some() {}
        Ok(NoRepeats)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NoRepeats, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| NoRepeats)
    }

    fn visit_unit<E>(self) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_bool<E>(self, _: bool) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_str<E>(self, _: &str) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_once() {
        assert!(parse(br#"{"a": {"a": [1, -1, 1.5, null, true, "x", {}]}, "b": 1}"#).is_some());
        assert!(parse(br#"[{"a": 1}, {"a": 1}]"#).is_some());
        assert_eq!(parse(b" {} x").map(|(_, end)| end), Some(3));
        assert!(parse(br#"{"labels": {"a": 1, "A": 2}}"#).is_some());
        assert!(parse("{\"layers\": [], \"Layerſ\": []}".as_bytes()).is_none());
        for bad in [&br#"{"a": 1, "a": 2}"#[..], br#"[{"x": {"a": 1, "b": 2, "a": {}}}]"#, b"{", b"x {}"] {
            assert!(parse(bad).is_none());
        }
    }
}
