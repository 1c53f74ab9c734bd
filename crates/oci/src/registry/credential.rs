//! What proves who we are at a registry, and texts that must never be seen.

use std::fmt;

/// A text that no log, message or record shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends or stores it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

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
