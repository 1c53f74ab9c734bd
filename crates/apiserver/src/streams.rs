//! Exec, attach and port-forward: streams between a client and a container, over WebSocket or SPDY.
//!
//! kubectl since 1.30 comes with a WebSocket; before, and where a proxy refuses that, with SPDY/3.1. Its port-forward is
//! SPDY in either case, tunnelled in the WebSocket. kube-rs multiplexes by channel numbers always.

mod channels;
mod forward;
mod lines;
mod remote;
mod spdy;
mod tunnel;

use crate::core::Core;
use crate::request::Query;
use crate::respond::Answer;
use crate::subresource::log::container;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use k8s::{ApiError, Value};
use net::Body;
use runtime::{ExecSpec, Streams};
use std::future::Future;
use std::sync::Arc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// A connection that was taken over.
type Io = TokioIo<hyper::upgrade::Upgraded>;

/// Which streams the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    stdin: bool,
    stdout: bool,
    stderr: bool,
    terminal: bool,
}

impl Wanted {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let terminal = query.flag("tty");
        // With a terminal standard error goes to standard output. Source: core/v1 PodExecOptions.
        let wanted = Self { stdin: query.flag("stdin"), stdout: query.flag("stdout"), stderr: query.flag("stderr") && !terminal, terminal };
        if wanted.stdin || wanted.stdout || wanted.stderr {
            Ok(wanted)
        } else {
            Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"))
        }
    }
}

/// How the client multiplexes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Protocol {
    /// By the first byte of each WebSocket message; version 5 can close one channel, the first says its end in plain words.
    Channels { name: &'static str, closes: bool, plain: bool },
    /// Plain messages in one direction.
    Messages { name: &'static str },
    /// SPDY within WebSocket messages.
    Tunnel,
    /// SPDY itself.
    Spdy { name: &'static str },
}

const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

impl Protocol {
    fn choose(headers: &HeaderMap, forward: bool) -> Result<Self, ApiError> {
        let text = |name: &str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
        let offers = |name: &str| text(name).split(',').map(|offer| offer.trim().to_owned()).collect::<Vec<_>>();
        let upgrade = text("upgrade").to_ascii_lowercase();
        if upgrade.split(',').any(|offer| offer.trim() == "websocket") {
            let offered = offers("sec-websocket-protocol");
            let has = |name: &str| offered.iter().any(|offer| offer == name);
            if forward && has(TUNNEL) {
                return Ok(Self::Tunnel);
            }
            let known = [("v5.channel.k8s.io", true, false), ("v4.channel.k8s.io", false, false), ("channel.k8s.io", false, true)];
            let chosen = known.into_iter().find(|(name, _, plain)| has(name) && !(forward && *plain));
            let refuse = || ApiError::bad_request(format!("no WebSocket protocol of those offered is spoken here: {}", offered.join(", ")));
            return chosen.map(|(name, closes, plain)| Self::Channels { name, closes, plain }).ok_or_else(refuse);
        }
        if upgrade.split(',').any(|offer| offer.trim() == "spdy/3.1") {
            let offered = offers("x-stream-protocol-version");
            let known = if forward { "portforward.k8s.io" } else { "v4.channel.k8s.io" };
            if offered.iter().any(|offer| offer == known) {
                return Ok(Self::Spdy { name: known });
            }
            return Err(ApiError::new(
                403,
                "Forbidden",
                format!("unable to negotiate protocol: client supports {offered:?}, server supports [{known}]"),
            ));
        }
        Err(ApiError::bad_request("Upgrade request required"))
    }
}

/// Takes the connection over.
///
/// # Errors
/// 400 for a request that asks for no upgrade that is spoken here, and what the node says.
pub async fn answer(core: &Arc<Core>, pod: &Value, name: &str, query: &Query, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let protocol = Protocol::choose(request.headers(), name == "portforward")?;
    if name == "portforward" {
        let ports = forward::ports(query)?;
        let target = forward::Target { core: core.clone(), pod: Arc::new(pod.clone()) };
        return upgrade(core, request, &protocol.clone(), move |io| async move {
            match protocol {
                Protocol::Tunnel => forward::spdy(tunnel::over(web_socket(io).await), target).await,
                Protocol::Messages { .. } => {}
                Protocol::Spdy { .. } => forward::spdy(io, target).await,
                Protocol::Channels { closes, .. } => forward::channels(web_socket(io).await, &ports, closes, target).await,
            }
        });
    }
    let wanted = Wanted::read(query)?;
    let streams = start(core, pod, name, query, wanted).await?;
    upgrade(core, request, &protocol.clone(), move |io| async move {
        match protocol {
            Protocol::Spdy { .. } | Protocol::Tunnel | Protocol::Messages { .. } => remote::spdy(io, wanted, streams).await,
            Protocol::Channels { closes, plain, .. } => remote::channels(web_socket(io).await, wanted, (closes, plain), streams).await,
        }
    })
}

async fn start(core: &Core, pod: &Value, name: &str, query: &Query, wanted: Wanted) -> Result<Streams, ApiError> {
    let container = container(pod, query.get("container"))?;
    if name == "attach" {
        return core.node.attach(pod, &container).await;
    }
    let args = query.all("command");
    if args.is_empty() {
        return Err(ApiError::bad_request("you must specify at least one command for the container"));
    }
    let spec = ExecSpec { args, env: Vec::new(), terminal: wanted.terminal, stdin: wanted.stdin };
    core.node.exec(pod, &container, spec).await
}

fn upgrade<F, R>(core: &Arc<Core>, mut request: Request<Incoming>, protocol: &Protocol, run: F) -> Result<Answer, ApiError>
where
    F: FnOnce(Io) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let answer = switching(request.headers(), protocol)?;
    let upgraded = hyper::upgrade::on(&mut request);
    let core = core.clone();
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        tokio::select! {
            () = run(TokioIo::new(upgraded)) => {}
            () = core.drained() => {}
        }
    });
    Ok(answer)
}

