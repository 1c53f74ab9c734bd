//! What a container left to be said about its end. Source: core/v1 `terminationMessagePath`, `terminationMessagePolicy`.

use crate::config::NodeConfig;
use crate::pod::Pod;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Of the file. Source: kubelet `MaxContainerTerminationMessageLength`.
const FILE_BYTES: u64 = 4_096;
/// Of the log that stands in for it.
const LOG_BYTES: u64 = 2_048;
const LOG_LINES: usize = 80;

/// The termination message of an attempt; empty when there is none.
pub(super) fn read(config: &NodeConfig, pod: &Pod, container: &str, attempt: u32, code: i32) -> String {
    let path = config.folders(&pod.uid).message(container, attempt);
    let mut kept = Vec::new();
    let _ = File::open(&path).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut kept));
    let from_log = kept.is_empty() && code != 0 && pod.container(container).is_some_and(|container| container.message_from_log);
    if from_log {
        return tail(&config.log_file((&pod.namespace, &pod.name, &pod.uid), container, attempt));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The last lines of a CRI log, without their heads.
fn tail(path: &Path) -> String {
    let mut text = Vec::new();
    // Heads take room too; what is cut is cut at the beginning.
    let _ = File::open(path).and_then(|mut file| {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(LOG_BYTES * 8)))?;
        file.take(LOG_BYTES * 8).read_to_end(&mut text)
    });
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<String> = Vec::new();
    let mut partial = String::new();
    for line in text.lines() {
        let mut parts = line.splitn(4, ' ');
        let (Some(_), Some(_), Some(tag), body) = (parts.next(), parts.next(), parts.next(), parts.next().unwrap_or_default()) else {
            continue;
        };
        partial.push_str(body);
        if tag.starts_with('F') {
            lines.push(std::mem::take(&mut partial));
        }
    }
    let first = lines.len().saturating_sub(LOG_LINES);
    let mut joined: String = lines.split_off(first).into_iter().map(|line| line + "\n").collect();
    while joined.len() as u64 > LOG_BYTES {
        joined.remove(0);
    }
    joined
}
