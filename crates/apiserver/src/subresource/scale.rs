//! `scale`: how many replicas are wanted, in one shape for all kinds that have replicas.

use crate::handler::patching::PatchKind;
use crate::handler::prepare::Part;
use crate::handler::{Call, Written};
use k8s::{ApiError, Fields, Value, patch};
use serde_json::json;

/// The scale of an object. Source: autoscaling/v1 Scale.
pub fn of(object: &Value) -> Value {
    let mut metadata = json!({"name": object.name(), "namespace": object.namespace(), "uid": object.uid(),
        "resourceVersion": object.resource_version()});
    if let Some(created) = object.at("metadata.creationTimestamp") {
        metadata["creationTimestamp"] = created.clone();
    }
    let mut scale = json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": object.int("spec.replicas").unwrap_or(0)},
        "status": {"replicas": object.int("status.replicas").unwrap_or(0)}});
    let selector = object.at("spec.selector").map(selector_text).unwrap_or_default();
    if !selector.is_empty() {
        scale["status"]["selector"] = json!(selector);
    }
    scale
}

/// A `metav1.LabelSelector`, or a plain map of labels, in the form of a query parameter.
fn selector_text(selector: &Value) -> String {
    let members = || selector.as_object().into_iter().flatten();
    let equal: Vec<(&str, &str)> = if members().all(|(_, value)| value.is_string()) {
        members().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
    } else {
        selector.texts("matchLabels")
    };
    let equal = equal.into_iter().map(|(key, value)| format!("{key}={value}"));
    let others = selector.items("matchExpressions").iter().map(|expression| {
        let key = expression.text("key");
        let values: Vec<&str> = expression.items("values").iter().filter_map(Value::as_str).collect();
        match expression.text("operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        }
    });
    equal.chain(others).collect::<Vec<_>>().join(",")
}

impl Call<'_> {
    /// Sets the replicas.
    ///
    /// # Errors
    /// As an update, and 422 for a number below 0.
    pub async fn set_scale(&mut self, given: &Value) -> Result<Value, ApiError> {
        let given = given.clone();
        self.change_scale(&mut move |_| Ok(given.clone())).await
    }

    /// Patches the scale.
    ///
    /// # Errors
    /// As an update.
    pub async fn patch_scale(&mut self, how: PatchKind, given: &Value) -> Result<Value, ApiError> {
        let given = given.clone();
        self.change_scale(&mut move |scale| {
            let mut patched = match how {
                PatchKind::Json => patch::json_patch(scale, &given)?,
                PatchKind::Merge | PatchKind::Strategic | PatchKind::Apply => patch::merge_patch(scale, &given),
            };
            // A patch names the version only when it says so itself.
            if patched.resource_version() == scale.resource_version() && given.at("metadata.resourceVersion").is_none() {
                patched.unset("metadata.resourceVersion");
            }
            Ok(patched)
        })
        .await
    }

    async fn change_scale(&mut self, change: &mut (dyn FnMut(&Value) -> Result<Value, ApiError> + Send)) -> Result<Value, ApiError> {
        let Written { value, .. } = self
            .modify(Part::Main, &mut |call, old| {
                let shown = of(old);
                let wanted = change(&shown)?;
                let (kind, name) = (call.target.kind, old.name());
                let version = wanted.resource_version();
                if !version.is_empty() && version != old.resource_version() {
                    return Err(ApiError::conflict(kind, name, crate::core::MODIFIED));
                }
                let replicas = wanted.int("spec.replicas").unwrap_or(0);
                if !(0..=i64::from(i32::MAX)).contains(&replicas) {
                    let cause = k8s::Cause {
                        reason: "FieldValueInvalid",
                        field: "spec.replicas".to_owned(),
                        message: format!("Invalid value: {replicas}: must be greater than or equal to 0"),
                    };
                    let mut error =
                        ApiError::new(422, "Invalid", format!("Scale.autoscaling {name:?} is invalid: spec.replicas: {}", cause.message));
                    error.causes = vec![cause];
                    return Err(error.about(kind, name));
                }
                let mut new = old.clone();
                new.set("spec.replicas", replicas);
                if version.is_empty() {
                    new.unset("metadata.resourceVersion");
                }
                Ok(new)
            })
            .await?;
        Ok(of(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_both_forms_are_told() {
        let told = |selector: Value| of(&json!({"spec": {"selector": selector}}))["status"]["selector"].clone();
        assert_eq!(told(json!({"app": "web", "matchLabels": "x"})), json!("app=web,matchLabels=x"));
        assert_eq!(
            told(json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]})),
            json!("app=web,a in (b,c)")
        );
        assert_eq!(told(json!({})), Value::Null);
    }
}
