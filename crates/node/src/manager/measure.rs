//! Whether a pod has written more to disk than it may. Source: kubelet `pkg/kubelet/eviction` (`localStorageEviction`).

use crate::config::NodeConfig;
use crate::pod::Pod;
use crate::step::disk_limit;
use crate::volumes::{Prepared, usage};
use k8s::Fields;

/// What is over its limit, as a sentence; looks at files, so it takes its time.
pub(super) fn over(pod: &Pod, volumes: &Prepared, config: &NodeConfig, running: &[(String, u32)]) -> Option<String> {
    for volume in pod.object.items("spec.volumes") {
        let Some((text, bytes)) = volume.at("emptyDir").and_then(|source| disk_limit(source, "sizeLimit")) else { continue };
        let name = volume.text("name");
        if volumes.get(name).is_some_and(|place| usage::bytes_below(&place.path) > bytes) {
            return Some(format!("Usage of EmptyDir volume \"{name}\" exceeds the limit \"{text}\"."));
        }
    }
    let key = (pod.namespace.as_str(), pod.name.as_str(), pod.uid.as_str());
    for (name, attempt) in running {
        let limits = pod.container(name).and_then(|container| pod.raw(container).at("resources.limits"));
        let Some((text, bytes)) = limits.and_then(|limits| disk_limit(limits, "ephemeral-storage")) else { continue };
        let logs = crate::logs::files(&config.log_file(key, name, *attempt));
        let logs: u64 = logs.iter().filter_map(|log| std::fs::metadata(log).ok()).map(|log| log.len()).sum();
        if usage::bytes_below(&config.folders(&pod.uid).writable(name, *attempt)).saturating_add(logs) > bytes {
            return Some(format!("Container {name} exceeded its local ephemeral storage limit \"{text}\"."));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use crate::volumes::Volume;
    use serde_json::json;
    use std::sync::Arc;

    #[tokio::test]
    async fn what_is_over_its_limit_is_named() {
        let world = World::new();
        let pod = Pod::of(Arc::new(json!({"metadata": {"namespace": "n", "name": "p", "uid": "u"}, "spec": {
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "100Ki"}}],
            "containers": [{"name": "c", "resources": {"limits": {"ephemeral-storage": "300Ki"}}}]}})));
        let volume = world.config.home.join("v");
        let writable = world.config.folders("u").writable("c", 0).join("upper");
        [&volume, &writable].iter().for_each(|folder| std::fs::create_dir_all(folder).expect("made"));
        let prepared: Prepared = [("v".to_owned(), Volume { path: volume.clone(), read_only: false })].into();
        let look = || over(&pod, &prepared, &world.config, &[("c".into(), 0)]);
        assert_eq!(look(), None);
        std::fs::write(writable.join("file"), vec![1; 400 << 10]).expect("written");
        assert_eq!(look().as_deref(), Some("Container c exceeded its local ephemeral storage limit \"300Ki\"."));
        std::fs::write(volume.join("file"), vec![1; 200 << 10]).expect("written");
        assert_eq!(look().as_deref(), Some("Usage of EmptyDir volume \"v\" exceeds the limit \"100Ki\"."));
    }
}
