//! A pod's `imagePullSecrets`: those that can be used, and what is wrong with the others.

use crate::cluster::Cluster;
use crate::images::{PullSecret, SecretForm};
use crate::pod::Pod;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s::kinds::SECRET;
use k8s::{Fields, Value};

/// Secrets of one pod that are looked at; the API allows more, and nobody has so many registries.
const MOST: usize = 64;

/// The names, in order.
pub(super) fn names(pod: &Pod) -> impl Iterator<Item = &str> {
    pod.object.items("spec.imagePullSecrets").iter().take(MOST).map(|named| named.text("name")).filter(|name| !name.is_empty())
}

/// Those that can be used, in order; and one sentence about the others, which are left out as the kubelet does.
pub(super) fn of_pod(pod: &Pod, cluster: &dyn Cluster) -> (Vec<PullSecret>, Option<String>) {
    let (mut secrets, mut wrong) = (Vec::new(), Vec::new());
    for name in names(pod) {
        let read = cluster.get(SECRET, &pod.namespace, name).ok_or_else(|| "there is no such Secret".to_owned());
        match read.and_then(|secret| read_one(name, &secret)) {
            Ok(secret) => secrets.push(secret),
            Err(why) => wrong.push(format!("`{name}` ({why})")),
        }
    }
    let told = (!wrong.is_empty()).then(|| format!("pulling without pull secrets that cannot be used: {}", wrong.join(", ")));
    (secrets, told)
}

fn read_one(name: &str, secret: &Value) -> Result<PullSecret, String> {
    let (form, key) = match secret.text("type") {
        "kubernetes.io/dockerconfigjson" => (SecretForm::Config, ".dockerconfigjson"),
        "kubernetes.io/dockercfg" => (SecretForm::Auths, ".dockercfg"),
        "" => return Err("it has no type; kubernetes.io/dockerconfigjson is expected".into()),
        other => return Err(format!("its type is {other}, not kubernetes.io/dockerconfigjson")),
    };
    let data = secret.texts("data");
    let text = data.into_iter().find(|(named, _)| *named == key).map(|(_, text)| text).ok_or_else(|| format!("it has no `{key}`"))?;
    // The content is never quoted.
    let bytes = STANDARD.decode(text).map_err(|_| format!("`{key}` is no base64"))?;
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(_)) => Ok(PullSecret { name: name.to_owned(), form, bytes }),
        _ => Err(format!("`{key}` is no JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn what_cannot_be_used_is_left_out_and_said() {
        let world = World::new();
        let put = |name: &str, kind: &str, key: &str, content: &str| {
            let data = json!({key: STANDARD.encode(content)});
            world.cluster.put(SECRET, json!({"metadata": {"namespace": "n", "name": name}, "type": kind, "data": data}));
        };
        let (config, auths) = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg");
        put("one", config, ".dockerconfigjson", "{\"auths\":{}}");
        put("old", auths, ".dockercfg", "{\"h\":{}}");
        put("opaque", "Opaque", ".dockerconfigjson", "{}");
        put("broken", config, ".dockerconfigjson", "hunter2");
        put("empty", config, "other", "{}");
        let names = ["old", "nowhere", "opaque", "broken", "one", "empty"].map(|name| json!({"name": name}));
        let object = json!({"metadata": {"namespace": "n", "name": "p"}, "spec": {"imagePullSecrets": names}});
        let (secrets, told) = of_pod(&Pod::of(Arc::new(object)), &*world.cluster);
        let kept: Vec<_> = secrets.iter().map(|secret| (secret.name.as_str(), secret.form)).collect();
        assert_eq!(kept, [("old", SecretForm::Auths), ("one", SecretForm::Config)]);
        let told = told.expect("four cannot be used");
        for part in ["`nowhere` (there is no such Secret)", "`opaque` (its type is Opaque", "`broken` (", "`empty` (it has no"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("hunter2") && !format!("{secrets:?}").contains("auths\\"), "{told}");
    }
}
