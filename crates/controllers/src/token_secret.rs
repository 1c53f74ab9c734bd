//! Secrets of the type `kubernetes.io/service-account-token`: filled in for their account, and gone when it is.
//!
//! Source: the page "Service Accounts" of the Kubernetes documentation; kubernetes `pkg/controller/serviceaccount`.

use crate::workload;
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s::kinds::{SECRET, SERVICE_ACCOUNT};
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "tokens-controller",
    watches: &[
        Watch { kind: SECRET, concerns: |secret, _| if is_token(secret) { workload::itself(SECRET, secret) } else { Vec::new() } },
        Watch { kind: SERVICE_ACCOUNT, concerns: of_account },
    ],
    step,
};

const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";

fn is_token(secret: &Value) -> bool {
    secret.text("type") == "kubernetes.io/service-account-token"
}

fn of_account(account: &Value, world: &dyn World) -> Vec<ObjectRef> {
    workload::referring(world, SECRET, account.namespace(), |secret| is_token(secret) && secret.annotation(NAME) == Some(account.name()))
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(secret) = world.find(reference).filter(|secret| is_token(secret) && !secret.is_terminating()) else { return Step::done() };
    let name = secret.annotation(NAME).unwrap_or_default();
    let named = secret.annotation(UID).unwrap_or_default();
    let account = world.get(SERVICE_ACCOUNT, secret.namespace(), name).filter(|account| named.is_empty() || account.uid() == named);
    let Some(account) = account else {
        // The account is gone, or is another of the same name.
        let object = reference.clone();
        return Step::write(vec![Write::Delete { object, uid: secret.uid().to_owned(), propagation: "Background", now: false }]);
    };
    let mut filled = (*secret).clone();
    filled.at_mut("metadata.annotations")[UID] = json!(account.uid());
    for (key, text) in [("ca.crt", world.root_ca()), ("namespace", secret.namespace())] {
        filled.at_mut("data")[key] = json!(STANDARD.encode(text));
    }
    if secret.text("data.token").is_empty() {
        return Step::write(vec![Write::IssueToken { secret: filled, account: name.to_owned() }]);
    }
    if filled == *secret { Step::done() } else { Step::write(vec![Write::Update(SECRET, filled)]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;

    fn world() -> TestWorld {
        let account = json!({"metadata": {"name": "robot", "namespace": "d", "uid": "a1"}});
        let secret = json!({"metadata": {"name": "s", "namespace": "d", "uid": "s1", "annotations": {NAME: "robot"}},
            "type": "kubernetes.io/service-account-token"});
        let other = json!({"metadata": {"name": "o", "namespace": "d", "uid": "s2"}, "type": "Opaque"});
        TestWorld::with(&[(SERVICE_ACCOUNT, account), (SECRET, secret), (SECRET, other)])
    }

    #[test]
    fn a_token_secret_is_filled_in_and_kept_so() {
        let mut world = world();
        world.settle(&CONTROLLER);
        let secret = world.get(SECRET, "d", "s").expect("there");
        assert_eq!(secret.text("data.token"), "token of robot");
        assert_eq!(secret.text("data.namespace"), "ZA==");
        assert_eq!(secret.annotation(UID), Some("a1"));
        assert!(secret.at("data").and_then(|data| data.member("ca.crt")).is_some());
        world.change(SECRET, "d", "s", |secret| secret.set("data.token", ""));
        world.settle(&CONTROLLER);
        assert_eq!(world.get(SECRET, "d", "s").expect("there").text("data.token"), "token of robot");
        assert!(world.get(SECRET, "d", "o").expect("there").at("data").is_none(), "other secrets are left alone");
    }

    #[test]
    fn it_goes_with_its_account_and_serves_no_other_of_the_name() {
        let mut world = world();
        world.settle(&CONTROLLER);
        world.change(SERVICE_ACCOUNT, "d", "robot", |account| account.set("metadata.uid", "a2"));
        world.settle(&CONTROLLER);
        assert!(world.get(SECRET, "d", "s").is_none() && world.get(SECRET, "d", "o").is_some());
    }
}
