//! Who asks.

use std::collections::BTreeMap;

/// A user as authentication found them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Such as `admin` or `system:serviceaccount:default:web`.
    pub name: String,
    /// Unique over time; empty where not known.
    pub uid: String,
    /// Such as `system:masters`.
    pub groups: Vec<String>,
    /// What else is known, such as `authentication.kubernetes.io/pod-name`.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// May do everything, whatever the roles say.
pub const MASTERS: &str = "system:masters";
/// Everybody who proved who they are.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Everybody else.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

impl User {
    /// A user of these groups.
    pub fn new(name: impl Into<String>, groups: &[&str]) -> Self {
        Self { name: name.into(), groups: groups.iter().map(|group| (*group).to_owned()).collect(), ..Self::default() }
    }

    /// Whoever sends no credentials.
    pub fn anonymous() -> Self {
        Self::new("system:anonymous", &[UNAUTHENTICATED])
    }

    /// A service account.
    pub fn service_account(namespace: &str, name: &str, uid: &str) -> Self {
        let group = format!("system:serviceaccounts:{namespace}");
        let mut user = Self::new(format!("system:serviceaccount:{namespace}:{name}"), &["system:serviceaccounts", &group, AUTHENTICATED]);
        uid.clone_into(&mut user.uid);
        user
    }

    /// Whether the user is in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|mine| mine == group)
    }
}
