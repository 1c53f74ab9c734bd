//! The user's profiles, and which way leads from one to credentials.

use super::{Chain, SESSION, none, variable};
use ::infra::Failure;
use ::infra::aws::{Credentials, Profile, Secret, parse_profiles};
use ::infra::sts::Role;
use base::Problem;
use net::client::Proxies;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the files say.
#[derive(Clone, Default)]
pub(in super::super) struct Files {
    profiles: BTreeMap<String, Profile>,
    /// What was wrong with them; told only where they are needed.
    problem: Option<String>,
}

/// Where credentials come from at first.
#[derive(Debug)]
pub(super) enum Base {
    Held(Credentials),
    Process(String),
    WebIdentity { role: String, token_file: String },
}

/// Credentials, and the roles that are taken on with them, the last first.
#[derive(Debug)]
pub(super) struct Way {
    pub base: Base,
    pub roles: Vec<Role>,
}

/// Profiles that lead to one another end after so many.
const MOST_STEPS: usize = 5;
const LARGEST: usize = 1 << 20;

/// The profile that counts where none is named.
pub(super) fn default_profile() -> String {
    variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE")).unwrap_or_else(|| "default".to_owned())
}

impl Files {
    /// Of `~/.aws`, or where the environment says they are.
    pub(in super::super) fn of_user() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let path = |name: &str, file: &str| variable(name).map_or_else(|| home.join(".aws").join(file), PathBuf::from);
        let mut all = Self::default();
        // What stands in `credentials` wins over `config`.
        all.add(&path("AWS_SHARED_CREDENTIALS_FILE", "credentials"));
        all.add(&path("AWS_CONFIG_FILE", "config"));
        all
    }

    fn add(&mut self, path: &std::path::Path) {
        if !path.exists() {
            return;
        }
        let read = base::files::read_up_to(path, LARGEST).map_err(|error| error.to_string());
        let parsed = read.and_then(|bytes| {
            let text = String::from_utf8(bytes).map_err(|_| format!("`{}` is not UTF-8", path.display()))?;
            parse_profiles(&text).map_err(|(line, expected)| format!("{}:{line}: {expected} was expected", path.display()))
        });
        match parsed {
            Ok(parsed) => parsed.into_iter().for_each(|(name, profile)| self.profiles.entry(name).or_default().complete(profile)),
            Err(problem) => self.problem = Some(problem),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// Credentials for a profile, or for what the environment says.
    ///
    /// # Errors
    /// When a profile is named that is not there.
    pub(in super::super) fn chain(&self, profile: Option<&str>, proxies: Proxies) -> Result<Chain, Problem> {
        if let Some(name) = profile.filter(|name| !self.profiles.contains_key(*name)) {
            let why =
                self.problem.clone().unwrap_or_else(|| format!("there is no profile `{name}` in `~/.aws/config` or `~/.aws/credentials`"));
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).filter(|name| !name.contains(' ')).collect();
            let problem = crate::cli::usage(why);
            return Err(if known.is_empty() { problem } else { problem.hint(format!("there are: {}", known.join(", "))) });
        }
        Ok(Chain::new(profile.map(str::to_owned), self.clone(), proxies))
    }

    pub(super) fn way(&self, profile: Option<&str>) -> Result<Way, Failure> {
        if profile.is_none()
            && let Some(base) = of_environment()
        {
            return Ok(Way { base, roles: Vec::new() });
        }
        let name = profile.map_or_else(default_profile, str::to_owned);
        self.from(&name)
    }

    fn from(&self, first: &str) -> Result<Way, Failure> {
        let (mut name, mut roles) = (first.to_owned(), Vec::new());
        for _ in 0..MOST_STEPS {
            let profile = self.profiles.get(&name).ok_or_else(|| {
                let nothing = || format!("neither the environment nor the profile `{name}` holds credentials");
                none(self.problem.clone().unwrap_or_else(nothing))
            })?;
            let role = profile.get("role_arn").filter(|_| profile.get("web_identity_token_file").is_none());
            let Some(arn) = role.filter(|arn| !roles.iter().any(|known: &Role| known.arn == **arn)) else {
                return Ok(Way { base: of_profile(&name, profile)?, roles });
            };
            if profile.get("mfa_serial").is_some() {
                return Err(none(format!("the profile `{name}` wants a code of a second factor, which is not supported")));
            }
            let external_id = profile.get("external_id").map(str::to_owned);
            roles.push(Role { arn: arn.to_owned(), session: profile.get("role_session_name").unwrap_or(SESSION).to_owned(), external_id });
            match (profile.get("source_profile"), profile.get("credential_source")) {
                (Some(source), _) => name = source.to_owned(),
                (None, Some("Environment")) => {
                    let base = of_environment()
                        .ok_or_else(|| none(format!("the profile `{name}` wants keys in the environment, and there are none")))?;
                    return Ok(Way { base, roles });
                }
                (None, Some(other)) => {
                    return Err(none(format!("the profile `{name}` gets credentials from `{other}`, which is not supported")));
                }
                (None, None) => {
                    return Err(none(format!("the profile `{name}` takes on a role, and does not say as whom: `source_profile`")));
                }
            }
        }
        Err(none(format!("the profile `{first}` leads to more than {MOST_STEPS} others")))
    }
}

