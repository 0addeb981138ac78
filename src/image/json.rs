//! Lenient access to JSON: keys as Go matches them, `null` as absence.

use serde_json::Value;

/// The value of a key: exactly, or else ignoring ASCII case (Go's encoding/json does so). `null` is absence.
pub fn get<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    let map = object.as_object()?;
    let found = map.get(key).or_else(|| map.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v));
    found.filter(|value| !value.is_null())
}

/// The elements of an array; none of anything else.
pub fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A string.
pub fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    get(object, key).and_then(Value::as_str)
}
