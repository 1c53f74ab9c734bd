//! What the API server asks the node for, once the node is there.

use apiserver::{Duplex, LogOptions, NodeProxy};
use async_trait::async_trait;
use base::Clock;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s::{ApiError, Fields, Value};
use node::NodeManager;
use node::streams::StreamError;
use runtime::{ExecSpec, Streams};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The node behind the API server; the server is there first.
pub struct LateNode {
    node: OnceLock<NodeManager>,
    clock: Arc<dyn Clock>,
}

impl LateNode {
    /// Without a node yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { node: OnceLock::new(), clock }
    }

    /// Here it is.
    pub fn set(&self, node: NodeManager) {
        let _ = self.node.set(node);
    }

    fn node(&self) -> Result<&NodeManager, ApiError> {
        self.node.get().ok_or_else(|| ApiError::new(503, "ServiceUnavailable", "the node is starting"))
    }
}

fn refused(error: StreamError) -> ApiError {
    let message = error.to_string();
    match error {
        StreamError::NotFound(_) => ApiError::new(404, "NotFound", message),
        StreamError::BadRequest(_) => ApiError::bad_request(message),
        _ => ApiError::internal(message),
    }
}

#[async_trait]
impl NodeProxy for LateNode {
    async fn logs(&self, pod: &Value, options: LogOptions) -> Result<BoxStream<'static, Bytes>, ApiError> {
        let since = options.since_seconds.map(|seconds| {
            let back = i64::try_from(Duration::from_secs(seconds).as_micros()).unwrap_or(i64::MAX);
            base::Timestamp::from_micros(self.clock.now().micros().saturating_sub(back))
        });
        let wanted = node::logs::LogOptions {
            follow: options.follow,
            previous: options.previous,
            since: since.or(options.since_time),
            timestamps: options.timestamps,
            tail_lines: options.tail_lines,
            limit_bytes: options.limit_bytes,
            ..node::logs::LogOptions::default()
        };
        let stream = self.node()?.logs(pod.namespace(), pod.name(), Some(&options.container), wanted).map_err(refused)?;
        Ok(stream.take_while(|part| std::future::ready(part.is_ok())).filter_map(|part| std::future::ready(part.ok())).boxed())
    }

    async fn exec(&self, pod: &Value, container: &str, spec: ExecSpec) -> Result<Streams, ApiError> {
        self.node()?.exec(pod.namespace(), pod.name(), Some(container), &spec).await.map_err(refused)
    }

    async fn attach(&self, pod: &Value, container: &str) -> Result<Streams, ApiError> {
        self.node()?.attach(pod.namespace(), pod.name(), Some(container)).await.map_err(refused)
    }

    async fn port_forward(&self, pod: &Value, port: u16) -> Result<Box<dyn Duplex>, ApiError> {
        let stream = self.node()?.port_forward(pod.namespace(), pod.name(), port).await.map_err(refused)?;
        Ok(Box::new(stream))
    }
}
