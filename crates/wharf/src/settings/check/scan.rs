//! What is known against packages: keys that are keys, and findings that are ignored for a reason and a time.

use crate::settings::node::Node;
use crate::settings::reader::{Reader, rule};
use base::Timestamp;

pub(super) fn check(root: &Node, reader: &mut Reader) {
    let keys = root.get("advisories").and_then(|advisories| advisories.get("keys")).map(Node::items).unwrap_or_default();
    for (index, key) in keys.iter().enumerate() {
        if let Some(Err(why)) = key.as_text().map(oci::signature::public_key) {
            reader.below(&format!("advisories.keys[{index}]"), |reader| {
                reader.wrong(rule::VALUE, &key.origin, why, "write what stands in a `.pub` file: `ssh-ed25519 AAAA...`")
            });
        }
    }
    let gate = root.get("gates").and_then(|gates| gates.get("scan"));
    let ignores = gate.and_then(|gate| gate.get("ignore")).map(Node::items).unwrap_or_default();
    for (index, ignore) in ignores.iter().enumerate() {
        reader.below(&format!("gates.scan.ignore[{index}]"), |reader| {
            for (field, help) in [("id", "such as `CVE-2024-3094`"), ("reason", "say why it can be lived with")] {
                if let Some(node) = ignore.get(field).filter(|node| node.as_text().is_some_and(|text| text.trim().is_empty())) {
                    reader.wrong(rule::VALUE, &node.origin, format!("`{field}` is empty"), help);
                }
            }
            if let Some(node) = ignore.get("until").filter(|node| node.as_text().is_some_and(|text| end_of(text).is_none())) {
                let message = format!("`{}` is no day", node.as_text().unwrap_or_default());
                reader.wrong(rule::VALUE, &node.origin, message, "write it like `2027-01-31`");
            }
        });
    }
}

/// The end of a day that is written `2027-01-31`.
pub fn end_of(day: &str) -> Option<Timestamp> {
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    let begins = Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z"))?;
    // A day that the month does not have would be one of the next month.
    (begins.rfc3339().get(..10) == Some(day)).then(|| begins.plus(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_when_the_next_begins() {
        assert_eq!(end_of("2026-12-31").map(Timestamp::rfc3339).as_deref(), Some("2027-01-01T00:00:00Z"));
        for wrong in ["", "2026-02-30", "2026-1-1", "tomorrow", "2026-12-31T00:00:00Z"] {
            assert_eq!(end_of(wrong), None, "{wrong}");
        }
    }
}
