//! ServiceAccount: every namespace has one named `default`.

use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{NAMESPACE, SERVICE_ACCOUNT};
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "serviceaccount-controller",
    watches: &[
        Watch { kind: NAMESPACE, concerns: |namespace, _| vec![ObjectRef::of(NAMESPACE, namespace)] },
        Watch { kind: SERVICE_ACCOUNT, concerns: of_namespace },
    ],
    step,
};

/// The namespace that an object is in.
pub fn of_namespace(object: &Value, _: &dyn World) -> Vec<ObjectRef> {
    vec![ObjectRef::new(NAMESPACE, "", object.namespace())]
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let lives = world.find(reference).is_some_and(|namespace| !namespace.is_terminating());
    if !lives || world.get(SERVICE_ACCOUNT, &reference.name, "default").is_some() {
        return Step::done();
    }
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": reference.name}});
    Step::write(vec![Write::Create(SERVICE_ACCOUNT, account)])
}
