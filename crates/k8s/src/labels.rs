//! Label selectors, both forms, and field selectors.

use crate::object::{Fields, Value};

/// Label of nodes that enforce network policies by themselves, with the value `enforced`.
pub const NETWORK_POLICY: &str = "wharf.local/network-policy";

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The value is one of these.
    In(String, Vec<String>),
    /// The label is missing or its value none of these.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is missing.
    Missing(String),
}

/// A conjunction of requirements; empty selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

impl Selector {
    /// Reads a `metav1.LabelSelector`; one that is absent (`None`) selects nothing and gives `None`.
    pub fn from_object(selector: Option<&Value>) -> Option<Self> {
        let selector = selector?;
        let equal = selector.texts("matchLabels").into_iter().map(|(key, value)| Requirement::In(key.to_owned(), vec![value.to_owned()]));
        let expressions = selector.items("matchExpressions").iter().filter_map(|expression| {
            let key = expression.text("key").to_owned();
            let values = expression.items("values").iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
            Some(match expression.text("operator") {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::Missing(key),
                _ => return None,
            })
        });
        Some(Self { requirements: equal.chain(expressions).collect() })
    }

    /// Reads a plain map of equal labels, as `Service.spec.selector` is.
    pub fn from_map(labels: &[(&str, &str)]) -> Self {
        let requirements = labels.iter().map(|(key, value)| Requirement::In((*key).to_owned(), vec![(*value).to_owned()]));
        Self { requirements: requirements.collect() }
    }

    /// Reads the query form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    /// A sentence naming the part that was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(text) {
            let part = part.trim();
            if !part.is_empty() {
                requirements.push(requirement(part).ok_or_else(|| format!("unable to parse requirement: `{part}`"))?);
            }
        }
        Ok(Self { requirements })
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object's labels satisfy all requirements.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(|key| object.label(key))
    }

    /// The same over any source of labels.
    pub fn matches_labels<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => label(key).is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            Requirement::NotIn(key, values) => label(key).is_none_or(|value| values.iter().all(|wanted| wanted != value)),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Missing(key) => label(key).is_none(),
        })
    }
}

/// A field selector: `metadata.name=x,status.phase!=Running`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// Path, whether it must be equal, value.
    pub terms: Vec<(String, bool, String)>,
}

impl FieldSelector {
    /// Reads the query form.
    ///
    /// # Errors
    /// A sentence naming the part that was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (path, true, value)
            } else {
                return Err(format!("invalid field selector: `{part}`"));
            };
            terms.push((path.trim().to_owned(), equal, value.trim().to_owned()));
        }
        Ok(Self { terms })
    }

    /// Whether an object has the values asked for; a missing field reads as empty.
    pub fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|(path, equal, value)| (crate::selectable::field_text(object, path) == *value) == *equal)
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0i32, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    if let Some(open) = part.find('(') {
        let values = part[open + 1..].strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
        let mut words = part[..open].split_whitespace();
        let (key, operator) = (words.next()?, words.next()?);
        let made = match (operator, key_is_valid(key), words.next()) {
            ("in", true, None) => Requirement::In(key.to_owned(), values),
            ("notin", true, None) => Requirement::NotIn(key.to_owned(), values),
            _ => return None,
        };
        return Some(made);
    }
    let one = |key: &str, value: &str| -> Option<(String, Vec<String>)> {
        let (key, value) = (key.trim(), value.trim());
        (key_is_valid(key) && !value.contains(['=', '!', ' '])).then(|| (key.to_owned(), vec![value.to_owned()]))
    };
    if let Some((key, value)) = part.split_once("!=") {
        return one(key, value).map(|(key, values)| Requirement::NotIn(key, values));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return one(key, value).map(|(key, values)| Requirement::In(key, values));
    }
    if let Some(key) = part.strip_prefix('!') {
        return key_is_valid(key.trim()).then(|| Requirement::Missing(key.trim().to_owned()));
    }
    key_is_valid(part).then(|| Requirement::Exists(part.to_owned()))
}

fn key_is_valid(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_selects() {
        let object = json!({"metadata": {"labels": {"a": "b", "tier": "web"}}});
        for (selector, expected) in [
            ("", true),
            ("a=b", true),
            ("a==b,tier!=db", true),
            ("a in (x, b),tier notin (db)", true),
            ("a,!none", true),
            ("none", false),
            ("!a", false),
            ("a!=b", false),
            ("none!=b", true),
        ] {
            assert_eq!(Selector::parse(selector).expect(selector).matches(&object), expected, "{selector}");
        }
        for wrong in ["a in b", "a in (b", "=", "a=b=c", "a b"] {
            assert!(Selector::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_absent_selector_selects_nothing_and_an_empty_one_everything() {
        assert!(Selector::from_object(None).is_none());
        assert!(Selector::from_object(Some(&json!({}))).expect("empty").matches(&json!({})));
    }

    #[test]
    fn fields_are_compared_as_text() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"hostNetwork": true}});
        assert!(FieldSelector::parse("metadata.name=p,spec.nodeName=,spec.hostNetwork==true").expect("parsed").matches(&pod));
        assert!(!FieldSelector::parse("metadata.name!=p").expect("parsed").matches(&pod));
    }
}
