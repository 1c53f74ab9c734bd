//! Who a pod is at a registry: out of its pull secrets, in the order in which the kubelet tries them.

use blobs::remote::{Credential, HandedOver};
use node::{PullSecret, SecretForm};
use oci::registry::docker_config::DockerConfig;
use oci::{Digest, Reference};

/// The credentials tried for one image at most.
const MOST: usize = 16;

/// One way to be somebody, or nobody.
#[derive(Clone)]
pub(super) struct Key {
    /// Nobody, where there is none.
    pub(super) credential: Option<Credential>,
    /// By which it is known again without being kept: a digest over repository and credential; `None` of nobody.
    pub(super) print: Option<String>,
}

/// All ways for an image: the closest fit first, secrets in their order; nobody where no secret is about it.
///
/// # Errors
/// A sentence, without any of the content, that names the secret which cannot be read.
pub(super) fn of(secrets: &[PullSecret], reference: &Reference) -> Result<Vec<Key>, String> {
    let mut known = Vec::new();
    for secret in secrets {
        let wrong = |why: String| format!("the pull secret `{}` cannot be read: {why}", secret.name);
        let config = match secret.form {
            SecretForm::Config => DockerConfig::parse(&secret.bytes),
            SecretForm::Auths => DockerConfig::parse_auths(&secret.bytes),
        };
        known.extend(config.and_then(|config| config.stored_for(&reference.registry, &reference.repository)).map_err(wrong)?);
    }
    known.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
    let mut keys: Vec<Key> = Vec::new();
    for (_, credential) in known.into_iter().take(MOST) {
        let print = Some(print(reference, &credential));
        if keys.iter().all(|key| key.print != print) {
            keys.push(Key { credential: Some(credential), print });
        }
    }
    if keys.is_empty() {
        keys.push(Key { credential: None, print: None });
    }
    Ok(keys)
}

fn print(reference: &Reference, credential: &Credential) -> String {
    let (kind, user, secret) = match credential {
        Credential::Password { user, password } => ("password", user.as_str(), password),
        Credential::Identity(token) => ("identity", "", token),
        Credential::Bearer(token) => ("bearer", "", token),
    };
    let name = reference.name();
    // With lengths, so that no two different ones read alike.
    let parts = [name.as_str(), kind, user, secret.reveal()].map(|part| format!("{}:{part}", part.len()));
    Digest::of(parts.concat().as_bytes()).hex()
}

impl Key {
    /// As the registry client takes it. A mirror is never told a password that was meant for the registry behind it.
    pub(super) fn handed_over(&self, reference: &Reference) -> HandedOver {
        let mut config = DockerConfig::default();
        if let Some(credential) = &self.credential {
            config.store(&reference.registry, Some(credential));
        }
        HandedOver(vec![config])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blobs::remote::Credentials;

    fn secret(form: SecretForm, bytes: &str) -> PullSecret {
        PullSecret { name: "s".into(), form, bytes: bytes.as_bytes().to_vec() }
    }

    fn users(keys: &[Key], reference: &Reference) -> Vec<String> {
        let user = |key: &Key| match key.handed_over(reference).of(&reference.registry).expect("no fault") {
            Some(Credential::Password { user, .. }) => user,
            Some(_) => "?".into(),
            None => "nobody".into(),
        };
        keys.iter().map(user).collect()
    }

    #[test]
    fn secrets_are_merged_in_order_and_the_closest_fit_is_tried_first() {
        let one = secret(SecretForm::Config, r#"{"auths":{"r.example":{"username":"one","password":"p"}}}"#);
        let two = secret(
            SecretForm::Auths,
            r#"{"r.example":{"username":"two","password":"p"},"r.example/team":{"username":"team","password":"p"}}"#,
        );
        let reference: Reference = "r.example/team/app:1".parse().expect("a name");
        let of = |secrets: &[PullSecret], reference: &Reference| users(&of(secrets, reference).expect("keys"), reference);
        assert_eq!(of(&[one.clone(), two.clone()], &reference), ["team", "one", "two"]);
        assert_eq!(of(&[two.clone(), one.clone(), one.clone()], &reference), ["team", "two", "one"]);
        assert_eq!(of(&[one], &"other.example/x".parse().expect("a name")), ["nobody"]);
        let keys = super::of(&[two], &reference).expect("keys");
        assert_eq!(keys[0].handed_over(&reference).of("mirror.example").expect("no fault"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_shown() {
        let broken = secret(SecretForm::Config, r#"{"auths":{"h.example":{"auth":"hunter2!"}}}"#);
        let reference: Reference = "h.example/x".parse().expect("a name");
        let error = of(&[broken], &reference).err().expect("no base64");
        assert!(error.contains("`s`") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_print_tells_credentials_apart_and_not_what_they_are() {
        let reference: Reference = "h.example/x".parse().expect("a name");
        let other: Reference = "h.example/y".parse().expect("a name");
        let key = |user: &str, password: &str| Credential::Password { user: user.into(), password: blobs::remote::Secret::new(password) };
        let print = |reference: &Reference, user: &str, password: &str| print(reference, &key(user, password));
        let prints = [print(&reference, "a", "bc"), print(&reference, "ab", "c"), print(&other, "a", "bc")];
        assert!(prints[0] != prints[1] && prints[0] != prints[2] && prints[0] == print(&reference, "a", "bc"));
    }
}
