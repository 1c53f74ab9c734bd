//! Every write of a push, its run and its end fails once, is torn, or is the last one before a kill: what was acknowledged stands once.

use super::files::{Files, Real};
use super::*;
use crate::run::{Commit, StageState, Trigger};
use base::SystemClock;
use std::collections::BTreeMap;
use std::io;
use store::journal::disk::{Disk, DiskFile, Folder};
use store::journal::file::FileJournal;

/// What happens to one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// No room: it is refused once, a part of it may have been written.
    Full,
    /// The disk says no, once.
    Broken,
    /// The process dies in it: nothing after it is written.
    Kill,
}

/// Counts writes, and breaks one.
#[derive(Debug, Default)]
struct Breaking {
    /// How long each write was, in their order.
    seen: Vec<usize>,
    /// Which is broken (from 0), how, and after how many bytes.
    plan: Option<(usize, Fault, usize)>,
    dead: bool,
    told: Vec<String>,
}

#[derive(Clone, Default)]
struct Broken(Arc<Mutex<Breaking>>);

impl Broken {
    fn it(&self) -> MutexGuard<'_, Breaking> {
        self.0.lock().expect("no test panics while it holds the lock")
    }

    /// Before a write of so many bytes: how many of them are written, and what is answered then.
    fn write(&self, bytes: usize) -> (usize, io::Result<()>) {
        let mut it = self.it();
        if it.dead {
            return (0, Err(io::Error::other("killed")));
        }
        let number = it.seen.len();
        it.seen.push(bytes);
        match it.plan {
            Some((at, fault, torn)) if at == number => {
                it.dead = fault == Fault::Kill;
                let error = match fault {
                    Fault::Full => io::Error::from(io::ErrorKind::StorageFull),
                    Fault::Broken => io::Error::other("input/output error"),
                    Fault::Kill => io::Error::other("killed"),
                };
                (torn.min(bytes), Err(error))
            }
            _ => (bytes, Ok(())),
        }
    }
}

/// The journal's folder with faults. Nothing is synced: a kill loses nothing that was written.
struct Journal(Folder, Broken);

struct File(Box<dyn DiskFile>, Broken);

impl Disk for Journal {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        let (written, done) = self.1.write(usize::try_from(bytes).expect("small"));
        if done.is_ok() || written > 0 {
            self.0.create(name, written as u64)?;
        }
        done?;
        Ok(Box::new(File(self.0.open(name)?, self.1.clone())))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File(self.0.open(name)?, self.1.clone())))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (written, done) = self.1.write(1);
        if written > 0 {
            self.0.rename(from, to)?;
        }
        done
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let (written, done) = self.1.write(1);
        if written > 0 {
            self.0.remove(name)?;
        }
        done
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.1.write(0).1
    }
}

impl DiskFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (written, done) = self.1.write(bytes.len());
        self.0.write_at(offset, &bytes[..written])?;
        done
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.write(0).1
    }
}

impl Files for Broken {
    fn folder(&self, path: &Path) -> Result<(), FileError> {
        let (written, done) = self.write(1);
        if written > 0 {
            Real.folder(path)?;
        }
        done.map_err(|error| FileError::new("create", path, error))
    }

    fn replace(&self, path: &Path, content: &[u8]) -> Result<(), FileError> {
        let (written, done) = self.write(content.len());
        if written == content.len() {
            // All of it was written, and only its name could not be made durable.
            std::fs::write(path, content).map_err(|error| FileError::new("write", path, error))?;
        } else if self.it().dead {
            let beside = path.with_file_name(".beside");
            std::fs::write(&beside, &content[..written]).map_err(|error| FileError::new("write", path, error))?;
        }
        done.map_err(|error| FileError::new("write", path, error))
    }

    fn append(&self, path: &Path, length: u64, text: &[u8]) -> Result<(), FileError> {
        let (written, done) = self.write(text.len());
        if !self.it().dead || done.is_err() && written > 0 {
            Real.append(path, length, &text[..written])?;
        }
        done.map_err(|error| FileError::new("write", path, error))
    }

    fn cut(&self, path: &Path, length: u64) -> Result<(), FileError> {
        let (_, done) = self.write(0);
        done.map_err(|error| FileError::new("cut", path, error))?;
        Real.cut(path, length)
    }
}

const STAGES: [&str; 2] = ["lint", "test"];

