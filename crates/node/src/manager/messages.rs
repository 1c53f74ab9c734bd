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
            partial.push('\n');
            lines.push(std::mem::take(&mut partial));
        }
    }
    // What a program wrote last needs no end of line.
    lines.push(partial);
    let first = lines.len().saturating_sub(LOG_LINES + 1);
    let mut joined = lines.split_off(first).concat();
    while joined.len() as u64 > LOG_BYTES {
        joined.remove(0);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_need_no_end_of_line() {
        let path = std::env::temp_dir().join(format!("wharf-messages-{}", std::process::id()));
        let log = "T stdout F one\nT stdout P tw\nT stdout F o\nT stderr P DONE\n";
        std::fs::write(&path, log).expect("a log");
        assert_eq!(tail(&path), "one\ntwo\nDONE");
        std::fs::write(&path, "T stdout F x\n".repeat(LOG_LINES * 2)).expect("a log");
        assert_eq!(tail(&path), "x\n".repeat(LOG_LINES));
        std::fs::remove_file(path).expect("removed");
    }
}
