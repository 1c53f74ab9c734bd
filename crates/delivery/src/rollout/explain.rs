//! Why something does not serve that may have served before: the same signs as of a rollout, without its patience.

use super::trouble::{self, Trouble};
use crate::world::{LogOf, World};
use k8s::Value;

/// Why an object does not serve.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation(Trouble);

impl Explanation {
    /// A log whose last line says more.
    pub fn log(&self) -> Option<&LogOf> {
        self.0.log.as_ref()
    }

    /// One line, with the last line of the log where there is one.
    pub fn message(&self, log: &[String]) -> String {
        self.0.cause("", "", log).message
    }
}

/// The worst sign about a workload, a pod or a claim and what came of it; `world` holds its pods, their sets, events and claims.
pub fn explain(object: &Value, world: &World) -> Option<Explanation> {
    let worst = trouble::find(object, world).into_iter().next();
    worst.or_else(|| trouble::find_in_all_pods(object, world).into_iter().next()).map(Explanation)
}