/// What the runner says, in the batches in which it says it; one of them has lines of both stages.
fn script() -> Vec<Vec<Said>> {
    let event = |stage: &str, state: &str| Said::Out(format!("{{\"stage\":\"{stage}\",\"state\":\"{state}\",\"summary\":\"s\"}}"));
    let line = |text: &str| Said::Err(text.to_owned());
    vec![
        vec![Said::Out("{\"stages\":[\"lint\",\"test\"]}".into()), event("lint", "running"), line("lint 1"), line("lint 2")],
        vec![line("lint 3"), event("lint", "done"), event("test", "running"), line("test 1")],
        vec![line("test 2")],
        vec![line("test 3"), event("test", "done"), Said::Ended { code: Some(0), cause: None }],
    ]
}

fn lines(stage: &str) -> Vec<String> {
    (1..=3).map(|number| format!("{stage} {number}")).collect()
}

/// A server's folder, and whoever pushes to it and does its run, over all its starts.
struct World {
    folder: PathBuf,
    broken: Broken,
    runs: Option<Runs>,
    starts: usize,
}

const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

impl World {
    fn new(plan: Option<(usize, Fault, usize)>) -> Self {
        // Memory, where there is such a folder: this is not about the disk's own speed.
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let broken = Broken::default();
        broken.it().plan = plan;
        Self { folder: folder.join(format!("wharf-ci-faults-{}", base::ids::suffix(10))), broken, runs: None, starts: 0 }
    }

    /// The server that runs; a new one where the last one has ended. A start that fails is told, and tried again by whoever keeps it.
    fn server(&mut self) -> Runs {
        loop {
            if let Some(runs) = self.runs.clone().filter(|runs| runs.stopped().is_none() && !self.broken.it().dead) {
                return runs;
            }
            if let Some(why) = self.runs.take().and_then(|runs| runs.stopped()) {
                self.broken.it().told.push(why);
            }
            let mut it = self.broken.it();
            if std::mem::take(&mut it.dead) {
                // The next one writes well.
                it.plan = None;
            }
            drop(it);
            self.starts += 1;
            assert!(self.starts < 5, "it starts in the end: {:?}", self.broken.it());
            match self.open() {
                Ok(runs) => self.runs = Some(runs),
                Err(error) => self.broken.it().told.push(error.to_string()),
            }
        }
    }

    fn open(&self) -> Result<Runs, OpenError> {
        base::files::make_folder(&self.folder.join("runs"), 0o700)?;
        let options = store::Options { segment_bytes: 8 << 10, snapshot_bytes: 12 << 10, background: false, ..Default::default() };
        let journal = Folder::new(self.folder.join("journal")).expect("a folder");
        let journal = FileJournal::on(Arc::new(Journal(journal, self.broken.clone())), &options);
        let store = Store::with_journal(Box::new(journal), options)?;
        Runs::open_on(store, Box::new(self.broken.clone()), &self.folder, Options::default(), Arc::new(SystemClock))
    }

    fn told(&self, error: &RunsError) {
        self.broken.it().told.push(error.to_string());
    }

    /// A push: git has taken it; the server looks what is new until it has begun its run.
    async fn push(&mut self) -> RunId {
        for _ in 0..5 {
            let runs = self.server();
            if runs.branches("web").is_some_and(|branches| !branches.is_empty()) {
                break;
            }
            let asked = Asked {
                repository: "web".into(),
                project: ProjectFolder::default(),
                branch: "main".into(),
                environment: "local".into(),
                commit: Commit { id: COMMIT.into(), ..Commit::default() },
                trigger: Trigger::Push { by: "me".into() },
                work: Work::default(),
            };
            let branches = BTreeMap::from([("main".to_owned(), COMMIT.to_owned())]);
            let refs = Refs { branches: Some(("web".to_owned(), branches)), ..Refs::default() };
            match runs.begin(vec![asked], refs).await {
                Ok(begun) => return begun[0],
                Err(error) => self.told(&error),
            }
        }
        let all = self.server().list(&Filter::default(), None, 9);
        assert_eq!(all.len(), 1, "the branches that are known have their run");
        all[0].id
    }

