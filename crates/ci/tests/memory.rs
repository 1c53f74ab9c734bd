//! What hostile sizes cost: a process of its own, one test at a time, for the memory that is measured is the whole process'.

#![allow(dead_code, reason = "the place is also that of other tests")]

#[path = "memory/many.rs"]
mod many;
#[path = "server/place.rs"]
mod place;

use ci::{Known, RunState};
use place::place;
use tokio::sync::Mutex;

static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_of_100_megabytes_is_refused_without_being_read() {
    let _alone = ALONE.lock().await;
    let Some(place) = place("large").await else { return };
    let hook = Some(place.secrets().seal(&ci::hook_purpose("app"), "hook secret").expect("sealed"));
    place.server.repositories().add("app", &Known { hook, ..Known::default() }).await.expect("added");
    let body = vec![b' '; 100 << 20];
    let memory = Memory::now();
    let (mut status, begun) = (0, std::time::Instant::now());
    // The server may close the connection while it is still written to.
    let headers = format!("POST /hooks/app HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    if let Ok(mut stream) = tokio::net::TcpStream::connect(place.url.trim_start_matches("http://")).await {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut read, mut write) = stream.split();
        let mut answer = [0; 12];
        let sending = async { write.write_all(headers.as_bytes()).await.and(write.write_all(&body).await) };
        let (_, got) = tokio::join!(tokio::time::timeout(std::time::Duration::from_secs(10), sending), read.read_exact(&mut answer));
        if got.is_ok() {
            status = std::str::from_utf8(&answer[9..]).expect("ASCII").parse().expect("a status");
        }
    }
    assert_eq!(status, 413);
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(memory.most() < 32 << 10, "{} KiB", memory.most());
    assert_eq!(place.hook("nothing", &[], b"{}").await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_a_gigabyte_costs_its_limit() {
    let _alone = ALONE.lock().await;
    let Some(place) = place("gigabyte").await else { return };
    place.runner("r1");
    let repository = place.clone_of("web");
    let flood = "echo '{\"stage\":\"test\",\"state\":\"running\"}'\nyes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 1000000000\necho\n";
    repository
        .write("job.sh", &format!("{flood}echo '{{\"stage\":\"test\",\"state\":\"done\",\"summary\":\"flooded\",\"milliseconds\":1}}'\n"));
    repository.push("main").await;
    let memory = Memory::now();
    let run = place.ended(1).await;
    assert_eq!((run.state, run.stages[1].summary.as_str()), (RunState::Passed, "flooded"));
    let last = place.runs().log(run.id, "test", run.stages[1].lines - 1, 9).expect("a log");
    assert!(last.cut && last.lines[0].contains("left out"), "{last:?}");
    let kept: u64 = place
        .files()
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|end| end == "log"))
        .map(|(_, content)| content.len() as u64)
        .sum();
    assert!(kept < 3 << 20, "{kept} bytes are kept");
    assert!(memory.most() < 64 << 10, "{} KiB", memory.most());
}

/// Resident memory of this process.
struct Memory(u64);

impl Memory {
    /// From here on.
    fn now() -> Self {
        // 5 sets the peak back to what is resident (proc(5)).
        std::fs::write("/proc/self/clear_refs", "5").expect("the peak is set back");
        Self(Self::read("VmRSS:"))
    }

    /// The most since then, in KiB, above what it was then.
    fn most(&self) -> u64 {
        Self::read("VmHWM:").saturating_sub(self.0)
    }

    fn read(name: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a size");
        line.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }
}
