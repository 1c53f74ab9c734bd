//! Bindings of roles.

use super::{each, fill};
use crate::Value;
use crate::object::Fields;

const GROUP: &str = "rbac.authorization.k8s.io";

/// A RoleBinding.
pub fn role_binding(object: &mut Value) {
    fill(object, "roleRef.apiGroup", GROUP);
    for subject in each(object, "subjects") {
        if matches!(subject.text("kind"), "User" | "Group") {
            fill(subject, "apiGroup", GROUP);
        }
    }
}

/// A ClusterRoleBinding.
pub fn cluster_role_binding(object: &mut Value) {
    role_binding(object);
}
