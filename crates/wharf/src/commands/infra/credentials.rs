//! Who we are at Amazon's: the environment, profiles, helpers, roles - in the order that their own tools have.
//!
//! A profile that is named comes first, then keys in the environment, then a web identity there, then the profile that the environment names
//! or `default` (AWS SDKs and Tools Reference Guide, "Credential provider chain"). Instance metadata is not asked.

mod files;
mod helper;

pub(super) use files::Files;

use ::infra::aws::{Caller, Credentials, Held, NetTransport, RealPace, Secret, Source};
use ::infra::provider::Access;
use ::infra::sts::{self, Role};
use ::infra::{Failure, FailureKind, InfraError};
use async_trait::async_trait;
use base::{Clock, SystemClock};
use files::{Base, Way};
use net::client::{ClientOptions, Proxies};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A variable of the environment that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the environment says that the profiles are, for who is run with another one.
pub(super) fn whereabouts() -> Vec<(String, String)> {
    let absolute = |path: String| std::path::absolute(&path).map_or(path, |path| path.display().to_string());
    let names = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
    names.into_iter().filter_map(|name| Some((name.to_owned(), absolute(variable(name)?)))).collect()
}

/// Credentials for one profile, or for what the environment says.
pub(super) struct Chain {
    profile: Option<String>,
    files: Mutex<Files>,
    proxies: Proxies,
    region: String,
    endpoint: Option<String>,
    kept: tokio::sync::Mutex<Option<Credentials>>,
}

/// Before they end new ones are got.
const EARLY: Duration = Duration::from_secs(300);
/// Under this name roles are taken on; it stands in the account's records.
const SESSION: &str = "wharf";

fn none(message: impl Into<String>) -> Failure {
    Failure::new("credentials", FailureKind::Credentials, message)
}

impl Chain {
    fn new(profile: Option<String>, files: Files, proxies: Proxies) -> Self {
        Self { profile, files: Mutex::new(files), proxies, region: String::new(), endpoint: None, kept: tokio::sync::Mutex::default() }
    }

    /// The profile that is asked with; nothing where the environment itself holds keys or a token, or nothing names one.
    pub(super) fn profile(&self) -> Option<String> {
        let named = || variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE")).filter(|_| !files::is_in_environment());
        self.profile.clone().or_else(named)
    }

    /// The region that the environment or the profile names.
    pub(super) fn region(&self) -> Option<String> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.profile.clone().unwrap_or_else(files::default_profile);
        variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| files.get(&name)?.get("region").map(str::to_owned))
    }

    /// The same for a region: there roles are asked for.
    pub(super) fn at(self, region: &str, endpoint: Option<String>) -> Self {
        Self { region: region.to_owned(), endpoint, ..self }
    }

    async fn got(&self, renew: bool) -> Result<Credentials, Failure> {
        let way = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            if renew {
                // A login in another window has written new ones.
                *files = Files::of_user();
            }
            files.way(self.profile.as_deref())?
        };
        let Way { base, roles } = way;
        let mut credentials = match base {
            Base::Held(credentials) => credentials,
            Base::Process(command) => helper::ask(&command).await?,
            Base::WebIdentity { role, token_file } => self.with_web_identity(&role, &token_file).await?,
        };
        for role in roles.iter().rev() {
            credentials = sts::assume(&self.caller(credentials)?, role).await?;
        }
        Ok(credentials)
    }

    async fn with_web_identity(&self, role: &str, token_file: &str) -> Result<Credentials, Failure> {
        let read = base::files::read_up_to(std::path::Path::new(token_file), 64 << 10).map_err(|error| none(error.to_string()))?;
        let token = String::from_utf8(read).map_err(|_| none(format!("`{token_file}` holds no token")))?;
        let session = variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION.to_owned());
        let role = Role { arn: role.to_owned(), session, external_id: None };
        let nobody = Credentials { access_key: String::new(), secret: Secret::new(""), session: None, expires: None };
        sts::assume_with_web_identity(&self.caller(nobody)?, &role, &Secret::new(token.trim())).await
    }

    fn caller(&self, credentials: Credentials) -> Result<Caller, Failure> {
        let transport = Arc::new(NetTransport::new(ClientOptions { proxies: self.proxies.clone(), ..ClientOptions::default() }));
        let seed = u64::from_be_bytes(base::ids::random::<8>());
        let access = Access { transport, aws: Arc::new(Held(credentials)), pace: Arc::new(RealPace), heard: Arc::new(()), seed };
        access.aws(&self.region, self.endpoint.as_deref()).map_err(|error| match error {
            InfraError::Call(failure) => failure,
            other => none(other.to_string()),
        })
    }
}

#[async_trait]
impl Source for Chain {
    async fn credentials(&self, renew: bool) -> Result<Credentials, Failure> {
        let mut kept = self.kept.lock().await;
        let holds = |credentials: &Credentials| credentials.expires.is_none_or(|end| end > SystemClock.now().plus(EARLY));
        if let Some(credentials) = kept.as_ref().filter(|credentials| !renew && holds(credentials)) {
            return Ok(credentials.clone());
        }
        let credentials = self.got(renew).await?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }
}
