//! Requests and limits.

use super::{Errors, names};
use crate::Value;
use crate::object::Fields;
use crate::quantity;

/// Resources without a prefix that containers may name.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Checks `resources` of a container.
pub fn check(resources: &Value, path: &str, errors: &mut Errors) {
    for side in ["limits", "requests"] {
        for (name, amount) in resources.texts(side) {
            let path = format!("{path}.{side}[{name}]");
            self::name(name, &path, errors);
            not_negative(&path, amount, errors);
        }
    }
    let limits = resources.texts("limits");
    for (name, request) in resources.texts("requests") {
        let path = format!("{path}.requests");
        let limit = limits.iter().find(|(limited, _)| *limited == name).map(|(_, limit)| *limit);
        let more =
            |limit: &str| quantity::parse_milli(request).zip(quantity::parse_milli(limit)).is_some_and(|(request, limit)| request > limit);
        match limit {
            Some(limit) if !STANDARD.contains(&name) && quantity::parse_milli(request) != quantity::parse_milli(limit) => {
                errors.invalid(path, request, &format!("must be equal to {name} limit of {limit}"));
            }
            Some(limit) if more(limit) => errors.invalid(path, request, &format!("must be less than or equal to {name} limit of {limit}")),
            None if !STANDARD.contains(&name) => errors
                .required(format!("{}.limits", path.trim_end_matches(".requests")), "Limit must be set for non overcommitable resources"),
            _ => {}
        }
    }
}

fn name(name: &str, path: &str, errors: &mut Errors) {
    errors.invalid_each(path, name, names::resource(name));
    if !name.contains('/') && !STANDARD.contains(&name) && !name.starts_with("hugepages-") {
        errors.invalid(path, name, "must be a standard resource type or fully qualified");
        errors.invalid(path, name, "must be a standard resource for containers");
    }
}

/// Checks amounts that stand for themselves, as in a pod's overhead.
pub fn amounts(object: &Value, path: &str, errors: &mut Errors) {
    for (name, amount) in object.texts(path) {
        let path = format!("{path}[{name}]");
        self::name(name, &path, errors);
        not_negative(&path, amount, errors);
    }
}

/// Tells an amount below zero.
pub fn not_negative(path: &str, amount: &str, errors: &mut Errors) {
    if quantity::parse_milli(amount).is_some_and(|amount| amount < 0) {
        errors.invalid(path, amount, "must be greater than or equal to 0");
    }
}
