//! The command that does a run: started, followed, and ended with all that it started.

use super::lines::{Budget, Stream, follow};
use super::speaker::{Speaker, Standing};
use base::mask::Mask;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How a command ended.
pub(super) enum End {
    /// By itself, with this code; none where a signal ended it.
    Code(Option<u8>),
    /// Because a person wanted it.
    Stopped,
    /// Because the run is not ours any more.
    Lost,
    /// Because this runner leaves.
    Leaving,
}

/// How long the rest of what it said may take to come, once it has ended: what it started may hold its streams open. Time in which the
/// server does not take what came does not count.
const REST: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(50);
/// How long a command has that another runner does by now, too.
const LOST: Duration = Duration::from_secs(2);

pub(super) struct Follow {
    pub(super) mask: Mask,
    pub(super) budget: Budget,
    pub(super) speaker: Speaker,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) leaving: watch::Receiver<bool>,
    pub(super) grace: Duration,
}

/// Runs a command to its end.
pub(super) async fn run(mut command: Command, mut how: Follow) -> std::io::Result<End> {
    let mut child = command.spawn()?;
    let reader = |stream, from| tokio::spawn(follow(stream, from, how.mask.clone(), how.budget.clone(), how.speaker.clone()));
    let out = child.stdout.take().map(|from| reader_of(from)).map(|from| reader(Stream::Out, from));
    let err = child.stderr.take().map(|from| reader_of(from)).map(|from| reader(Stream::Err, from));
    let end = tokio::select! {
        status = child.wait() => End::Code(code(status?)),
        _ = how.leaving.wait_for(|leaving| *leaving) => End::Leaving,
        standing = how.standing.wait_for(|standing| *standing != Standing::Ours) => {
            if standing.is_ok_and(|standing| *standing == Standing::Stopped) { End::Stopped } else { End::Lost }
        }
    };
    let id = child.id();
    if !matches!(end, End::Code(_)) {
        stop(&mut child, if matches!(end, End::Lost) { LOST.min(how.grace) } else { how.grace }).await;
    }
    let rest = async {
        for reading in [out, err].into_iter().flatten() {
            let _ = reading.await;
        }
    };
    let (mut rest, mut waited) = (std::pin::pin!(rest), Duration::ZERO);
    while waited < REST && tokio::time::timeout(STEP, rest.as_mut()).await.is_err() {
        if !how.speaker.is_behind() {
            waited += STEP;
        }
    }
    // What it left behind in its session ends with it; what made one of its own, as the engine, was meant to stay.
    if let Some(id) = id {
        end_session(id);
    }
    Ok(end)
}

type Pipe = Box<dyn tokio::io::AsyncRead + Send + Unpin>;

fn reader_of(from: impl tokio::io::AsyncRead + Send + Unpin + 'static) -> Pipe {
    Box::new(from)
}

fn code(status: ExitStatus) -> Option<u8> {
    let by_signal = status.signal().is_some();
    status.code().filter(|_| !by_signal).map(|code| u8::try_from(code).unwrap_or(70))
}

/// Asks it to end, and ends it.
async fn stop(child: &mut Child, grace: Duration) {
    let Some(id) = child.id() else { return };
    if let Some(pid) = pid(id) {
        let _ = kill_process_group(pid, Signal::INT).or_else(|_| kill_process(pid, Signal::INT));
    }
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        end_session(id);
        let _ = child.kill().await;
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// Kills all processes of the session that a command made.
fn end_session(leader: u32) {
    let Ok(entries) = std::fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let stat = number.and_then(|_| std::fs::read_to_string(entry.path().join("stat")).ok());
        if let (Some(pid), Some(true)) = (number.and_then(pid), stat.map(|stat| session(&stat) == Some(leader))) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The session of a process, of its line in /proc (proc(5)): the fourth word after the name, which may hold anything.
fn session(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::Said;

    #[tokio::test]
    async fn the_last_words_wait_for_a_server_that_is_away() {
        let (sender, mut said) = tokio::sync::mpsc::channel(4);
        let (_stays, leaving) = watch::channel(false);
        let (_ours, standing) = watch::channel(Standing::Ours);
        let follow =
            Follow { mask: Mask::default(), budget: Budget::new(1 << 20), speaker: Speaker::to(sender), standing, leaving, grace: REST };
        let mut command = Command::new("/bin/sh");
        let script = "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); done; echo last";
        command.args(["-c", script]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        let running = tokio::spawn(run(command, follow));
        tokio::time::sleep(REST + Duration::from_secs(1)).await;
        assert!(!running.is_finished(), "it has more to say");
        let mut last = None;
        while let Some(next) = said.recv().await {
            last = Some(next);
        }
        assert_eq!(last, Some(Said::Out("last".to_owned())));
        assert!(matches!(running.await.expect("joined").expect("started"), End::Code(Some(0))));
    }

    #[test]
    fn the_session_stands_behind_any_name() {
        assert_eq!(super::session("7 (a) b) 1 2) S 1 2 33 0 -1"), Some(33));
        assert_eq!(super::session("7"), None);
    }
}
