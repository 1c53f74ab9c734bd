//! How a write is meant: the query parameters and the body of `DeleteOptions`.

use crate::request::Query;
use k8s::fields::FieldValidation;
use k8s::kinds::REPLICATION_CONTROLLER;
use k8s::{ApiError, Cause, Fields, Kind, Value};

/// Options of create, update and patch.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Everything but the last step is done.
    pub dry_run: bool,
    /// What becomes of unknown fields.
    pub validation: FieldValidation,
    /// Who owns the fields that are written.
    pub manager: String,
    /// Apply takes over what others own.
    pub force: bool,
}

impl WriteOptions {
    /// Reads them from a query; `agent` is the client's `User-Agent`, whose first word is the manager where none is named.
    ///
    /// # Errors
    /// 422 and 400 as the API server gives them.
    pub fn read(query: &Query, agent: &str) -> Result<Self, ApiError> {
        let validation = FieldValidation::parse(query.get("fieldValidation")).ok_or_else(|| {
            let why = format!("Unsupported value: {:?}: supported values: \"Ignore\", \"Strict\", \"Warn\"", query.get("fieldValidation"));
            invalid("fieldValidation", "FieldValueNotSupported", why)
        })?;
        let manager = match query.get("fieldManager") {
            "" => agent.split(['/', ' ']).next().filter(|name| !name.is_empty()).unwrap_or("unknown"),
            named => named,
        };
        if manager.len() > 128 {
            return Err(invalid("fieldManager", "FieldValueTooLong", "Too long: may not be more than 128 bytes".to_owned()));
        }
        let manager = manager.to_owned();
        Ok(Self { dry_run: dry_run(&query.all("dryRun"))?, validation, manager, force: query.flag("force") })
    }
}

fn dry_run(values: &[String]) -> Result<bool, ApiError> {
    match values.iter().map(String::as_str).find(|value| !matches!(*value, "All" | "")) {
        Some(other) => Err(invalid("dryRun", "FieldValueNotSupported", format!("Unsupported value: {other:?}: supported values: \"All\""))),
        None => Ok(values.iter().any(|value| value == "All")),
    }
}

fn invalid(field: &str, reason: &'static str, why: String) -> ApiError {
    let mut error = ApiError::new(422, "Invalid", format!("{field}: {why}"));
    error.causes = vec![Cause { reason, field: field.to_owned(), message: why }];
    error
}

/// What becomes of the objects that the deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The collector deletes them afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds that a pod may take; `None`: its own.
    pub grace_seconds: Option<i64>,
    /// Only while it is this object.
    pub uid: Option<String>,
    /// Only while it is this version.
    pub resource_version: Option<String>,
    /// Of what it owns.
    pub propagation: Propagation,
    /// Nothing is deleted.
    pub dry_run: bool,
}

impl Propagation {
    /// What becomes of the dependents of a kind when nobody says it: those of ReplicationControllers stay, as they did before
    /// there was a collector. Source: kubernetes `pkg/registry/core/replicationcontroller/strategy.go`.
    pub fn unsaid(kind: &Kind) -> Self {
        if *kind == *REPLICATION_CONTROLLER { Self::Orphan } else { Self::Background }
    }
}

impl DeleteOptions {
    /// Reads them from the query and, where there is one, the body; `unsaid` is what becomes of dependents when neither says it.
    ///
    /// # Errors
    /// 400 and 422 for what cannot be meant.
    pub fn read(query: &Query, body: Option<&Value>, unsaid: Propagation) -> Result<Self, ApiError> {
        let empty = Value::Null;
        let body = body.unwrap_or(&empty);
        let text = |name: &str| if body.text(name).is_empty() { query.get(name).to_owned() } else { body.text(name).to_owned() };
        let owned = |path: &str| body.at(path).and_then(Value::as_str).map(str::to_owned);
        let orphan = body
            .at("orphanDependents")
            .and_then(Value::as_bool)
            .or_else(|| query.has("orphanDependents").then(|| query.flag("orphanDependents")));
        let propagation = match (text("propagationPolicy").as_str(), orphan) {
            ("Foreground", None) => Propagation::Foreground,
            ("Orphan", None) | ("", Some(true)) => Propagation::Orphan,
            ("Background", None) | ("", Some(false)) => Propagation::Background,
            ("", None) => unsaid,
            (_, Some(_)) => {
                return Err(invalid(
                    "propagationPolicy",
                    "FieldValueInvalid",
                    "orphanDependents and deletionPropagation cannot be both set".to_owned(),
                ));
            }
            (other, None) => {
                let why = format!("Unsupported value: {other:?}: supported values: \"Background\", \"Foreground\", \"Orphan\"");
                return Err(invalid("propagationPolicy", "FieldValueNotSupported", why));
            }
        };
        let mut dry: Vec<String> = body.items("dryRun").iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
        dry.extend(query.all("dryRun"));
        Ok(Self {
            grace_seconds: body.int("gracePeriodSeconds").or(query.number("gracePeriodSeconds")?),
            uid: owned("preconditions.uid"),
            resource_version: owned("preconditions.resourceVersion"),
            propagation,
            dry_run: dry_run(&dry)?,
        })
    }
}
