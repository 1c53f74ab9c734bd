//! Waiting for pods that were told to end and may still be led to: a release serves alone once their sleep is over.

use crate::deploy::Delivery;
use crate::manifests::{PROJECT, Release};
use crate::progress::Progress;
use base::{Problem, Timestamp};
use cluster::{Resource, Selection};
use k8s::{Fields, Value};
use std::time::Duration;

/// How long a pod that ends may still get new requests: the rest of its `preStop` sleep, which is there for just that. Counted by
/// the server's clock as far as it can be told, and never longer than the sleep itself.
pub(crate) fn still_led_to(pod: &Value, now: Timestamp) -> Option<Duration> {
    let slept = pod.items("spec.containers").iter().filter_map(|container| container.int("lifecycle.preStop.sleep.seconds")).max()?;
    let slept = Duration::from_secs(u64::try_from(slept).ok()?);
    let until = pod.time("metadata.deletionTimestamp")?;
    let grace = u64::try_from(pod.int("metadata.deletionGracePeriodSeconds").unwrap_or(0)).unwrap_or(0);
    // It was told at `until` less its grace; both are whole seconds.
    let ends = until.plus(slept);
    let rest = ends.since(now).checked_sub(Duration::from_secs(grace))?;
    Some(rest.min(slept)).filter(|rest| !rest.is_zero())
}

/// The longest of all pods, and how many there are.
pub(crate) fn longest(pods: &[Value], now: Timestamp) -> Option<(usize, Duration)> {
    let rests: Vec<Duration> = pods.iter().filter_map(|pod| still_led_to(pod, now)).collect();
    rests.iter().max().map(|longest| (rests.len(), *longest))
}

impl Delivery {
    /// What ended before may still be led to for a moment, and the release is to serve alone.
    pub(crate) async fn wait_for_drain(&self, release: &Release) -> Result<(), Problem> {
        let selection = Selection::namespace(release.namespace.as_str()).labels(format!("{PROJECT}={}", release.project));
        let begun = self.clock.now();
        let mut most = None;
        loop {
            let pods = self.cluster.list(&Resource::from(k8s::kinds::POD), &selection).await?.items;
            let now = self.clock.now();
            let Some((count, rest)) = longest(&pods, now) else { return Ok(()) };
            let most = *most.get_or_insert(rest);
            if now.since(begun) >= most {
                return Ok(());
            }
            let message = format!("{count} pods of the release before end, and are led to for {} more", base::units::show_duration(rest));
            (self.listener)(Progress::Waiting { workload: release.project.clone(), message });
            tokio::time::sleep(rest.min(most.saturating_sub(now.since(begun)))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_led_to_for_its_sleep_and_no_longer() {
        let pod = |sleep: i64| {
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:35Z", "deletionGracePeriodSeconds": 35},
                "spec": {"containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}}, {}]}})
        };
        let at = |second: u32| Timestamp::parse_rfc3339(&format!("2026-01-01T00:00:{second:02}Z")).expect("a time");
        assert_eq!(still_led_to(&pod(5), at(2)), Some(Duration::from_secs(3)));
        assert_eq!(still_led_to(&pod(5), at(5)), None);
        assert_eq!(still_led_to(&pod(5), at(30)), None);
        // A clock that is late makes nobody wait for longer.
        let early = Timestamp::parse_rfc3339("2025-12-31T23:00:00Z").expect("a time");
        assert_eq!(still_led_to(&pod(5), early), Some(Duration::from_secs(5)));
        assert_eq!(still_led_to(&json!({"spec": {"containers": [{}]}}), at(0)), None);
        let running = json!({"spec": {"containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]}});
        assert_eq!(longest(&[running, pod(5), pod(9)], at(2)), Some((2, Duration::from_secs(7))));
    }
}
