//! Tests of the defaults.

use crate::Value;
use crate::fields::settle;
use crate::kinds::{DEPLOYMENT, KINDS, Kind, LIMIT_RANGE, NETWORK_POLICY, POD, SECRET, SERVICE};
use serde_json::json;

fn defaulted(kind: &'static Kind, mut object: Value) -> Value {
    settle(kind.schema, &mut object);
    (kind.default)(&mut object);
    object
}

#[test]
fn a_deployment_is_what_the_real_server_stores() {
    let given = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}],
            "readinessProbe": {"httpGet": {"port": 80}}}]}}}});
    let wanted = json!({"metadata": {}, "status": {}, "spec": {
        "progressDeadlineSeconds": 600, "replicas": 1, "revisionHistoryLimit": 10,
        "selector": {"matchLabels": {"a": "b"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "containers": [{"name": "c", "image": "nginx", "imagePullPolicy": "Always",
                "ports": [{"containerPort": 80, "protocol": "TCP"}], "resources": {},
                "readinessProbe": {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1,
                    "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
            "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
            "securityContext": {}, "terminationGracePeriodSeconds": 30}}}});
    assert_eq!(defaulted(DEPLOYMENT, given), wanted);
}

#[test]
fn a_pod_requests_what_it_is_limited_to() {
    let pod = defaulted(
        POD,
        json!({"spec": {"serviceAccount": "x", "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "t"}}],
        "containers": [{"name": "c", "image": "a:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100u"}}}]}}),
    );
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "1m", "memory": "1Gi"}));
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "t", "defaultMode": 420}}])
    );
    assert_eq!(pod["spec"]["serviceAccountName"], "x");
    assert_eq!(pod["spec"]["enableServiceLinks"], true);
}

#[test]
fn services_secrets_policies_and_ranges() {
    let service = defaulted(SERVICE, json!({"spec": {"type": "NodePort", "ports": [{"port": 80}]}}));
    assert_eq!(service["spec"]["ports"], json!([{"port": 80, "protocol": "TCP", "targetPort": 80}]));
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Cluster");
    let secret = defaulted(SECRET, json!({"stringData": {"a": "b"}, "data": {"a": "eA==", "c": "eA=="}}));
    assert_eq!(secret, json!({"metadata": {}, "type": "Opaque", "data": {"a": "Yg==", "c": "eA=="}}));
    let policy = defaulted(NETWORK_POLICY, json!({"spec": {"podSelector": {}, "egress": [{}]}}));
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let range = defaulted(LIMIT_RANGE, json!({"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}]}}));
    let wanted = json!({"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}, "default": {"cpu": "2"},
        "defaultRequest": {"cpu": "2", "memory": "1Mi"}});
    assert_eq!(range["spec"]["limits"][0], wanted);
}

#[test]
fn a_second_time_changes_nothing_and_nothing_panics() {
    for kind in KINDS {
        for start in [
            json!({}),
            json!(null),
            json!({"spec": 1, "status": []}),
            json!({"spec": {"containers": [1, {}], "volumes": [null], "ports": [{}]}}),
        ] {
            let once = defaulted(kind, start);
            assert_eq!(defaulted(kind, once.clone()), once, "{}", kind.kind);
        }
    }
}

#[test]
fn a_replication_controller_takes_the_labels_of_its_template() {
    let mut object = json!({"spec": {"template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c"}]}}}});
    (crate::kinds::REPLICATION_CONTROLLER.default)(&mut object);
    assert_eq!((&object["spec"]["selector"], &object["metadata"]["labels"]), (&json!({"app": "a"}), &json!({"app": "a"})));
    assert_eq!(object["spec"]["replicas"], json!(1));
}
