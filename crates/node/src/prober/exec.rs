//! A program in the container; exit code 0 is success.

use super::Target;
use runtime::{ExecSpec, Runtime};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What is kept of a program's output. Source: kubelet `maxReadLength`.
const OUTPUT: usize = 10 << 10;

pub(super) async fn probe(target: &Target<'_>, command: &[String], timeout: Duration) -> Result<(), String> {
    let run = run(target.runtime, &target.pod.uid, &target.container.name, command);
    match tokio::time::timeout(timeout, run).await {
        Err(_) => Err(format!("command timed out: \"{}\" timed out after {}s", command.join(" "), timeout.as_secs())),
        Ok(Err(why)) => Err(why),
        Ok(Ok((0, _))) => Ok(()),
        Ok(Ok((code, output))) if output.is_empty() => Err(format!("command \"{}\" exited with {code}", command.join(" "))),
        Ok(Ok((_, output))) => Err(output),
    }
}

/// Runs a program to its end: exit code, and the beginning of what it wrote.
///
/// # Errors
/// Why it could not be run.
pub async fn run(runtime: &dyn Runtime, pod: &str, container: &str, command: &[String]) -> Result<(i32, String), String> {
    let spec = ExecSpec { args: command.to_vec(), ..ExecSpec::default() };
    let streams = runtime.exec(pod, container, &spec).await.map_err(|error| error.to_string())?;
    let mut output = Vec::new();
    let mut errors = Vec::new();
    let read_errors = async {
        if let Some(stream) = streams.stderr {
            keep(stream, &mut errors).await;
        }
    };
    tokio::join!(keep(streams.stdout, &mut output), read_errors);
    let code = streams.exit.await.map_err(|_| "the runtime lost the process".to_owned())?.map_err(|error| error.to_string())?;
    output.extend_from_slice(&errors);
    output.truncate(OUTPUT);
    Ok((code, String::from_utf8_lossy(&output).into_owned()))
}

/// Reads to the end, and keeps the beginning: a program that writes much must not block.
async fn keep(mut stream: Box<dyn AsyncRead + Send + Unpin>, kept: &mut Vec<u8>) {
    let mut buffer = [0; 4_096];
    while let Ok(count) = stream.read(&mut buffer).await {
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { return };
        let room = OUTPUT.saturating_sub(kept.len()).min(read.len());
        kept.extend_from_slice(read.get(..room).unwrap_or_default());
    }
}
