//! Folders of lanes: kept from run to run, and removed when no run came for long.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long the folder of a lane is kept without a run: its branch is gone, or rests.
const KEPT: Duration = Duration::from_secs(14 * 86_400);
const MARK: &str = ".used";

/// Says that a lane is used now.
pub(super) fn mark(lane: &Path) -> std::io::Result<()> {
    File::create(lane.join(MARK))?.set_modified(SystemTime::now())
}

/// Removes the folders of lanes that were not used for long, but for one.
pub(super) fn remove_old(work: &Path, but: &Path) {
    let Ok(entries) = std::fs::read_dir(work) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path != but) {
        // What has no mark was made by nobody here, or before there were marks: it gets one with its next run.
        let used = std::fs::metadata(path.join(MARK)).and_then(|mark| mark.modified());
        if used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age >= KEPT)) {
            // What cannot be removed is tried again with the next run.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lanes_that_rest_are_removed() {
        let work = std::env::temp_dir().join(format!("wharf-lanes-{}", base::ids::suffix(8)));
        for name in ["old", "own", "used", "foreign"] {
            std::fs::create_dir_all(work.join(name).join("web")).expect("made");
        }
        ["old", "own", "used"].iter().for_each(|name| mark(&work.join(name)).expect("marked"));
        for name in ["old", "own"] {
            let mark = File::options().write(true).open(work.join(name).join(MARK)).expect("there");
            mark.set_modified(SystemTime::now() - KEPT).expect("set");
        }
        remove_old(&work, &work.join("own"));
        assert_eq!(["old", "own", "used", "foreign"].map(|name| work.join(name).exists()), [false, true, true, true]);
        std::fs::remove_dir_all(work).expect("removed");
    }
}
