//! What the API server asks the node for: logs, processes in containers, ports.

use async_trait::async_trait;
use base::Timestamp;
use bytes::Bytes;
use futures::stream::BoxStream;
use k8s::{ApiError, Value};
use runtime::{ExecSpec, Streams};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long a pod may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// Which log lines are wanted. Source: core/v1 PodLogOptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container's name; it is one of the pod's.
    pub container: String,
    /// Goes on until the container ends.
    pub follow: bool,
    /// Of the attempt before.
    pub previous: bool,
    /// Only so many last lines.
    pub tail_lines: Option<u64>,
    /// Only lines of so many last seconds.
    pub since_seconds: Option<u64>,
    /// Only lines since.
    pub since_time: Option<Timestamp>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Ends after so many bytes.
    pub limit_bytes: Option<u64>,
}

/// A connection in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The node that runs the pods.
#[async_trait]
pub trait NodeProxy: Send + Sync {
    /// A container's log.
    async fn logs(&self, pod: &Value, options: LogOptions) -> Result<BoxStream<'static, Bytes>, ApiError>;
    /// Runs a process in a container.
    async fn exec(&self, pod: &Value, container: &str, spec: ExecSpec) -> Result<Streams, ApiError>;
    /// Joins the streams of a container's first process.
    async fn attach(&self, pod: &Value, container: &str) -> Result<Streams, ApiError>;
    /// Connects to a port inside a pod, on its loopback.
    async fn port_forward(&self, pod: &Value, port: u16) -> Result<Box<dyn Duplex>, ApiError>;
    /// Connects to an address of the pod network, as a client on the node would.
    async fn connect(&self, address: SocketAddr) -> Result<Box<dyn Duplex>, ApiError> {
        let told = |why: String| ApiError::new(503, "ServiceUnavailable", format!("error trying to reach service: dial {address}: {why}"));
        let connecting = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await;
        let stream = connecting.map_err(|_| told("no answer in time".to_owned()))?.map_err(|error| told(error.to_string()))?;
        Ok(Box::new(stream))
    }
}

/// A node that is not there: every question is answered by 503.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNode;

fn unavailable() -> ApiError {
    ApiError::new(503, "ServiceUnavailable", "no node runs here")
}

#[async_trait]
impl NodeProxy for NoNode {
    async fn logs(&self, _: &Value, _: LogOptions) -> Result<BoxStream<'static, Bytes>, ApiError> {
        Err(unavailable())
    }
    async fn exec(&self, _: &Value, _: &str, _: ExecSpec) -> Result<Streams, ApiError> {
        Err(unavailable())
    }
    async fn attach(&self, _: &Value, _: &str) -> Result<Streams, ApiError> {
        Err(unavailable())
    }
    async fn port_forward(&self, _: &Value, _: u16) -> Result<Box<dyn Duplex>, ApiError> {
        Err(unavailable())
    }
    async fn connect(&self, _: SocketAddr) -> Result<Box<dyn Duplex>, ApiError> {
        Err(unavailable())
    }
}