fn switching(headers: &HeaderMap, protocol: &Protocol) -> Result<Answer, ApiError> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let out = answer.headers_mut();
    out.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Protocol::Spdy { name } = protocol {
        out.insert(header::UPGRADE, HeaderValue::from_static("SPDY/3.1"));
        out.insert("x-stream-protocol-version", HeaderValue::from_static(name));
        return Ok(answer);
    }
    let key = headers.get("sec-websocket-key").ok_or_else(|| ApiError::bad_request("Sec-WebSocket-Key is missing"))?;
    let accept =
        HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| ApiError::bad_request("Sec-WebSocket-Key is malformed"))?;
    out.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    out.insert("sec-websocket-accept", accept);
    let name = match protocol {
        Protocol::Channels { name, .. } | Protocol::Messages { name } => name,
        Protocol::Tunnel | Protocol::Spdy { .. } => TUNNEL,
    };
    // One that was not offered may not be chosen. Source: RFC 6455 section 4.2.2.
    if !name.is_empty() {
        out.insert("sec-websocket-protocol", HeaderValue::from_static(name));
    }
    Ok(answer)
}

pub use lines::{answer as log, is_web_socket};

/// Bytes of a WebSocket message.
const MESSAGE_BYTES: usize = 4 << 20;

async fn web_socket(io: Io) -> WebSocketStream<Io> {
    let config =
        WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES)).max_frame_size(Some(MESSAGE_BYTES)).read_buffer_size(16 << 10);
    WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(key, value)| (http::HeaderName::from_static(key), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn protocols_are_negotiated() {
        let web = |offers| headers(&[("upgrade", "websocket"), ("sec-websocket-protocol", offers)]);
        let channels = |name, closes| Ok(Protocol::Channels { name, closes, plain: false });
        assert_eq!(Protocol::choose(&web("v4.channel.k8s.io, v5.channel.k8s.io"), false), channels("v5.channel.k8s.io", true));
        assert_eq!(Protocol::choose(&web("v4.channel.k8s.io"), true), channels("v4.channel.k8s.io", false));
        assert_eq!(Protocol::choose(&web(TUNNEL), true), Ok(Protocol::Tunnel));
        assert!(Protocol::choose(&web(TUNNEL), false).is_err());
        let first = Protocol::Channels { name: "channel.k8s.io", closes: false, plain: true };
        assert_eq!(Protocol::choose(&web("channel.k8s.io"), false), Ok(first));
        assert!(Protocol::choose(&web("channel.k8s.io"), true).is_err());
        let spdy = headers(&[("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", "v4.channel.k8s.io")]);
        assert_eq!(Protocol::choose(&spdy, false), Ok(Protocol::Spdy { name: "v4.channel.k8s.io" }));
        assert!(Protocol::choose(&HeaderMap::new(), false).is_err());
    }
}
