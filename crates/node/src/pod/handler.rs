//! Probes and life cycle hooks.

use k8s::{Fields, Value};
use std::time::Duration;

/// What a probe or hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Runs a program in the container.
    Exec(Vec<String>),
    /// Asks by HTTP.
    Http(HttpGet),
    /// Opens a connection.
    Tcp {
        /// Empty is the pod's address.
        host: String,
        /// Number or name.
        port: Value,
    },
    /// Asks the health service of gRPC at the pod's address.
    Grpc {
        /// Number.
        port: u16,
        /// Which service is asked for; empty is the server as a whole.
        service: String,
    },
    /// Waits.
    Sleep(Duration),
    /// Something that this node does not do, by name.
    Unsupported(String),
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGet {
    /// Empty is the pod's address.
    pub host: String,
    /// Number or name.
    pub port: Value,
    /// Path and query.
    pub path: String,
    /// Whether by TLS (not verified, as the kubelet does not).
    pub tls: bool,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
}

/// When and how often to probe. Source: core/v1 `Probe` with its defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What to do.
    pub handler: Handler,
    /// Wait after the container's start.
    pub initial_delay: Duration,
    /// Between two probes.
    pub period: Duration,
    /// For one answer.
    pub timeout: Duration,
    /// Successes in a row that make it pass.
    pub success_threshold: u32,
    /// Failures in a row that make it fail.
    pub failure_threshold: u32,
    /// Grace for the kill after a failure, seconds.
    pub grace_seconds: Option<i64>,
}

/// The three probes of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Until it passes the others wait; its failure ends the container.
    pub startup: Option<Probe>,
    /// Its failure ends the container.
    pub liveness: Option<Probe>,
    /// Decides whether requests come.
    pub readiness: Option<Probe>,
}

impl Probes {
    /// Reads a container's probes.
    pub fn of(container: &Value) -> Self {
        let probe = |name| container.at(name).map(Probe::of);
        Self { startup: probe("startupProbe"), liveness: probe("livenessProbe"), readiness: probe("readinessProbe") }
    }
}

impl Probe {
    /// Reads a probe.
    pub fn of(raw: &Value) -> Self {
        let seconds = |field, default: u64| Duration::from_secs(raw.int(field).and_then(|n| u64::try_from(n).ok()).unwrap_or(default));
        let at_least_one = |field, default: u64| seconds(field, default).max(Duration::from_secs(1));
        let count = |field, default: u32| raw.int(field).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(default);
        Self {
            handler: Handler::of(raw),
            initial_delay: seconds("initialDelaySeconds", 0),
            period: at_least_one("periodSeconds", 10),
            timeout: at_least_one("timeoutSeconds", 1),
            success_threshold: count("successThreshold", 1),
            failure_threshold: count("failureThreshold", 3),
            grace_seconds: raw.int("terminationGracePeriodSeconds"),
        }
    }
}

impl Handler {
    /// Reads a handler's one member.
    pub fn of(raw: &Value) -> Self {
        if let Some(exec) = raw.at("exec") {
            let words = exec.items("command").iter().filter_map(Value::as_str);
            return Self::Exec(words.map(str::to_owned).collect());
        }
        if let Some(http) = raw.at("httpGet") {
            let header = |raw: &Value| (raw.text("name").to_owned(), raw.text("value").to_owned());
            return Self::Http(HttpGet {
                host: http.text("host").to_owned(),
                port: http.at("port").cloned().unwrap_or(Value::Null),
                path: http.text("path").to_owned(),
                tls: http.text("scheme") == "HTTPS",
                headers: http.items("httpHeaders").iter().map(header).collect(),
            });
        }
        if let Some(tcp) = raw.at("tcpSocket") {
            return Self::Tcp { host: tcp.text("host").to_owned(), port: tcp.at("port").cloned().unwrap_or(Value::Null) };
        }
        if let Some(sleep) = raw.at("sleep") {
            return Self::Sleep(Duration::from_secs(sleep.int("seconds").and_then(|n| u64::try_from(n).ok()).unwrap_or(0)));
        }
        if let Some(grpc) = raw.at("grpc") {
            let port = grpc.int("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
            return Self::Grpc { port, service: grpc.text("service").to_owned() };
        }
        let kind = raw.as_object().and_then(|members| members.keys().next());
        Self::Unsupported(kind.map_or("no handler", String::as_str).to_owned())
    }

    /// A port by number, or by name among a container's ports.
    pub fn port(port: &Value, container: &Value) -> Option<u16> {
        if let Some(number) = port.as_u64() {
            return u16::try_from(number).ok().filter(|n| *n > 0);
        }
        let name = port.as_str()?;
        let named = container.items("ports").iter().find(|port| port.text("name") == name);
        let number = named.and_then(|port| port.int("containerPort")).or_else(|| name.parse().ok())?;
        u16::try_from(number).ok().filter(|n| *n > 0)
    }
}
