//! What can go wrong with a registry, and what to do about it.

use crate::error::BlobError;
use net::client::{ClientError, ClientErrorKind};

/// Why a registry did not do what was asked, or what it gave was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answers, or the connection broke again and again.
    #[error("cannot {action}: the registry `{registry}` is not reached: {source}")]
    Unreachable {
        /// Its name.
        registry: String,
        /// What was wanted: `pull ...`.
        action: String,
        /// Why.
        source: ClientError,
    },
    /// It is too busy, or broken.
    #[error("cannot {action} now: the registry `{registry}` answers {status}{}", told(why))]
    Busy {
        /// Its name.
        registry: String,
        /// What was wanted: `pull ...`.
        action: String,
        /// The answer's status.
        status: u16,
        /// What it says.
        why: String,
    },
    /// It wants to know who we are, and we do not say, or it does not believe us.
    #[error("cannot {action}: the registry `{registry}` does not allow it: {why}")]
    Login {
        /// Its name.
        registry: String,
        /// What was wanted: `pull ...`.
        action: String,
        /// What it says.
        why: String,
    },
    /// It says no.
    #[error("cannot {action}: the registry `{registry}` refuses: it answers {status}{}", told(why))]
    Refused {
        /// Its name.
        registry: String,
        /// What was wanted: `pull ...`.
        action: String,
        /// The answer's status.
        status: u16,
        /// What it says.
        why: String,
    },
    /// It does not have it.
    #[error("the registry `{registry}` has no {what}")]
    Missing {
        /// Its name.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// Its answer is none that the protocol knows.
    #[error("cannot {action}: the registry `{registry}` answers wrongly: {why}")]
    Answer {
        /// Its name.
        registry: String,
        /// What was wanted: `pull ...`.
        action: String,
        /// What is wrong.
        why: String,
    },
    /// Content that is not what its name says.
    #[error("the registry `{registry}` gave {what} with the digest {found}; expected {expected}")]
    Digest {
        /// Its name.
        registry: String,
        /// What was asked for.
        what: String,
        /// The name's.
        expected: String,
        /// The content's.
        found: String,
    },
    /// Neither a mirror nor the registry itself gave it.
    #[error("{last}; before that: {earlier}")]
    Mirrors {
        /// What the registry itself said.
        last: Box<RemoteError>,
        /// What its mirrors said.
        earlier: String,
    },
    /// Something that is understood and not supported, or not there for this machine.
    #[error("{0}")]
    Unsupported(String),
    /// Our own store.
    #[error(transparent)]
    Store(#[from] BlobError),
}

/// What a login is for.
pub(crate) const LOG_IN: &str = "log in";

fn told(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(" ({why})") }
}

impl RemoteError {
    /// What the registry itself said, whatever its mirrors did.
    fn own(&self) -> &Self {
        match self {
            Self::Mirrors { last, .. } => last.own(),
            own => own,
        }
    }

    /// One failure out of those of all that were asked, the registry's own last.
    pub(crate) fn of_all(mut errors: Vec<Self>) -> Self {
        let Some(last) = errors.pop() else { return Self::Unsupported("there is nobody to ask".into()) };
        if errors.is_empty() {
            return last;
        }
        let earlier = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self::Mirrors { last: Box::new(last), earlier }
    }

    /// Whether it could not be reached in time, as against having said no.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.own(), Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// Whether it does not have what was asked for.
    pub fn is_missing(&self) -> bool {
        matches!(self.own(), Self::Missing { .. })
    }

    /// Whether it wants to know who we are, or does not let this one do it: somebody else might.
    pub fn is_login(&self) -> bool {
        matches!(self.own(), Self::Login { .. })
    }

    /// The next step, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self.own() {
            Self::Unreachable { registry, source, .. } => Some(match source.kind {
                ClientErrorKind::Tls => format!(
                    "if `{registry}` has no certificate that this machine trusts, name it under `registries.insecure` in wharf.yaml"
                ),
                ClientErrorKind::Proxy => "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY".into(),
                _ => format!("check that `{registry}` is the registry you mean, and that it runs"),
            }),
            Self::Busy { status: 429, .. } => Some("wait, or log in: most registries let users ask more often".into()),
            Self::Busy { .. } => Some("try again later".into()),
            Self::Login { action, .. } if action == LOG_IN => {
                Some("check name and password; where two factors are asked for, an access token stands for the password".into())
            }
            Self::Login { registry, .. } => Some(format!("`wharf login {registry}`, or ask its owner for the right to do this")),
            Self::Missing { .. } => Some("check name and tag; a private repository may say the same to who is not logged in".into()),
            Self::Digest { .. } => Some("something on the way or in the registry is damaged; nothing of it was kept".into()),
            Self::Refused { status: 413, .. } => Some("something before the registry limits the size of uploads".into()),
            _ => None,
        }
    }
}
