//! Pulls and pushes that are killed: nothing is damaged, and the next one goes on from what is there.

use super::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// How often each is killed.
const TIMES: u32 = 8;
const LAYERS: usize = 4;
const BYTES: usize = 6 << 20;

/// Our own registry, which ends with the value.
struct Ours {
    process: Child,
    host: String,
}

impl Ours {
    fn start(place: &Place) -> Self {
        let mut command = place.program("registry", &["registry", "serve", "--listen", "127.0.0.1:0", "--json"]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("JSON");
        let host = ready["ready"]["url"].as_str().expect("an address").trim_start_matches("http://").to_owned();
        Self { process, host }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Contents that cannot be compressed.
fn contents() -> Vec<Vec<u8>> {
    let mut random = std::fs::File::open("/dev/urandom").expect("random bytes");
    let content = || {
        let mut bytes = vec![0; BYTES];
        random.read_exact(&mut bytes).expect("read");
        bytes
    };
    std::iter::repeat_with(content).take(LAYERS).collect()
}

/// Bytes in a folder and below.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

/// Kills it once a folder has grown by so much; whether it was cut, and had not ended by itself before.
fn cut(mut command: Command, folder: &Path, growth: u64) -> bool {
    let before = size(folder);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    while size(folder) < before + growth && child.try_wait().expect("its end").is_none() {}
    child.kill().expect("killed or ended");
    !child.wait().expect("ended").success()
}

#[test]
fn what_is_killed_in_a_pull_or_push_is_whole_and_gone_on_with() {
    let Some(place) = Place::new() else { return };
    let ours = Ours::start(&place);
    let names = (1..=TIMES).map(|round| format!("{}/team/app{round}:1", ours.host)).collect::<Vec<_>>();
    let mut cuts = [0, 0];
    for (round, name) in (1..=TIMES).zip(&names) {
        let growth = ((LAYERS * BYTES) as u64 * u64::from(round)) / u64::from(TIMES + 1);
        place.image_of("one", name, &contents());
        cuts[0] += u32::from(cut(place.program("one", &["push", name]), &place.folder.join("registry"), growth));
        place.ok("one", &["image", "fsck"], "");
        place.ok("one", &["push", name], "");
        let home = format!("pulled-{round}");
        cuts[1] += u32::from(cut(place.program(&home, &["pull", name]), &place.folder.join(&home), growth));
        place.ok(&home, &["image", "fsck"], "");
        let again = place.ok(&home, &["pull", "--json", "--quiet", name], "");
        let pulled: Value = serde_json::from_str(&again).expect("JSON");
        let pushed: Value = serde_json::from_str(&place.ok("one", &["push", "--json", name], "")).expect("JSON");
        assert_eq!((&pulled["image"], pushed["uploaded"].as_u64()), (&pushed["image"], Some(0)), "{name}");
        place.ok(&home, &["image", "fsck"], "");
    }
    println!("{} of {TIMES} pushes and {} of {TIMES} pulls were cut", cuts[0], cuts[1]);
    assert!(cuts.iter().all(|cut| *cut >= TIMES / 2), "they ended before they were killed: {cuts:?}");
    drop(ours);
    place.ok("registry", &["registry", "fsck"], "");
}
