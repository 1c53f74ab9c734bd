//! What else must hold for a write, and what is filled in from other objects: one file each, in order.

mod default_storage_class;
mod event_owner;
mod limit_ranger;
mod namespace_lifecycle;
mod priority;
mod rbac_escalation;
mod resource_quota;
mod runtime_class;
mod service_account;
mod service_address;
mod taints;

use crate::core::Core;
use crate::handler::Call;
use k8s::kinds::{NAMESPACE, SERVICE};
use k8s::{ApiError, Fields, Kind, Value};
use store::Op;
use tokio::sync::OwnedMutexGuard;

/// Which write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Of a new object.
    Create,
    /// Of an existing one.
    Update,
}

/// A write that is looked at.
pub struct Review<'a> {
    /// Whose, for what.
    pub call: &'a Call<'a>,
    /// Which.
    pub operation: Operation,
    /// As it would be written.
    pub object: &'a mut Value,
    /// As it is.
    pub old: Option<&'a Value>,
    /// Written in the same transaction.
    pub more: Vec<Op>,
    /// Told with the answer.
    pub warnings: Vec<String>,
}

impl Review<'_> {
    /// The server.
    pub fn core(&self) -> &Core {
        self.call.core
    }

    /// Whether this is the creation of an object of a kind.
    pub fn creates(&self, kind: &Kind) -> bool {
        self.operation == Operation::Create && *self.call.target.kind == *kind
    }

    /// 403 about the object.
    pub fn forbidden(&self, why: &str) -> ApiError {
        let named = self.object.name();
        let name = if named.is_empty() { self.object.text("metadata.generateName") } else { named };
        ApiError::forbidden(self.call.target.kind, name, why)
    }
}

/// One rule.
pub struct Admission {
    /// As `--enable-admission-plugins` names it, where there is such.
    pub name: &'static str,
    /// Looks at a write; may change it.
    pub review: fn(&mut Review<'_>) -> Result<(), ApiError>,
}

/// All rules: those that change objects first, quota last, because it counts what will be written.
pub const ADMISSIONS: &[Admission] = &[
    namespace_lifecycle::ADMISSION,
    service_account::ADMISSION,
    priority::ADMISSION,
    taints::ADMISSION,
    runtime_class::ADMISSION,
    default_storage_class::ADMISSION,
    service_address::ADMISSION,
    event_owner::ADMISSION,
    rbac_escalation::ADMISSION,
    limit_ranger::ADMISSION,
    resource_quota::ADMISSION,
];

/// Asks all rules.
///
/// # Errors
/// The first refusal.
pub fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    ADMISSIONS.iter().try_for_each(|admission| (admission.review)(review))
}

/// Waits for the turns that a write needs because a rule looks at all objects of a kind at once.
pub async fn turns(call: &Call<'_>, _old: Option<&Value>) -> Vec<OwnedMutexGuard<()>> {
    let mut turns = Vec::new();
    if call.target.kind == SERVICE && call.target.subresource.is_empty() {
        turns.push(call.core.turns.take("services").await);
    }
    if resource_quota::concerns(call) {
        turns.push(call.core.turns.take(&format!("quota/{}", call.target.namespace)).await);
    }
    turns
}

/// Namespaces that are never deleted. Source: kubernetes `plugin/pkg/admission/namespace/lifecycle`.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Whether an object may be deleted.
///
/// # Errors
/// 403 for the namespaces that the system stands on.
pub fn may_delete(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    if call.target.kind == NAMESPACE && IMMORTAL.contains(&object.name()) {
        return Err(ApiError::forbidden(NAMESPACE, object.name(), "this namespace may not be deleted"));
    }
    Ok(())
}
