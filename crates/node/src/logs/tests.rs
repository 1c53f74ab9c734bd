//! Of lines, of tails, and of files that grow and rotate.

use super::reader::{Shaper, tail};
use super::*;
use futures::StreamExt;
use std::fs;

fn shape(options: &LogOptions, raw: &str) -> String {
    let mut out = Vec::new();
    let mut shaper = Shaper::new(options);
    // In small pieces: lines are cut anywhere.
    for piece in raw.as_bytes().chunks(7) {
        shaper.take(piece, &mut out);
    }
    String::from_utf8(out).expect("text")
}

const RAW: &str = "2026-01-01T00:00:01.000000000Z stdout F one\n2026-01-01T00:00:02.000000000Z stderr P tw\n\
    2026-01-01T00:00:02.000000000Z stderr F o\n2026-01-01T00:00:03.000000000Z stdout F \nbroken\n2026-01-01T00:00:04.000000000Z stdout F fo ur\n";

#[test]
fn lines_become_text() {
    let all = LogOptions::default();
    assert_eq!(shape(&all, RAW), "one\ntwo\n\nfo ur\n");
    let errors = LogOptions { stream: Some(LogSource::Stderr), ..all.clone() };
    assert_eq!(shape(&errors, RAW), "two\n");
    let since = LogOptions { since: Timestamp::parse_rfc3339("2026-01-01T00:00:03Z"), timestamps: true, ..all.clone() };
    assert_eq!(shape(&since, RAW), "2026-01-01T00:00:03.000000000Z \n2026-01-01T00:00:04.000000000Z fo ur\n");
    let limit = LogOptions { limit_bytes: Some(5), ..all };
    assert_eq!(shape(&limit, RAW), "one\nt");
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("wharf-logs-{}", base::ids::suffix(8)));
        fs::create_dir_all(&folder).expect("made");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn tails_reach_into_rotated_files() {
    let folder = Folder::new();
    let current = folder.0.join("0.log");
    fs::write(folder.0.join("0.log.2"), "a\nb\n").expect("written");
    fs::write(folder.0.join("0.log.1"), "c\nd\n").expect("written");
    fs::write(&current, "e\nf").expect("written");
    let found = files(&current);
    assert_eq!(found.len(), 3);
    for (lines, place) in [(0, (2, 3)), (1, (2, 2)), (2, (2, 0)), (3, (1, 2)), (4, (1, 0)), (5, (0, 2)), (6, (0, 0)), (99, (0, 0))] {
        assert_eq!(tail(&found, lines).expect("read"), place, "{lines}");
    }
}

async fn collect(path: PathBuf, options: LogOptions) -> String {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move { follow::pump(path, &options, None, &sender).await });
    let chunks: Vec<_> = stream(receiver).collect().await;
    chunks.into_iter().map(|chunk| String::from_utf8(chunk.expect("read").to_vec()).expect("text")).collect()
}

#[tokio::test]
async fn the_whole_log_is_read_over_rotations() {
    let folder = Folder::new();
    let current = folder.0.join("0.log");
    let line = |n: u32| format!("2026-01-01T00:00:{n:02}.000000000Z stdout F {n}\n");
    fs::write(folder.0.join("0.log.1"), line(1) + &line(2)).expect("written");
    fs::write(&current, line(3)).expect("written");
    assert_eq!(collect(current.clone(), LogOptions::default()).await, "1\n2\n3\n");
    assert_eq!(collect(current.clone(), LogOptions { tail_lines: Some(2), ..Default::default() }).await, "2\n3\n");
    assert_eq!(collect(folder.0.join("none.log"), LogOptions::default()).await, "");
}
