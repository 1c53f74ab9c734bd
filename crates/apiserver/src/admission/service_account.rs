//! A pod runs as a service account, and finds its token. Source: kubernetes `plugin/pkg/admission/serviceaccount`.

use super::{Admission, Review};
use k8s::kinds::{POD, SERVICE_ACCOUNT};
use k8s::{ApiError, Fields, Value};
use serde_json::json;

/// See the module.
pub const ADMISSION: Admission = Admission { name: "ServiceAccount", review };

const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PREFIX: &str = "kube-api-access-";
/// Seconds for which a token in a pod is good; the node renews it in time.
const TOKEN_SECONDS: i64 = 3_607;

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if !review.creates(POD) || review.object.annotation("kubernetes.io/config.mirror").is_some() {
        return Ok(());
    }
    if review.object.text("spec.serviceAccountName").is_empty() {
        review.object.set("spec.serviceAccountName", "default");
    }
    let (namespace, name) = (review.object.namespace().to_owned(), review.object.text("spec.serviceAccountName").to_owned());
    review.object.set("spec.serviceAccount", name.as_str());
    let account = review.core().objects.get(SERVICE_ACCOUNT, &namespace, &name);
    let account = account.ok_or_else(|| {
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        let mut error = review.forbidden(&why);
        error.retry_after_seconds = Some(1);
        error
    })?;
    if review.object.items("spec.imagePullSecrets").is_empty() && !account.value.items("imagePullSecrets").is_empty() {
        review.object.set("spec.imagePullSecrets", account.value.items("imagePullSecrets").to_vec());
    }
    let wanted = [review.object.at("spec.automountServiceAccountToken"), account.value.member("automountServiceAccountToken")];
    if wanted.into_iter().flatten().next() != Some(&json!(false)) {
        mount_token(review.object);
    }
    Ok(())
}

fn mount_token(pod: &mut Value) {
    let existing = pod.items("spec.volumes").iter().map(|volume| volume.text("name").to_owned()).find(|name| name.starts_with(PREFIX));
    let volume = existing.clone().unwrap_or_else(|| format!("{PREFIX}{}", base::ids::suffix(5)));
    let mut used = false;
    for containers in ["initContainers", "containers"] {
        let mut list = pod.items(&format!("spec.{containers}")).to_vec();
        for container in &mut list {
            if container.items("volumeMounts").iter().any(|mount| mount.text("mountPath") == MOUNT) {
                continue;
            }
            let mut mounts = container.items("volumeMounts").to_vec();
            mounts.push(json!({"name": volume, "readOnly": true, "mountPath": MOUNT}));
            container.set("volumeMounts", mounts);
            used = true;
        }
        if !list.is_empty() {
            pod.set(&format!("spec.{containers}"), list);
        }
    }
    if used && existing.is_none() {
        let mut volumes = pod.items("spec.volumes").to_vec();
        volumes.push(json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ]}}));
        pod.set("spec.volumes", volumes);
    }
}
