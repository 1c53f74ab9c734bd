//! `projected`: several sources in one folder.

use super::{Context, Files, Plan, TokenFile, config_map, downward};
use crate::cluster::TokenRequest;
use crate::container::security::fs_group;
use k8s::kinds::{CONFIG_MAP, SECRET};
use k8s::{Fields, Value};

pub(super) fn plan(context: &Context<'_>, _: &str, source: &Value) -> Result<Plan, String> {
    let default = config_map::default_mode(source);
    let (mut files, mut tokens) = (Files::new(), Vec::new());
    for part in source.items("sources") {
        if let Some(map) = part.at("configMap") {
            files.extend(config_map::files(context, CONFIG_MAP, map.text("name"), map, default)?);
        } else if let Some(secret) = part.at("secret") {
            files.extend(config_map::files(context, SECRET, secret.text("name"), secret, default)?);
        } else if let Some(own) = part.at("downwardAPI") {
            files.extend(downward::files(context, own, default)?);
        } else if let Some(token) = part.at("serviceAccountToken") {
            tokens.push(token_file(context, token, default)?);
        } else {
            let member = part.as_object().and_then(|members| members.keys().next().cloned()).unwrap_or_default();
            return Err(format!("projected source {member} is not supported by this node"));
        }
    }
    Ok(Plan::Files { memory: true, files, tokens })
}

fn token_file(context: &Context<'_>, source: &Value, default: u32) -> Result<TokenFile, String> {
    let pod = context.pod;
    let account = match pod.object.text("spec.serviceAccountName") {
        "" => "default",
        account => account,
    };
    let audience = source.text("audience");
    let request = TokenRequest {
        namespace: pod.namespace.clone(),
        service_account: account.to_owned(),
        audiences: if audience.is_empty() { Vec::new() } else { vec![audience.to_owned()] },
        expiration_seconds: source.int("expirationSeconds").unwrap_or(3_600),
        pod_name: pod.name.clone(),
        pod_uid: pod.uid.clone(),
    };
    // Whoever runs may read it, and nobody else: by group, by the one user there is, or else by all. Source: kubelet projected.go.
    let (mode, owner) = match (fs_group(pod), only_user(context)) {
        (Some(_), _) => (0o600, None),
        (None, Some(uid)) => (0o600, Some(uid)),
        (None, None) => (default, None),
    };
    Ok(TokenFile { path: config_map::path(source.text("path"))?, request, mode, owner })
}

/// The user that all containers of the pod run as, where all say so.
fn only_user(context: &Context<'_>) -> Option<u32> {
    let pod = context.pod;
    let common = pod.object.int("spec.securityContext.runAsUser");
    let mut users = pod.containers.iter().map(|container| pod.raw(container).int("securityContext.runAsUser").or(common));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then(|| u32::try_from(first).ok())?
}
