//! Tests of validation: what is good stays silent, what is wrong is told in the API server's words, nothing panics.

use crate::Value;
use crate::fields::settle;
use crate::kinds::*;
use crate::object::Fields;
use proptest::prelude::*;
use serde_json::json;

fn ready(kind: &'static Kind, mut object: Value) -> Value {
    settle(kind.schema, &mut object);
    (kind.default)(&mut object);
    object
}

fn told(kind: &'static Kind, object: Value) -> Vec<String> {
    let object = ready(kind, object);
    (kind.validate)(&object, None).iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

fn changed(kind: &'static Kind, old: Value, path: &str, value: Value) -> Vec<String> {
    let old = ready(kind, old);
    let mut new = old.clone();
    *new.pointer_mut(path).expect("a member") = value;
    (kind.validate)(&new, Some(&old)).iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

fn pod() -> Value {
    json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"nodeName": "wharf",
        "volumes": [{"name": "v", "configMap": {"name": "c"}}, {"name": "p", "persistentVolumeClaim": {"claimName": "p"}},
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}, {"configMap": {"name": "kube-root-ca.crt"}}]}}],
        "initContainers": [{"name": "i", "image": "i"}, {"name": "s", "image": "s", "restartPolicy": "Always", "startupProbe": {"exec": {"command": ["a"]}}}],
        "containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80, "name": "http"}],
            "env": [{"name": "A", "value": "x"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['x']"}}}],
            "envFrom": [{"secretRef": {"name": "s"}}],
            "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "64Mi"}},
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/b"}],
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
            "livenessProbe": {"tcpSocket": {"port": "http"}}, "readinessProbe": {"httpGet": {"port": 80}}}]}})
}