    async fn take(&mut self) -> Taken {
        for _ in 0..8 {
            if let Some(taken) = self.server().take("r", "the-process-of-r", Duration::from_millis(30)).await {
                return taken;
            }
            let trouble = self.runs.as_ref().and_then(Runs::trouble);
            self.broken.it().told.extend(trouble);
        }
        panic!("the run is given to nobody: {:?}", self.broken.it().told);
    }

    /// Says it as a runner does: again, until it is taken.
    async fn say(&mut self, taken: &Taken, mut from: u64, mut batch: Vec<Said>) -> u64 {
        let ends = matches!(batch.last(), Some(Said::Ended { .. }));
        for tried in 0..8 {
            match self.server().say(taken.run.id, &taken.token, from, batch.clone()).await {
                Ok(told) => {
                    batch.drain(..usize::try_from(told.next - from).expect("small"));
                    from = told.next;
                    if batch.is_empty() {
                        return from;
                    }
                }
                // The end was taken, and only the answer got lost.
                Err(RunsError::NotYours(_)) if ends && tried > 0 => return from + batch.len() as u64,
                Err(error) => self.told(&error),
            }
        }
        panic!("it is never taken: {:?}", self.broken.it().told);
    }

    async fn whole(&mut self) {
        let id = self.push().await;
        let taken = self.take().await;
        assert_eq!(taken.run.id, id);
        let mut said = 0;
        for batch in script() {
            said = self.say(&taken, said, batch).await;
            self.acknowledged(id, said);
        }
        self.broken.it().plan = None;
        self.judge(id);
        // And what is on the disk is the same.
        self.runs = None;
        self.judge(id);
        assert!(self.server().take("other", "another-process-", Duration::from_millis(1)).await.is_none(), "nothing is done twice");
    }

    /// What a runner was told is taken can be read, each line once, at any time.
    fn acknowledged(&mut self, id: RunId, said: u64) {
        let runs = self.server();
        let mut left = usize::try_from(said).expect("small");
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for said in script().into_iter().flatten() {
            if left == 0 {
                break;
            }
            left -= 1;
            if let Said::Err(text) = said {
                *expected.entry(STAGES.into_iter().find(|stage| text.starts_with(stage)).expect("known")).or_default() += 1;
            }
        }
        for (stage, count) in expected {
            let page = runs.log(id, stage, 0, 99).expect("a log");
            assert_eq!(page.lines, lines(stage)[..count], "{:?}", self.broken.it().told);
        }
    }

    fn judge(&mut self, id: RunId) {
        let runs = self.server();
        let told = self.broken.it().told.clone();
        let all = runs.list(&Filter::default(), None, 9);
        assert_eq!(all.len(), 1, "one push, one run: {told:?}");
        let run = runs.get(id).expect("read").expect("kept");
        assert_eq!((run.state, run.attempt, run.cause.as_ref()), (RunState::Passed, 1, None), "{told:?}");
        for (stage, name) in run.stages.iter().skip(1).zip(STAGES) {
            assert_eq!((stage.name.as_str(), stage.state, stage.lines), (name, StageState::Done, 3), "{told:?}");
            assert_eq!(runs.log(id, name, 0, 99).expect("a log").lines, lines(name), "{told:?}");
        }
        assert_eq!(runs.load(), (0, 0), "{told:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.runs = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where a write of so many bytes is torn: everywhere, or at some places of a long one.
fn places(bytes: usize) -> Vec<usize> {
    if bytes <= 80 {
        return (0..=bytes).collect();
    }
    vec![0, 1, bytes / 4, bytes / 2, bytes - 9, bytes - 1, bytes]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_write_fails_once_or_is_the_last_every_line_stands_once() {
    let mut well = World::new(None);
    well.whole().await;
    let writes = well.broken.it().seen.clone();
    assert!(well.broken.it().told.is_empty() && writes.len() > 20, "{writes:?}");
    let mut tried = 0;
    for (at, bytes) in writes.into_iter().enumerate() {
        for fault in [Fault::Full, Fault::Broken, Fault::Kill] {
            for torn in places(bytes) {
                let mut world = World::new(Some((at, fault, torn)));
                world.whole().await;
                let told = world.broken.it().told.clone();
                let named = ["no storage space", "input/output error", "killed"]
                    .iter()
                    .any(|why| told.iter().any(|told| told.to_lowercase().contains(why)));
                // Somebody hears of it: who asked, or whoever keeps the server.
                assert!(named, "write {at}, {fault:?}, byte {torn}: {told:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried}");
}
