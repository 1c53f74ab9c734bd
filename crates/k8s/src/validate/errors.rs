//! Collects causes. Source: apimachinery `pkg/util/validation/field`.

use crate::{Cause, Value};

/// Causes of a 422, in the order they were found.
#[derive(Debug, Default)]
pub struct Errors(Vec<Cause>);

/// The largest number of causes that is told.
const MOST: usize = 100;

impl Errors {
    /// What was found.
    pub fn finish(self) -> Vec<Cause> {
        self.0
    }

    /// How many causes were found so far.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Something must be given.
    pub fn required(&mut self, field: impl Into<String>, detail: &str) {
        self.add("FieldValueRequired", field, "Required value", detail);
    }

    /// A value is wrong.
    pub fn invalid(&mut self, field: impl Into<String>, value: impl Into<Value>, detail: &str) {
        self.add("FieldValueInvalid", field, &format!("Invalid value: {}", show(&value.into())), detail);
    }

    /// A value is wrong for each of these reasons.
    pub fn invalid_each(&mut self, field: &str, value: &str, details: Vec<String>) {
        for detail in details {
            self.invalid(field, value, &detail);
        }
    }

    /// A value is none of those that there are.
    pub fn unsupported(&mut self, field: impl Into<String>, value: &str, supported: &[&str]) {
        let quoted: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        self.add(
            "FieldValueNotSupported",
            field,
            &format!("Unsupported value: {value:?}"),
            &format!("supported values: {}", quoted.join(", ")),
        );
    }

    /// A value stands twice.
    pub fn duplicate(&mut self, field: impl Into<String>, value: impl Into<Value>) {
        self.add("FieldValueDuplicate", field, &format!("Duplicate value: {}", show(&value.into())), "");
    }

    /// What is named does not exist.
    pub fn not_found(&mut self, field: impl Into<String>, value: &str) {
        self.add("FieldValueNotFound", field, &format!("Not found: {value:?}"), "");
    }

    /// Something may not be given, or not be changed.
    pub fn forbidden(&mut self, field: impl Into<String>, detail: &str) {
        self.add("FieldValueForbidden", field, "Forbidden", detail);
    }

    /// Something has too many bytes.
    pub fn too_long(&mut self, field: impl Into<String>, most: usize) {
        self.add("FieldValueTooLong", field, "Too long", &format!("may not be more than {most} bytes"));
    }

    /// A list has too many items.
    pub fn too_many(&mut self, field: impl Into<String>, count: usize, most: usize) {
        self.add("FieldValueTooMany", field, &format!("Too many: {count}"), &format!("must have at most {most} items"));
    }

    /// Tells when a value is none of these.
    pub fn one_of(&mut self, field: impl Into<String>, value: &str, supported: &[&str]) {
        if !supported.contains(&value) {
            self.unsupported(field, value, supported);
        }
    }

    /// Tells a number below zero.
    pub fn not_negative(&mut self, field: impl Into<String>, value: Option<i64>) {
        if let Some(value) = value.filter(|&value| value < 0) {
            self.invalid(field, value, "must be greater than or equal to 0");
        }
    }

    /// Tells a number outside of a range.
    pub fn in_range(&mut self, field: impl Into<String>, value: i64, low: i64, high: i64) {
        if !(low..=high).contains(&value) {
            self.invalid(field, value, &format!("must be between {low} and {high}, inclusive"));
        }
    }

    /// Tells a field that changed and may not.
    pub fn immutable(&mut self, field: &str, new: Option<&Value>, old: Option<&Value>) {
        if new != old {
            self.invalid(field, new.cloned().unwrap_or_default(), "field is immutable");
        }
    }

    fn add(&mut self, reason: &'static str, field: impl Into<String>, what: &str, detail: &str) {
        if self.0.len() < MOST {
            let message = if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") };
            self.0.push(Cause { reason, field: field.into(), message });
        }
    }
}

fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("{text:?}"))
}