fn deployment() -> Value {
    json!({"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}})
}

fn replication_controller() -> Value {
    json!({"metadata": {"name": "a"}, "spec": {
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}})
}

fn service() -> Value {
    json!({"metadata": {"name": "a"}, "spec": {"type": "NodePort", "clusterIP": "10.43.0.7", "clusterIPs": ["10.43.0.7"],
        "selector": {"app": "a"}, "ports": [{"port": 80, "nodePort": 32000, "targetPort": "http"}]}})
}

fn claim() -> Value {
    json!({"metadata": {"name": "a"}, "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "v", "resources": {"requests": {"storage": "1Gi"}}}})
}

/// What an update of a pod by a subresource's own rule is refused for.
fn changed_pod(rule: fn(&Value, &Value) -> Vec<crate::Cause>, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut old = ready(POD, pod());
    old["status"] = json!({"qosClass": "Burstable"});
    let mut new = old.clone();
    change(&mut new);
    (POD.default)(&mut new);
    rule(&new, &old).iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

#[test]
fn ephemeral_containers_come_and_stay() {
    use super::pod::ephemeral_containers as rule;
    let with = |container: Value| changed_pod(rule, |pod| pod["spec"]["ephemeralContainers"] = json!([container]));
    assert_eq!(with(json!({"name": "d", "image": "i", "targetContainerName": "c", "stdin": true, "tty": true})), [""; 0]);
    let wrong = with(json!({"name": "c", "image": "", "targetContainerName": "x", "ports": [{"containerPort": 1}],
        "livenessProbe": {"tcpSocket": {"port": 1}}, "resources": {"limits": {"cpu": "1"}}}));
    for part in [
        "[0].name: Duplicate",
        "[0].image: Required",
        "[0].ports: Forb",
        "[0].livenessProbe: Forb",
        "[0].resources: Forb",
        "targetContainerName: Not found",
    ] {
        assert!(wrong.iter().any(|told| told.contains(part)), "{part}: {wrong:?}");
    }
    let mut old = pod();
    old["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "i"}]);
    let old = ready(POD, old);
    assert_eq!(rule(&ready(POD, pod()), &old).len(), 1, "none may go");
    let mut other = old.clone();
    other["spec"]["ephemeralContainers"][0]["image"] = json!("j");
    assert_eq!(rule(&other, &old).len(), 1, "none may change");
    assert!(told(POD, old).iter().any(|told| told.contains("spec.ephemeralContainers: Forbidden: cannot be set on create")));
}

#[test]
fn a_resize_changes_amounts_and_nothing_else() {
    use super::pod::resize as rule;
    let with = |at: &str, value: Value| changed_pod(rule, |pod| *pod.pointer_mut(at).expect("a member") = value);
    let own = "/spec/containers/0/resources";
    assert_eq!(with(own, json!({"requests": {"cpu": "200m", "memory": "1Mi"}, "limits": {"cpu": "2", "memory": "64Mi"}})), [""; 0]);
    let gone = with(own, json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}));
    assert!(gone.iter().any(|told| told.contains("resource limits cannot be removed")), "{gone:?}");
    let other = with(own, json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "64Mi", "ephemeral-storage": "1Gi"}}));
    assert!(other.iter().any(|told| told.contains("only cpu and memory resources are mutable")), "{other:?}");
    assert!(with("/spec/containers/0/name", json!("x"))[0].contains("may not be renamed or reordered"));
    let init = changed_pod(rule, |pod| pod["spec"]["initContainers"][0]["resources"] = json!({"limits": {"cpu": "1"}}));
    assert!(init.iter().any(|told| told.contains("only the resources of sidecar containers")), "{init:?}");
    let sidecar = changed_pod(rule, |pod| pod["spec"]["initContainers"][1]["resources"] = json!({"limits": {"cpu": "1"}}));
    assert_eq!(sidecar, [""; 0]);
    let class = changed_pod(rule, |pod| {
        pod["status"]["qosClass"] = json!("x");
        for list in ["containers", "initContainers"] {
            for container in pod["spec"][list].as_array_mut().expect("a list") {
                container["resources"] = json!({"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "1", "memory": "64Mi"}});
            }
        }
    });
    assert!(class.iter().any(|told| told.contains("QOS Class may not change")), "{class:?}");
}

#[test]
fn good_objects_are_silent() {
    let role = json!({"metadata": {"name": "system:x"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
    let binding = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "n"}, {"kind": "User", "name": "a@b"}]});
    let policy = json!({"metadata": {"name": "p"}, "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}],
        "from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}});
    let slice =
        json!({"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [{"addresses": ["10.42.0.2"]}], "ports": [{"port": 80}]});
    let volume = json!({"metadata": {"name": "v"}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}});
    for (kind, object) in [
        (POD, pod()),
        (DEPLOYMENT, deployment()),
        (REPLICA_SET, deployment()),
        (REPLICATION_CONTROLLER, replication_controller()),
        (SERVICE, service()),
        (PERSISTENT_VOLUME_CLAIM, claim()),
        (PERSISTENT_VOLUME, volume),
        (ROLE, role.clone()),
        (CLUSTER_ROLE, role),
        (ROLE_BINDING, binding.clone()),
        (CLUSTER_ROLE_BINDING, binding),
        (NETWORK_POLICY, policy),
        (ENDPOINT_SLICE, slice),
        (NAMESPACE, json!({"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}})),
        (NODE, json!({"metadata": {"name": "wharf"}, "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}})),
        (CONFIG_MAP, json!({"metadata": {"name": "c"}, "data": {"a.b": "x"}})),
        (SECRET, json!({"metadata": {"name": "c"}, "stringData": {"tls.crt": "x", "tls.key": "y"}, "type": "kubernetes.io/tls"})),
        (SERVICE_ACCOUNT, json!({"metadata": {"name": "default"}})),
        (
            RESOURCE_QUOTA,
            json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "5", "requests.cpu": "1", "count/deployments.apps": "3"}}}),
        ),
        (
            LIMIT_RANGE,
            json!({"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "100m"}}]}}),
        ),
        (LEASE, json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "x", "leaseDurationSeconds": 40}})),
        (EVENT, json!({"metadata": {"name": "e.1", "namespace": "n"}, "involvedObject": {"namespace": "n"}})),
        (
            STORAGE_CLASS,
            json!({"metadata": {"name": "local"}, "provisioner": "wharf.local/folder", "volumeBindingMode": "WaitForFirstConsumer"}),
        ),
        (PRIORITY_CLASS, json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000})),
        (CONTROLLER_REVISION, json!({"metadata": {"name": "r"}, "data": {"a": 1}, "revision": 1})),
        (POD_TEMPLATE, json!({"metadata": {"name": "t"}, "template": {"spec": {"containers": [{"name": "c", "image": "nginx"}]}}})),
        (RUNTIME_CLASS, json!({"metadata": {"name": "r"}, "handler": "runc", "overhead": {"podFixed": {"cpu": "10m"}}})),
        (
            INGRESS_CLASS,
            json!({"metadata": {"name": "i"}, "spec": {"controller": "example.com/c", "parameters": {"kind": "k", "name": "n"}}}),
        ),
        (ENDPOINTS, json!({"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "10.42.0.2"}], "ports": [{"port": 80}]}]})),
    ] {
        assert_eq!(told(kind, object.clone()), Vec::<String>::new(), "{}", kind.kind);
        let object = ready(kind, object);
        assert_eq!((kind.validate)(&object, Some(&object)), [], "{} unchanged", kind.kind);
    }
}

#[test]
fn what_is_wrong_with_pods() {
    let mut object = pod();
    object["metadata"]["name"] = json!("Bad_Name");
    let container = &mut object["spec"]["containers"][0];
    container["image"] = json!("");
    container["imagePullPolicy"] = json!("Sometimes");
    container["ports"][0]["containerPort"] = json!(70_000);
    container["resources"]["requests"]["cpu"] = json!("2");
    container["volumeMounts"][0]["name"] = json!("none");
    container["livenessProbe"]["exec"] = json!({"command": ["a"]});
    container["env"][0]["name"] = json!("a=b");
    container["restartPolicy"] = json!("Always");
    object["spec"]["volumes"][0]["secret"] = json!({"secretName": "x"});
    object["spec"]["initContainers"][0]["name"] = json!("c");
    let wanted = [
        r#"metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
        "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type",
        "spec.containers[0].image: Required value",
        r#"spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never""#,
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        r#"spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='"#,
        r#"spec.containers[0].volumeMounts[0].name: Not found: "none""#,
        r#"spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1"#,
        "spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers",
        "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        r#"spec.initContainers[0].name: Duplicate value: "c""#,
    ];
    assert_eq!(told(POD, object), wanted);
    assert_eq!(told(POD, json!({"metadata": {"name": "a"}})), ["spec.containers: Required value"]);
}

#[test]
fn what_may_change_in_a_pod() {
    assert_eq!(changed(POD, pod(), "/spec/containers/0/image", json!("nginx:2")), Vec::<String>::new());
    let refused = changed(POD, pod(), "/spec/containers/0/env/0/value", json!("y"));
    assert!(
        refused[0].starts_with("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"),
        "{refused:?}"
    );
    assert_eq!(
        changed(POD, pod(), "/spec/initContainers", json!([])),
        ["spec.initContainers: Forbidden: pod updates may not add or remove containers"]
    );
    let mut unbound = pod();
    unbound["spec"]["nodeName"] = json!("");
    let (old, new) = (ready(POD, unbound), ready(POD, pod()));
    assert_eq!((POD.validate)(&new, Some(&old)), []);
}

#[test]
fn what_is_wrong_with_workloads_and_services() {
    let mut object = deployment();
    object["spec"]["template"]["metadata"]["labels"] = json!({"app": "b"});
    object["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    object["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}});
    let wanted = [
        r#"spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`"#,
        r#"spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always""#,
        r#"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0"#,
    ];
    assert_eq!(told(DEPLOYMENT, object), wanted);
    let changed_selector = changed(DEPLOYMENT, deployment(), "/spec/selector/matchLabels/app", json!("b"));
    assert!(
        changed_selector.iter().any(|one| one == r#"spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable"#),
        "{changed_selector:?}"
    );

    let mut object = service();
    object["spec"]["type"] = json!("ClusterIP");
    object["spec"]["ports"] = json!([{"port": 80, "nodePort": 32000}, {"port": 80, "name": "b"}]);
    let wanted = [
        "spec.ports[0].name: Required value",
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        r#"spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}"#,
    ];
    assert_eq!(told(SERVICE, object), wanted);
    assert_eq!(told(SERVICE, json!({"metadata": {"name": "a"}, "spec": {}})), ["spec.ports: Required value"]);
    let moved = changed(SERVICE, service(), "/spec/clusterIP", json!(""));
    assert!(moved.contains(&r#"spec.clusterIPs[0]: Invalid value: ["10.43.0.7"]: may not change once set"#.to_owned()), "{moved:?}");
}

#[test]
fn what_is_wrong_with_the_others() {
    let wrong_key = told(CONFIG_MAP, json!({"metadata": {"name": "c"}, "data": {"a/b": "x"}}));
    assert!(wrong_key[0].starts_with(r#"data[a/b]: Invalid value: "a/b": a valid config key must consist of"#), "{wrong_key:?}");
    let sealed = changed(CONFIG_MAP, json!({"metadata": {"name": "c"}, "immutable": true, "data": {"a": "x"}}), "/data/a", json!("y"));
    assert_eq!(sealed, ["data: Forbidden: field is immutable when `immutable` is set"]);
    let secret = told(SECRET, json!({"metadata": {"name": "c"}, "type": "kubernetes.io/tls"}));
    assert_eq!(secret, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]);
    let grown = changed(PERSISTENT_VOLUME_CLAIM, claim(), "/spec/volumeName", json!("w"));
    assert!(grown[0].starts_with("spec: Forbidden: spec is immutable after creation except resources.requests"), "{grown:?}");
    let binding =
        json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "view"}, "subjects": [{"kind": "Robot", "name": "x"}]});
    let wanted = [r#"subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group""#];
    assert_eq!(told(ROLE_BINDING, binding.clone()), wanted);
    assert_eq!(told(CLUSTER_ROLE_BINDING, binding)[0], r#"roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole""#);
    let policy = json!({"metadata": {"name": "p"}, "spec": {"ingress": [{"from": [{}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}]}});
    let wanted = [
        "spec.ingress[0].from[0]: Required value: must specify a peer",
        r#"spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/9": must be a strict subset of `cidr`"#,
    ];
    assert_eq!(told(NETWORK_POLICY, policy), wanted);
    let range = json!({"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}}]}});
    assert_eq!(told(LIMIT_RANGE, range)[0], r#"spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1"#);
    let labels = told(SERVICE_ACCOUNT, json!({"metadata": {"name": "a", "labels": {"a b": "c d"}}}));
    assert_eq!(labels.len(), 2, "{labels:?}");
}

/// Any JSON of small size, with names that the kinds know among its members.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("spec"),
        Just("metadata"),
        Just("name"),
        Just("containers"),
        Just("template"),
        Just("ports"),
        Just("resources"),
        Just("limits"),
        Just("requests"),
        Just("volumes"),
        Just("selector"),
        Just("rules"),
        Just("data"),
        Just("strategy"),
        Just("labels"),
        Just("x")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics(object in any_json(), old in any_json()) {
        for kind in KINDS {
            let _ = (kind.validate)(&object, Some(&old));
            let _ = crate::support::check(kind, &object);
            if let Ok(checked) = crate::fields::check(kind.schema, &object) {
                let object = ready(kind, checked.value);
                let _ = (kind.validate)(&object, None);
            }
        }
    }
}

#[test]
fn what_is_wrong_with_replication_controllers() {
    let mut object = replication_controller();
    object.set("spec.selector", json!({"app": "b"}));
    object.set("spec.replicas", -1);
    let told = told(REPLICATION_CONTROLLER, object);
    assert!(
        told.iter().any(|cause| cause.contains("spec.replicas")) && told.iter().any(|cause| cause.contains("`selector` does not match")),
        "{told:?}"
    );
    let mut none = replication_controller();
    none.unset("spec.template.metadata.labels");
    assert!(super::workload::replication_controller(&none, None).iter().any(|cause| cause.field == "spec.selector"));
}
