//! `log` of a pod. Source: core/v1 PodLogOptions, kubernetes `pkg/registry/core/pod/strategy.go`.

use crate::core::Core;
use crate::node_proxy::LogOptions;
use crate::request::Query;
use crate::respond::{self, Answer};
use base::Timestamp;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s::{ApiError, Fields, Value};
use net::Body;
use std::sync::Arc;

/// A container's log as it comes.
pub type Lines = BoxStream<'static, Bytes>;

/// Asks the node for a container's log.
///
/// # Errors
/// 400 for a container that is not there or not named, and what the node says.
pub async fn lines(core: &Core, pod: &Value, query: &Query) -> Result<Lines, ApiError> {
    core.node.logs(pod, options(pod, query)?).await
}

/// Streams a log as text.
pub fn answer(core: &Arc<Core>, mut lines: Lines) -> Answer {
    let (sender, body) = Body::stream(16);
    let core = core.clone();
    tokio::spawn(async move {
        let drained = core.drained();
        tokio::pin!(drained);
        loop {
            let part = tokio::select! {
                part = lines.next() => part,
                () = sender.closed() => return,
                () = &mut drained => return,
            };
            let Some(part) = part else { return };
            if sender.send(part).await.is_err() {
                return;
            }
        }
    });
    respond::text(200, body)
}

fn options(pod: &Value, query: &Query) -> Result<LogOptions, ApiError> {
    let natural = |name: &str| -> Result<Option<u64>, ApiError> {
        let number = query.number(name)?;
        number
            .map(|number| {
                u64::try_from(number).map_err(|_| {
                    ApiError::new(422, "Invalid", format!("{name}: Invalid value: {number}: must be greater than or equal to 0"))
                })
            })
            .transpose()
    };
    let since_time = match query.get("sinceTime") {
        "" => None,
        text => Some(Timestamp::parse_rfc3339(text).ok_or_else(|| ApiError::bad_request(format!("sinceTime: {text:?} is no time")))?),
    };
    let (since_seconds, limit_bytes) = (natural("sinceSeconds")?, natural("limitBytes")?);
    if since_seconds.is_some() && since_time.is_some() {
        return Err(ApiError::new(
            422,
            "Invalid",
            "PodLogOptions is invalid: : Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    }
    Ok(LogOptions {
        container: container(pod, query.get("container"))?,
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        tail_lines: natural("tailLines")?,
        since_seconds,
        since_time,
        timestamps: query.flag("timestamps"),
        limit_bytes,
    })
}

/// The container that a request means.
///
/// # Errors
/// 400 when it is not there, or several could be meant.
pub fn container(pod: &Value, wanted: &str) -> Result<String, ApiError> {
    let names = |path: &str| pod.items(path).iter().map(|container| container.text("name").to_owned()).collect::<Vec<_>>();
    let (own, init, ephemeral) = (names("spec.containers"), names("spec.initContainers"), names("spec.ephemeralContainers"));
    if wanted.is_empty() {
        let chosen = pod.annotation("kubectl.kubernetes.io/default-container");
        return match (own.as_slice(), chosen) {
            ([one], _) => Ok(one.clone()),
            (_, Some(chosen)) if own.iter().any(|name| name == chosen) => Ok(chosen.to_owned()),
            _ => {
                let init = if init.is_empty() { String::new() } else { format!(" or one of the init containers: [{}]", init.join(" ")) };
                let why = format!("a container name must be specified for pod {}, choose one of: [{}]{init}", pod.name(), own.join(" "));
                Err(ApiError::bad_request(why))
            }
        };
    }
    if own.iter().chain(&init).chain(&ephemeral).any(|name| name == wanted) {
        return Ok(wanted.to_owned());
    }
    Err(ApiError::bad_request(format!("container {wanted} is not valid for pod {}", pod.name())))
}
