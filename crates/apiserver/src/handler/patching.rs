//! The four patch kinds.

use super::prepare::Part;
use super::write::TRIES;
use super::{Call, Given, Written};
use k8s::apply::{self, Manager, Operation};
use k8s::{ApiError, Fields, Value, fields, patch};

/// How a patch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// By the kinds' own strategies.
    Strategic,
    /// What the writer wants to own.
    Apply,
}

impl PatchKind {
    /// By the request's content type.
    ///
    /// # Errors
    /// 415 for any other.
    pub fn of(content_type: &str) -> Result<Self, ApiError> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            _ => {
                let known = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";
                let why = format!("the body of the request was in an unknown format - accepted media types include: {known}");
                Err(ApiError::new(415, "UnsupportedMediaType", why))
            }
        }
    }
}

impl Call<'_> {
    /// Patches the object, its status, or (apply) makes it.
    ///
    /// # Errors
    /// All that a patch can be refused for.
    pub async fn patch(&mut self, how: PatchKind, given: &Value) -> Result<Written, ApiError> {
        if how == PatchKind::Apply {
            return self.apply(given).await;
        }
        let part = self.part();
        self.modify(part, &mut |call, old| {
            let patched = call.patched(how, old, given)?;
            let before = call.warnings.len();
            let new = call.read(Given::Value(patched));
            // The change may be tried again; what it warns of is told once.
            let told = call.warnings.split_off(before);
            for warning in told {
                if !call.warnings.contains(&warning) {
                    call.warnings.push(warning);
                }
            }
            let new = new?;
            same_name(old, &new).map_err(|why| ApiError::bad_request(why).about(call.target.kind, old.name()))?;
            Ok(new)
        })
        .await
    }

    fn patched(&self, how: PatchKind, old: &Value, given: &Value) -> Result<Value, ApiError> {
        match how {
            PatchKind::Json => patch::json_patch(old, given),
            PatchKind::Merge => Ok(patch::merge_patch(old, given)),
            PatchKind::Strategic | PatchKind::Apply => patch::strategic(self.target.kind.schema, old, given),
        }
        .map(|mut new| {
            // A patch names the version only when it says so itself.
            let names_version = new.resource_version() != old.resource_version() || given.at("metadata.resourceVersion").is_some();
            if !names_version {
                new.unset("metadata.resourceVersion");
            }
            new
        })
        .map_err(|error| error.about(self.target.kind, old.name()))
    }

    async fn apply(&mut self, given: &Value) -> Result<Written, ApiError> {
        let part = self.part();
        let intent = self.read_intent(given)?;
        let mut turn = None;
        for _ in 0..TRIES {
            let target = self.target.clone();
            let Some(stored) = self.core.objects.get(target.kind, &target.namespace, &target.name) else {
                if part != Part::Main {
                    return Err(target.not_found());
                }
                let mut made = self.applied(None, &intent, part)?;
                made.unset("metadata.uid");
                match self.create_applied(made).await {
                    Err(error) if error.reason == "AlreadyExists" => continue,
                    other => return other,
                }
            };
            let new = self.applied(Some(&stored.value), &intent, part)?;
            if let Some(written) = self.replace(&stored, new, part, true).await? {
                return Ok(written);
            }
            self.wait_turn(&mut turn).await;
        }
        Err(ApiError::conflict(self.target.kind, &self.target.name, crate::core::MODIFIED))
    }

    fn applied(&self, live: Option<&Value>, intent: &Value, part: Part) -> Result<Value, ApiError> {
        let ignored: &[&str] = match part {
            Part::Main if self.target.kind.has_status => &["status"],
            Part::Status => &["spec"],
            _ => &[],
        };
        let manager = Manager { operation: Operation::Apply, ..self.manager(ignored) };
        let mut made = apply::apply(self.target.kind.schema, live, intent, &manager, self.options.force).map_err(ApiError::from)?;
        if intent.at("metadata.resourceVersion").is_none() && live.is_some() {
            made.unset("metadata.resourceVersion");
        }
        fields::settle(self.target.kind.schema, &mut made);
        Ok(made)
    }

    /// An intent is partial: its fields are checked, nothing is filled in.
    fn read_intent(&mut self, given: &Value) -> Result<Value, ApiError> {
        let kind = self.target.kind;
        if self.options.manager.is_empty() {
            return Err(ApiError::bad_request(
                "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch",
            ));
        }
        let api_version = kind.api_version();
        let checked = fields::check(kind.schema, given).map_err(|error| fields::refusal(&api_version, kind.kind, &error))?;
        let mut intent = self.judged(checked.value, &checked.problems)?;
        for (name, wanted) in [("apiVersion", api_version.as_str()), ("kind", kind.kind)] {
            let found = intent.text(name);
            if found != wanted {
                return Err(ApiError::bad_request(format!("{name} in the data ({found}) does not match the expected {name} ({wanted})")));
            }
        }
        match intent.name() {
            "" => intent.set("metadata.name", self.target.name.as_str()),
            name if name != self.target.name => {
                let why = format!("the name of the object ({name}) does not match the name on the URL ({})", self.target.name);
                return Err(ApiError::bad_request(why));
            }
            _ => {}
        }
        Ok(intent)
    }
}

fn same_name(old: &Value, new: &Value) -> Result<(), String> {
    if old.name() == new.name() { Ok(()) } else { Err(format!("metadata.name: Invalid value: {:?}: field is immutable", new.name())) }
}
