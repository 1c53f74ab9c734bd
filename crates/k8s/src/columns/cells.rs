//! What cells of several kinds have in common.

use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

/// A duration the way kubectl shows ages: `59s`, `2m5s`, `3h12m`, `5d3h`, `2y40d`. Source: apimachinery
/// `util/duration`.
pub fn human_duration(seconds: i64) -> String {
    let pair = |whole: i64, unit: &str, rest: i64, rest_unit: &str| match rest {
        0 => format!("{whole}{unit}"),
        _ => format!("{whole}{unit}{rest}{rest_unit}"),
    };
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let days = hours / 24;
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => pair(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if days < 365 * 8 => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

pub(super) fn since(time: Option<Timestamp>, now: Timestamp) -> String {
    let Some(time) = time else { return "<unknown>".to_owned() };
    let micros = now.micros().saturating_sub(time.micros());
    human_duration(micros / 1_000_000)
}

pub(super) fn age(object: &Value, now: Timestamp) -> Value {
    json!(since(object.time("metadata.creationTimestamp"), now))
}

pub(super) fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

pub(super) fn joined<'a>(values: impl Iterator<Item = &'a str>, separator: &str) -> String {
    values.collect::<Vec<_>>().join(separator)
}

pub(super) fn strings<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = &'a str> {
    object.items(path).iter().filter_map(Value::as_str)
}

pub(super) fn containers(object: &Value) -> [Value; 2] {
    containers_at(object, "spec.template")
}

/// Names and images of a template's containers.
pub(super) fn containers_at(object: &Value, template: &str) -> [Value; 2] {
    let containers = object.items(&format!("{template}.spec.containers"));
    ["name", "image"].map(|member| json!(joined(containers.iter().map(|container| container.text(member)), ",")))
}

pub(super) fn labels(object: &Value, path: &str) -> Value {
    let labels: Vec<String> = object.texts(path).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&labels.join(","))
}

/// A `metav1.LabelSelector` in the query form, requirements by key.
pub(super) fn selector(selector: Option<&Value>) -> Option<String> {
    let selector = selector?;
    let mut parts: Vec<(&str, String)> =
        selector.texts("matchLabels").into_iter().map(|(key, value)| (key, format!("{key}={value}"))).collect();
    for expression in selector.items("matchExpressions") {
        let key = expression.text("key");
        let mut values: Vec<&str> = strings(expression, "values").collect();
        values.sort_unstable();
        let values = values.join(",");
        parts.push((
            key,
            match expression.text("operator") {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "Exists" => key.to_owned(),
                "DoesNotExist" => format!("!{key}"),
                _ => return Some("<error>".to_owned()),
            },
        ));
    }
    parts.sort_by(|a, b| a.0.cmp(b.0));
    Some(joined(parts.iter().map(|(_, text)| text.as_str()), ","))
}

pub(super) fn selector_or_none(object: &Value, path: &str) -> Value {
    or_none(&selector(object.at(path)).unwrap_or_default())
}

/// At most three of a list, then how many more.
pub(super) fn first_three(all: &[String]) -> String {
    match all {
        [] => "<unset>".to_owned(),
        [a, b, c, _, ..] => format!("{a},{b},{c} + {} more...", all.len() - 3),
        few => few.join(","),
    }
}
