//! Carries out probes and hooks: a program in the container, a request, a connection, or a wait.

mod exec;
mod grpc;
mod http;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

pub use exec::run as run_in_container;

use crate::pod::{Container, Handler, Pod};
use runtime::Runtime;
use std::net::IpAddr;
use std::time::Duration;

/// Whom a probe or hook asks.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// For programs.
    pub runtime: &'a dyn Runtime,
    /// The pod.
    pub pod: &'a Pod,
    /// The container.
    pub container: &'a Container,
    /// The pod's address.
    pub ip: Option<IpAddr>,
}

/// Carries out a handler.
///
/// # Errors
/// What it answered instead, in the kubelet's words.
pub async fn perform(target: &Target<'_>, handler: &Handler, timeout: Duration) -> Result<(), String> {
    let port = |port| Handler::port(port, target.pod.raw(target.container)).ok_or_else(|| format!("invalid port: {port}"));
    let host = |own: &str| match (own, target.ip) {
        ("", Some(ip)) => Ok(ip.to_string()),
        ("", None) => Err("the pod has no address".to_owned()),
        (own, _) => Ok(own.to_owned()),
    };
    match handler {
        Handler::Exec(command) => exec::probe(target, command, timeout).await,
        Handler::Http(get) => http::get(get, &host(&get.host)?, port(&get.port)?, timeout).await,
        Handler::Tcp { host: own, port: number } => tcp::connect(&host(own)?, port(number)?, timeout).await,
        Handler::Grpc { port, service } => grpc::check(&host("")?, *port, service, timeout).await,
        Handler::Sleep(duration) => {
            tokio::time::sleep((*duration).min(timeout)).await;
            Ok(())
        }
        Handler::Unsupported(kind) => Err(format!("handler of kind {kind} is not supported by this node")),
    }
}
