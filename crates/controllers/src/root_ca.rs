//! The ConfigMap `kube-root-ca.crt` of every namespace: how pods know the API server.

use crate::service_account::of_namespace;
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{CONFIG_MAP, NAMESPACE};
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "root-ca-certificate-publisher-controller",
    watches: &[
        Watch { kind: NAMESPACE, concerns: |namespace, _| vec![ObjectRef::of(NAMESPACE, namespace)] },
        Watch { kind: CONFIG_MAP, concerns: of_map },
    ],
    step,
};

const NAME: &str = "kube-root-ca.crt";

fn of_map(map: &Value, world: &dyn World) -> Vec<ObjectRef> {
    if map.name() == NAME { of_namespace(map, world) } else { Vec::new() }
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    if world.find(reference).is_none_or(|namespace| namespace.is_terminating()) {
        return Step::done();
    }
    let data = json!({"ca.crt": world.root_ca()});
    let write = match world.get(CONFIG_MAP, &reference.name, NAME) {
        None => Write::Create(
            CONFIG_MAP,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data, "metadata": {"name": NAME,
            "namespace": reference.name, "annotations": {"kubernetes.io/description":
                "The certificate authority of the API server, for clients within the cluster; other servers' certificates are not covered by it."}}}),
        ),
        Some(map) if map.at("data") != Some(&data) => {
            let mut map = (*map).clone();
            map["data"] = data;
            Write::Update(CONFIG_MAP, map)
        }
        Some(_) => return Step::done(),
    };
    Step::write(vec![write])
}
