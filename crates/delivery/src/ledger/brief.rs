//! What an entry keeps of its detail: a few kilobytes, whatever was found.

use k8s::Value;
use serde_json::json;

/// An entry's detail is at most this many bytes.
const LARGEST: usize = 4096;

/// How much is kept: characters of a text, items of a list, members of a map.
struct Measure {
    text: usize,
    items: usize,
}

const MEASURES: [Measure; 3] = [Measure { text: 512, items: 24 }, Measure { text: 200, items: 8 }, Measure { text: 100, items: 2 }];

/// Members without which an entry says nothing: digests, what happened, by what and why.
const NEEDED: [&str; 5] = ["sealed", "then", "by", "instead_of", "cause"];

/// A detail that fits, and says so where something was left out.
pub(super) fn brief(detail: Value) -> Value {
    if fits(&detail) {
        return detail;
    }
    for measure in MEASURES {
        let mut cut = short(&detail, &measure, true);
        match cut.as_object_mut() {
            Some(members) => drop(members.insert("shortened".to_owned(), json!(true))),
            None => cut = json!({"said": cut, "shortened": true}),
        }
        if fits(&cut) {
            return cut;
        }
    }
    let mut needed = json!({"shortened": true});
    for name in NEEDED {
        if let Some(value) = detail.get(name) {
            needed[name] = short(value, &Measure { text: 100, items: 3 }, false);
        }
    }
    if fits(&needed) {
        needed
    } else {
        json!({"shortened": true, "sealed": short(detail.get("sealed").unwrap_or(&Value::Null), &Measure { text: 100, items: 0 }, false)})
    }
}

fn fits(detail: &Value) -> bool {
    detail.to_string().len() <= LARGEST
}

// The members at the top are few, and among them are those without which an entry says nothing.
fn short(value: &Value, measure: &Measure, is_top: bool) -> Value {
    match value {
        Value::String(text) => json!(shortened(text, measure.text)),
        Value::Array(items) => items.iter().take(measure.items).map(|item| short(item, measure, false)).collect(),
        Value::Object(members) => {
            let most = if is_top { members.len() } else { measure.items };
            members.iter().take(most).map(|(name, value)| (shortened(name, measure.text), short(value, measure, false))).collect()
        }
        other => other.clone(),
    }
}

/// A text of at most so many characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_small_and_keeps_what_it_is_about() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let small = json!({"by": "smoke", "sealed": digest});
        assert_eq!(brief(small.clone()), small);
        let line = "\u{1F980}".repeat(10_000);
        let many: serde_json::Map<String, Value> = (0..1000).map(|number| (format!("{number}"), json!(line))).collect();
        for large in [json!(line), json!(vec![line.clone(); 100]), Value::Object(many.clone()), json!([[[[[[many]]]]]])] {
            let kept = brief(json!({"sealed": digest, "then": digest, "by": "smoke", "cause": large, "result": {"findings": large}}));
            assert!(fits(&kept) && kept["sealed"] == digest.as_str() && kept["shortened"] == true, "{kept}");
        }
        let mut top = Value::Object(many);
        top["sealed"] = json!(digest);
        let kept = brief(top);
        assert!(fits(&kept) && kept["sealed"] == digest.as_str(), "{kept}");
        assert!(fits(&brief(json!(line))), "no map at all");
    }
}
