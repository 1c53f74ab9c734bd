//! `binding`: a pod is given its node. Source: kubernetes `pkg/registry/core/pod/storage/storage.go`.

use crate::handler::Call;
use crate::handler::prepare::Part;
use k8s::kinds::POD;
use k8s::{ApiError, Fields, Value};
use serde_json::json;

impl Call<'_> {
    /// Binds the pod.
    ///
    /// # Errors
    /// 409 for a pod that has a node, is going, or is another one than was meant.
    pub async fn bind(&mut self, binding: &Value) -> Result<(), ApiError> {
        let node = binding.text("target.name").to_owned();
        if node.is_empty() {
            return Err(ApiError::new(422, "Invalid", "Binding is invalid: target.name: Required value").about(POD, &self.target.name));
        }
        let (uid, now) = (binding.uid().to_owned(), self.core.now());
        let annotations = binding.at("metadata.annotations").cloned();
        let change = &mut move |call: &mut Self, old: &Value| {
            let conflict = |why: String| Err(ApiError::conflict(POD, &call.target.name, &why));
            if !uid.is_empty() && uid != old.uid() {
                return conflict(format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", old.uid()));
            }
            if old.is_terminating() {
                return conflict(format!("pod {} is being deleted, cannot be assigned to a host", old.name()));
            }
            let bound = old.text("spec.nodeName");
            if !bound.is_empty() {
                return conflict(format!("pod {} is already assigned to node {bound:?}", old.name()));
            }
            let mut new = old.clone();
            new.unset("metadata.resourceVersion");
            new.set("spec.nodeName", node.as_str());
            for (key, value) in annotations.iter().flat_map(|annotations| annotations.as_object()).flatten() {
                if new.at("metadata.annotations").is_none() {
                    new.set("metadata.annotations", json!({}));
                }
                new.at_mut("metadata.annotations")[key] = value.clone();
            }
            let mut conditions = old.items("status.conditions").to_vec();
            conditions.retain(|condition| condition.text("type") != "PodScheduled");
            conditions.push(json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now.rfc3339()}));
            new.set("status.conditions", conditions);
            Ok(new)
        };
        self.modify(Part::Whole, change).await.map(drop)
    }
}
