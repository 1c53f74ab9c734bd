//! Values as YAML text, in block style with keys in order.

use super::resolve;
use crate::Value;
use std::fmt::Write;

/// One document, with a line end. What YAML 1.1 or 1.2 would read as anything but the text that it is stands in quotes.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(_) | Value::Array(_) if !is_empty(value) => block(&mut out, value, 0),
        _ => {
            flat(&mut out, value);
            out.push('\n');
        }
    }
    out
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

// The first line begins where the cursor is; the others are indented.
fn block(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            for (at, (key, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push_str(&indent);
                }
                string(out, key);
                out.push(':');
                match value {
                    // Lists stand as deep as their key, as the API server writes them.
                    Value::Array(items) if !items.is_empty() => {
                        out.push('\n');
                        out.push_str(&indent);
                        block(out, value, depth);
                    }
                    Value::Object(members) if !members.is_empty() => {
                        let _ = write!(out, "\n{indent}  ");
                        block(out, value, depth + 1);
                    }
                    _ => {
                        out.push(' ');
                        flat(out, value);
                        out.push('\n');
                    }
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(&indent);
                }
                out.push_str("- ");
                if matches!(item, Value::Object(_) | Value::Array(_)) && !is_empty(item) {
                    block(out, item, depth + 1);
                } else {
                    flat(out, item);
                    out.push('\n');
                }
            }
        }
        _ => {}
    }
}

fn flat(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => string(out, text),
        // Empty lists and objects, numbers, truths and null are written as JSON writes them.
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn string(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        // JSON's form of a text is YAML's, in double quotes.
        let _ = write!(out, "{}", Value::from(text));
    }
}

/// Whether a text reads as itself without quotes.
fn is_plain(text: &str) -> bool {
    let (Some(first), Some(last)) = (text.chars().next(), text.chars().last()) else { return false };
    let inside =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | ' ' | '(' | ')' | '+' | '=' | ';' | '@' | '$');
    let begins = first.is_ascii_alphanumeric() || matches!(first, '/' | '_' | '.' | '$' | '(');
    begins
        && !matches!(last, ' ' | ':')
        && text.chars().all(inside)
        && !text.contains(": ")
        && !matches!(text, "y" | "Y" | "n" | "N" | "=")
        && !is_time_or_number(text)
        && resolve(text).is_string()
}

// YAML 1.1 also knows times, numbers of base 60 and numbers with underscores.
fn is_time_or_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | '_' | ' ' | 'T' | 'Z' | '+' | 'e' | 'E' | 't' | 'z'))
}

#[cfg(test)]
mod tests {
    use super::super::value;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn it_looks_as_it_does_elsewhere() {
        let object = json!({"apiVersion": "v1", "data": {"a.b": "x\ny", "mode": "0644", "no": "yes", "empty": ""}, "items": [], "m": {},
            "spec": {"containers": [{"args": ["-c", "a: b"], "image": "registry:5000/web:1.0", "name": "c"}], "replicas": 2, "when": "2026-01-01T00:00:00Z"}});
        let wanted = "apiVersion: v1\ndata:\n  a.b: \"x\\ny\"\n  empty: \"\"\n  mode: \"0644\"\n  \"no\": \"yes\"\nitems: []\nm: {}\nspec:\n  containers:\n  - args:\n    - \"-c\"\n    - \"a: b\"\n    image: registry:5000/web:1.0\n    name: c\n  replicas: 2\n  when: \"2026-01-01T00:00:00Z\"\n";
        assert_eq!(text(&object), wanted);
    }

    fn made() -> impl Strategy<Value = crate::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~äλ\n\t\u{85}\u{2028}\u{7f}]{0,12}".prop_map(Value::from),
            "(yes|no|on|~|0x1|1e3|1:30|-|- a|# b|a #b|\\? a|---|&a|\\*a|!a|%a|@a|'a'|<<)".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{1,8}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().filter(|(key, _)| key != "<<").collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(made in made()) {
            let written = text(&made);
            prop_assert_eq!(value(&written).expect("YAML"), made, "{}", written);
        }
    }
}
