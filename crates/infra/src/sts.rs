//! Roles: temporary credentials of one, got with others or with a token that an identity provider signed (STS, version 2011-06-15).

use crate::aws::{Caller, Credentials, Node, Secret, Service};
use crate::failure::{Failure, FailureKind};
use base::Timestamp;

const SERVICE: Service = Service { name: "sts", version: "2011-06-15" };

/// A role to take on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Under which name it is taken on: it stands in the account's records.
    pub session: String,
    /// What its owner wants to be told by those of other accounts.
    pub external_id: Option<String>,
}

/// Takes on a role with the caller's own credentials.
///
/// # Errors
/// When that is not allowed.
pub async fn assume(caller: &Caller, role: &Role) -> Result<Credentials, Failure> {
    let mut parameters = common(role);
    parameters.extend(role.external_id.as_ref().map(|id| ("ExternalId".to_owned(), id.clone())));
    read("AssumeRole", &caller.query(SERVICE, "AssumeRole", &parameters).await?)
}

/// Takes on a role with a token that an identity provider signed. The call is not signed: the token is the proof.
///
/// # Errors
/// When the token is not taken.
pub async fn assume_with_web_identity(caller: &Caller, role: &Role, token: &Secret) -> Result<Credentials, Failure> {
    let mut parameters = common(role);
    parameters.push(("WebIdentityToken".to_owned(), token.reveal().to_owned()));
    read("AssumeRoleWithWebIdentity", &caller.query_anonymous(SERVICE, "AssumeRoleWithWebIdentity", &parameters).await?)
}

fn common(role: &Role) -> Vec<(String, String)> {
    vec![("RoleArn".to_owned(), role.arn.clone()), ("RoleSessionName".to_owned(), role.session.clone())]
}

fn read(call: &str, answer: &Node) -> Result<Credentials, Failure> {
    let node = answer.child("Credentials").filter(|node| !node.text_of("AccessKeyId").is_empty());
    let node = node.ok_or_else(|| Failure::new(call, FailureKind::Unreadable, "the answer holds no credentials"))?;
    Ok(Credentials {
        access_key: node.text_of("AccessKeyId").to_owned(),
        secret: Secret::new(node.text_of("SecretAccessKey")),
        session: node.some_text("SessionToken").map(Secret::new),
        expires: Timestamp::parse_rfc3339(node.text_of("Expiration")),
    })
}
