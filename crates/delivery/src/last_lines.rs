//! What a container said last, as evidence.

use crate::world::LogOf;
use cluster::{Cluster, Logs};

/// Lines that are read.
const LINES: u32 = 20;

/// A log that cannot be read is an empty one: the cause is told without it.
pub(crate) async fn last_lines(cluster: &Cluster, log: &LogOf) -> Vec<String> {
    let which = Logs {
        container: log.container.clone(),
        tail: Some(LINES),
        previous: log.previous,
        limit_bytes: Some(16 * 1024),
        ..Logs::default()
    };
    let text = cluster.logs(&log.namespace, &log.pod, &which).await.unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
