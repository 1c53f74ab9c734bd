//! What proves who we are at a registry.

use base::Secret;

/// What proves who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Name and password.
    Password {
        /// Name.
        user: String,
        /// Password, or an access token in its place.
        password: Secret,
    },
    /// A refresh token, exchanged for access tokens (docker's `identitytoken`).
    Identity(Secret),
    /// A token that is sent as it is (docker's `registrytoken`).
    Bearer(Secret),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let credential = Credential::Password { user: "me".into(), password: Secret::new("hunter2") };
        for shown in [format!("{credential:?}"), format!("{credential:#?}"), format!("{:?}", Credential::Identity(Secret::new("hunter2")))]
        {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
