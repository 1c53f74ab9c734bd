//! EKS: where a cluster is, and the token by which it knows us.
//!
//! The token is a signed request to the service that tells identities, which the cluster sends on (facts from the open authenticator that
//! EKS runs: the prefix `k8s-aws-v1.`, the signed header `x-k8s-aws-id`, 60 s in the address, 15 min of validity).

use crate::aws::{Caller, JsonTarget, Secret, Service};
use crate::failure::{Failure, FailureKind};
use crate::provider::ClusterAccess;
use base::Timestamp;
use base64::Engine;
use serde_json::{Value, json};
use std::time::Duration;

const EKS: Service = Service { name: "eks", version: "" };
const STS: Service = Service { name: "sts", version: "2011-06-15" };

/// Whether a text can name a cluster: it becomes part of a path and of a header (EKS API Reference, `CreateCluster`).
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 100
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn named(name: &str) -> Result<(), Failure> {
    if is_name(name) {
        return Ok(());
    }
    Err(Failure::new(
        "DescribeCluster",
        FailureKind::Invalid,
        format!("`{name}` cannot name a cluster: it is letters, digits, `-` and `_`"),
    ))
}

/// Where a cluster is.
///
/// # Errors
/// When there is none of that name, or it is not ready yet.
pub async fn describe(caller: &Caller, name: &str) -> Result<ClusterAccess, Failure> {
    named(name)?;
    let answer = caller.json(EKS, "DescribeCluster", JsonTarget::Get(&format!("/clusters/{name}"))).await?;
    let cluster = &answer["cluster"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (server, authority) = (text(&cluster["endpoint"]), text(&cluster["certificateAuthority"]["data"]));
    let status = text(&cluster["status"]);
    if !matches!(status.as_str(), "ACTIVE" | "UPDATING") || server.is_empty() {
        return Err(Failure::new(
            "DescribeCluster",
            FailureKind::State,
            format!("the cluster `{name}` is {status}, not yet to be reached"),
        ));
    }
    Ok(ClusterAccess { name: name.to_owned(), server, authority })
}

/// A token for a cluster, and since when it holds by our clock.
///
/// # Errors
/// When there are no credentials.
pub async fn token(caller: &Caller, cluster: &str) -> Result<(Secret, Timestamp), Failure> {
    named(cluster)?;
    let headers = vec![("x-k8s-aws-id".to_owned(), cluster.to_owned())];
    let query = format!("?Action=GetCallerIdentity&Version={}", STS.version);
    let address = caller.presigned(STS, &query, headers, Duration::from_secs(60)).await?;
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(address);
    Ok((Secret::new(format!("k8s-aws-v1.{encoded}")), caller.pace.now()))
}

/// A program that answers with a token, as a kubeconfig names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCommand {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables that it is given.
    pub variables: Vec<(String, String)>,
}

/// A kubeconfig with one context for a cluster, in JSON, which is YAML too. No secret is in it.
pub fn kubeconfig(context: &str, cluster: &ClusterAccess, command: &TokenCommand) -> Value {
    let variables: Vec<Value> = command.variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": command.program, "args": command.arguments,
        "env": variables, "interactiveMode": "Never", "provideClusterInfo": false,
        "installHint": "wharf is not where it was when this was written; run `wharf infra output --kubeconfig --merge` again"});
    json!({"apiVersion": "v1", "kind": "Config", "current-context": context,
        "clusters": [{"name": context, "cluster": {"server": cluster.server, "certificate-authority-data": cluster.authority}}],
        "users": [{"name": context, "user": {"exec": exec}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}]})
}

/// A token as the kubeconfig's program prints it (`client.authentication.k8s.io/v1`).
pub fn exec_credential(token: &Secret, expires: Timestamp) -> Value {
    json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "spec": {"interactive": false},
        "status": {"token": token.reveal(), "expirationTimestamp": expires.rfc3339()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_paths() {
        for name in ["a", "request-info", "A_1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "a/b", "a b", "a?x", "ä", &"a".repeat(101)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