/// Whether the environment itself holds keys or a token.
pub(super) fn is_in_environment() -> bool {
    of_environment().is_some()
}

fn of_environment() -> Option<Base> {
    if let (Some(access_key), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        let session = variable("AWS_SESSION_TOKEN").map(Secret::new);
        return Some(Base::Held(Credentials { access_key, secret: Secret::new(secret), session, expires: None }));
    }
    Some(Base::WebIdentity { role: variable("AWS_ROLE_ARN")?, token_file: variable("AWS_WEB_IDENTITY_TOKEN_FILE")? })
}

fn of_profile(name: &str, profile: &Profile) -> Result<Base, Failure> {
    if let (Some(access_key), Some(secret)) = (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")) {
        let session = profile.get("aws_session_token").map(Secret::new);
        return Ok(Base::Held(Credentials { access_key: access_key.to_owned(), secret: Secret::new(secret), session, expires: None }));
    }
    if let Some(command) = profile.get("credential_process") {
        return Ok(Base::Process(command.to_owned()));
    }
    if let (Some(role), Some(token_file)) = (profile.get("role_arn"), profile.get("web_identity_token_file")) {
        return Ok(Base::WebIdentity { role: role.to_owned(), token_file: token_file.to_owned() });
    }
    if profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some() {
        return Err(none(format!(
            "the profile `{name}` signs on in a browser, which is not supported here; `credential_process = aws configure export-credentials --profile {name}` in another profile hands its credentials on"
        )));
    }
    Err(none(format!("the profile `{name}` holds no credentials")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        Files { profiles: parse_profiles(text).expect("profiles"), problem: None }
    }

    #[test]
    fn roles_are_taken_on_from_the_source_outwards() {
        let files = files(
            "[base]\naws_access_key_id=A\naws_secret_access_key=topsecret\n[profile mid]\nrole_arn=arn:mid\nsource_profile=base\n[profile top]\nrole_arn=arn:top\nsource_profile=mid\nexternal_id=e\n",
        );
        let way = files.way(Some("top")).expect("way");
        let roles: Vec<_> = way.roles.iter().map(|role| (role.arn.as_str(), role.external_id.as_deref())).collect();
        assert_eq!(roles, [("arn:top", Some("e")), ("arn:mid", None)]);
        assert!(matches!(&way.base, Base::Held(credentials) if credentials.access_key == "A"));
        assert!(!format!("{way:?}").contains("topsecret"));
    }

    #[test]
    fn what_is_not_supported_is_said() {
        let rows = [
            ("[a]\nrole_arn=r\n", "does not say as whom"),
            ("[a]\nrole_arn=r\nmfa_serial=m\nsource_profile=a\n", "second factor"),
            ("[a]\nrole_arn=r\ncredential_source=Ec2InstanceMetadata\n", "`Ec2InstanceMetadata`, which is not supported"),
            ("[a]\nsso_session=s\n", "in a browser"),
            ("[a]\nregion=r\n", "holds no credentials"),
            ("[b]\n", "`a` holds credentials"),
            ("[a]\nrole_arn=r\nsource_profile=b\n[b]\nrole_arn=s\nsource_profile=a\n", "holds no credentials"),
        ];
        for (text, expected) in rows {
            let error = files(text).way(Some("a")).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
