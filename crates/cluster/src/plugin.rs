//! Plugins that hand out credentials (client-go credential plugins, `client.authentication.k8s.io`): why there are none.
//!
//! What a plugin wrote to its standard output is never shown: it may be a credential that is only spelt wrong.

use base::{Problem, ProblemKind};
use kube::client::AuthError;
use std::error::Error;

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// Its program cannot be started.
    #[error("the kubeconfig's plugin for credentials cannot be started: {0}")]
    Missing(String),
    /// It ended with an error.
    #[error("the kubeconfig's plugin for credentials failed: {0}")]
    Failed(String),
    /// It said something else than credentials.
    #[error("the kubeconfig's plugin for credentials printed no ExecCredential of client.authentication.k8s.io")]
    Answer,
}

/// Bytes of what a plugin said that are shown.
const SHOWN: usize = 300;

impl PluginError {
    /// The plugin's part in an error, where it has one.
    pub(crate) fn within(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<AuthError>() {
                return Self::of(found);
            }
            next = error.source();
        }
        None
    }

    fn of(error: &AuthError) -> Option<Self> {
        match error {
            AuthError::AuthExecStart(error) => Some(Self::Missing(error.to_string())),
            AuthError::AuthExecRun { out, .. } => {
                let said = String::from_utf8_lossy(&out.stderr);
                let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
                let told = |line: &str| format!(": {}", line.chars().filter(|c| !c.is_control()).take(SHOWN).collect::<String>());
                Some(Self::Failed(format!("{}{}", out.status, last.map(told).unwrap_or_default())))
            }
            AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed | AuthError::MalformedTokenExpirationDate(_) => Some(Self::Answer),
            _ => None,
        }
    }

    /// Names the plugin's program.
    pub(crate) fn of_command(self, command: &str) -> Self {
        match self {
            Self::Missing(why) => Self::Missing(format!("`{command}`: {why}")),
            Self::Failed(why) => Self::Failed(format!("`{command}`: {why}")),
            Self::Answer => Self::Answer,
        }
    }
}

impl From<PluginError> for Problem {
    fn from(error: PluginError) -> Self {
        let (kind, hint) = match error {
            PluginError::Missing(_) => (ProblemKind::Host, "install it, or choose a context that needs none"),
            PluginError::Failed(_) | PluginError::Answer => (ProblemKind::Target, "run it by hand to see what it wants, such as a login"),
        };
        Self::new(kind, error.to_string()).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn ended(stdout: &str, stderr: &str) -> kube::Error {
        let (status, stdout, stderr) = (std::process::ExitStatus::from_raw(3 << 8), stdout.as_bytes().to_vec(), stderr.as_bytes().to_vec());
        let out = Box::new(std::process::Output { status, stdout, stderr });
        kube::Error::Auth(AuthError::AuthExecRun { cmd: "TOKEN=secret cloud".to_owned(), out })
    }

    #[test]
    fn what_a_plugin_printed_is_never_shown() {
        let said = |error: kube::Error| crate::error::translate("https://c", error).to_string();
        let failed = said(ended("secret", "first\nlog in\u{1b}[31m first\n\n"));
        assert!(failed.ends_with("exit status: 3: log in[31m first") && !failed.contains("secret"), "{failed}");
        assert!(said(ended("", "")).ends_with("exit status: 3"));
        assert!(said(kube::Error::Auth(AuthError::ExecPluginFailed)).ends_with("client.authentication.k8s.io"));
    }

    #[test]
    fn exit_codes_tell_what_is_to_be_done() {
        for (error, kind) in [
            (PluginError::Missing("x".to_owned()), ProblemKind::Host),
            (PluginError::Failed("x".to_owned()), ProblemKind::Target),
            (PluginError::Answer, ProblemKind::Target),
        ] {
            assert_eq!(Problem::from(error).kind, kind);
        }
    }
}
