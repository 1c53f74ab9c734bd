//! What kubectl would show.

use super::*;
use crate::kinds;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-01-02T00:00:00Z").expect("a time")
}

fn pod(status: Value) -> Value {
    json!({"metadata": {"name": "p", "creationTimestamp": "2026-01-01T23:58:30Z"}, "spec": {"nodeName": "wharf",
        "initContainers": [{"name": "i1"}, {"name": "side", "restartPolicy": "Always"}], "containers": [{"name": "a"}, {"name": "b"}]}, "status": status})
}

fn row(kind: &'static Kind, object: &Value) -> Vec<String> {
    let table = table(kind, &[object], now(), &Options { include: Include::None, ..Options::default() });
    let columns = table.items("columnDefinitions").len();
    let cells = table.items("rows")[0].items("cells");
    assert_eq!(columns, cells.len(), "a cell for each column of {}", kind.kind);
    cells.iter().map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)).collect()
}

#[test]
fn ages() {
    for (seconds, shown) in [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (11_580, "3h13m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (183_600, "2d3h"),
        (691_200, "8d"),
        (63_072_000, "2y"),
        (63_158_400, "2y1d"),
        (315_360_000, "10y"),
    ] {
        assert_eq!(human_duration(seconds), shown, "{seconds}");
    }
}

#[test]
fn pods_say_what_is_the_matter() {
    let running = json!({"name": "a", "ready": true, "restartCount": 0, "state": {"running": {}}});
    let waiting = |reason: &str| json!({"name": "b", "restartCount": 3, "state": {"waiting": {"reason": reason}}, "lastState": {"terminated": {"finishedAt": "2026-01-01T23:59:50Z"}}});
    let ended =
        |code: i64, reason: &str| json!({"name": "b", "restartCount": 1, "state": {"terminated": {"exitCode": code, "reason": reason}}});
    let init = |state: Value| json!({"phase": "Pending", "initContainerStatuses": [{"name": "i1", "restartCount": 2, "state": state}]});
    let cases = [
        (json!({"phase": "Pending"}), "0/3", "Pending", "0"),
        (
            json!({"phase": "Running", "containerStatuses": [running, waiting("CrashLoopBackOff")]}),
            "1/3",
            "CrashLoopBackOff",
            "3 (10s ago)",
        ),
        (json!({"phase": "Running", "containerStatuses": [running, ended(137, "OOMKilled")]}), "1/3", "OOMKilled", "1"),
        (json!({"phase": "Running", "containerStatuses": [running, ended(0, "Completed")]}), "1/3", "NotReady", "1"),
        (
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [running, ended(0, "Completed")]}),
            "1/3",
            "Running",
            "1",
        ),
        (json!({"phase": "Failed", "containerStatuses": [ended(3, "")]}), "0/3", "ExitCode:3", "1"),
        (json!({"phase": "Failed", "reason": "Evicted"}), "0/3", "Evicted", "0"),
        (init(json!({"running": {}})), "0/3", "Init:0/2", "2"),
        (init(json!({"waiting": {"reason": "CrashLoopBackOff"}})), "0/3", "Init:CrashLoopBackOff", "2"),
        (init(json!({"terminated": {"exitCode": 2, "reason": "Error"}})), "0/3", "Init:Error", "2"),
        (json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}), "0/3", "SchedulingGated", "0"),
    ];
    for (status, ready, reason, restarts) in cases {
        let cells = row(kinds::POD, &pod(status.clone()));
        assert_eq!(cells[1..5], [ready, reason, restarts, "90s"], "{status}");
        assert_eq!(cells[5..], ["<none>", "wharf", "<none>", "<none>"]);
    }
    let mut leaving = pod(json!({"phase": "Running", "containerStatuses": [running]}));
    leaving.set("metadata.deletionTimestamp", "2026-01-02T00:00:00Z");
    assert_eq!(row(kinds::POD, &leaving)[2], "Terminating");
}

#[test]
fn other_kinds() {
    let meta = json!({"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"});
    let containers = json!([{"name": "a", "image": "i"}, {"name": "b", "image": "j"}]);
    let deployment = json!({"metadata": meta, "spec": {"replicas": 3, "selector": {"matchLabels": {"z": "1", "app": "x"}}, "template": {"spec": {"containers": containers}}},
        "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}});
    assert_eq!(row(kinds::DEPLOYMENT, &deployment), ["x", "2/3", "3", "1", "24h", "a,b", "i,j", "app=x,z=1"]);
    let service = json!({"metadata": meta, "spec": {"type": "NodePort", "clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"], "selector": {"app": "x"},
        "ports": [{"port": 80, "nodePort": 32000, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}});
    assert_eq!(row(kinds::SERVICE, &service), ["x", "NodePort", "10.43.0.9", "<none>", "80:32000/TCP,53/UDP", "24h", "app=x"]);
    let quota = json!({"metadata": meta, "status": {"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1", "limits.cpu": "0"}}});
    assert_eq!(row(kinds::RESOURCE_QUOTA, &quota), ["x", "pods: 1/4", "limits.cpu: 0/2", "24h"]);
    let claim = json!({"metadata": meta, "spec": {"volumeName": "v", "storageClassName": "local", "volumeMode": "Filesystem"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}});
    assert_eq!(row(kinds::PERSISTENT_VOLUME_CLAIM, &claim), ["x", "Bound", "v", "1Gi", "RWO", "local", "<unset>", "24h", "Filesystem"]);
    let event = json!({"metadata": meta, "type": "Warning", "reason": "Failed", "message": " no \n", "count": 4, "involvedObject": {"kind": "Pod", "name": "p"},
        "firstTimestamp": "2026-01-01T23:00:00Z", "lastTimestamp": "2026-01-01T23:59:00Z", "source": {"component": "kubelet", "host": "n"}});
    assert_eq!(row(kinds::EVENT, &event), ["60s", "Warning", "Failed", "pod/p", "", "kubelet, n", "no", "60m", "4", "x"]);
    assert_eq!(row(kinds::ROLE, &json!({"metadata": meta})), ["x", "2026-01-01T00:00:00Z"]);
    let slice = json!({"metadata": meta, "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["1"]}, {"addresses": ["2"]}, {"addresses": ["3"]}, {"addresses": ["4"]}]});
    assert_eq!(row(kinds::ENDPOINT_SLICE, &slice), ["x", "IPv4", "80", "1,2,3 + 1 more...", "24h"]);
}

#[test]
fn every_kind_has_a_row_for_an_empty_object() {
    for kind in crate::KINDS {
        row(kind, &json!({}));
    }
}

#[test]
fn rows_carry_what_was_asked_for() {
    let object = json!({"kind": "ConfigMap", "metadata": {"name": "x", "uid": "u"}, "data": {"a": "b"}});
    let with =
        |include| table(kinds::CONFIG_MAP, &[&object], now(), &Options { include, ..Options::default() })["rows"][0].get("object").cloned();
    assert_eq!(with(Include::None), None);
    assert_eq!(with(Include::Object), Some(object.clone()));
    assert_eq!(
        with(Include::Metadata),
        Some(json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x", "uid": "u"}}))
    );
}
