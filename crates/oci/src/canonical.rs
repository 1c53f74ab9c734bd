//! Canonical JSON: sorted keys, no white space, so that equal values have equal bytes and digests.

use serde::Serialize;
use serde_json::Value;

/// The canonical bytes of a value: object keys sorted by their bytes, no white space, numbers and strings as `serde_json` writes them.
///
/// # Errors
/// When the value has no JSON form: a map with keys that are no strings, a float that is no number.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::new();
    write(&serde_json::to_value(value)?, &mut out)?;
    Ok(out)
}

// The depth is that of a value made by our own types, or read by `serde_json`, which stops at 128.
fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            // Sorted here: the order of `serde_json`'s maps depends on a feature that any crate may switch on.
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_unstable_by_key(|&(key, _)| key);
            out.push(b'{');
            for (at, (key, item)) in keys.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
        }
        scalar => serde_json::to_writer(&mut *out, scalar)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_keys_at_every_depth() {
        let value: Value = serde_json::from_str(r#"{ "b": [ {"z":1, "a":"<&>"} ], "a": null, "é": 1.5 }"#).expect("json");
        assert_eq!(String::from_utf8(to_vec(&value).expect("bytes")).expect("text"), r#"{"a":null,"b":[{"a":"<&>","z":1}],"é":1.5}"#);
    }
}
