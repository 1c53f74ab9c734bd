//! The outbox's files.

use super::{Entry, MOST, OutboxError, Put, is_old};
use base::Timestamp;
use base::files::{self, FileError};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder of what waits.
pub(super) const WAITING: &str = "waiting";
/// The folder of what has ended.
pub(super) const TOLD: &str = "told";
/// The largest file that is read.
pub(super) const LARGEST: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
}

/// Held while this process is the one that sends; the kernel lets go of it with the process.
#[derive(Debug)]
pub(super) struct Sender {
    _lock: File,
}

impl Disk {
    pub(super) fn open(folder: &Path) -> Result<Self, OutboxError> {
        for name in [WAITING, TOLD] {
            files::make_folder(&folder.join(name), 0o700)?;
        }
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// Whether somebody removed it.
    pub(super) fn is_gone(&self) -> bool {
        matches!(fs::metadata(self.folder.join(WAITING)), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
    }

    fn path(&self, state: &str, id: &str) -> PathBuf {
        self.folder.join(state).join(format!("{id}.json"))
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf), OutboxError> {
        let path = self.folder.join(name);
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        Ok((file.map_err(|error| FileError::new("open", &path, error))?, path))
    }

    /// While it is held nothing is put and nothing ends.
    fn lock(&self) -> Result<File, OutboxError> {
        let (file, path) = self.lock_file("lock")?;
        file.lock().map_err(|error| FileError::new("lock", &path, error))?;
        Ok(file)
    }

    /// The right to send; none while another process has it.
    pub(super) fn sender(&self) -> Result<Option<Sender>, OutboxError> {
        let (file, path) = self.lock_file("sender")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Sender { _lock: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(FileError::new("lock", &path, error).into()),
        }
    }

    /// Writes an entry where its id is not known.
    pub(super) fn put(&self, id: &str, entry: &Entry, now: Timestamp) -> Result<Put, OutboxError> {
        let _held = self.lock()?;
        if self.path(WAITING, id).exists() {
            return Ok(Put::Known);
        }
        // One that cannot be read was told once: whether again is better decided by silence than by noise.
        match self.read(TOLD, id) {
            Ok(Some(told)) if is_old(&told, now) => {}
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return Ok(Put::Known),
        }
        if self.ids(WAITING)?.len() >= MOST {
            return Err(OutboxError::Full);
        }
        self.write(WAITING, id, entry)?;
        Ok(Put::Waiting)
    }

    /// Writes an entry that waits as it is now.
    pub(super) fn keep(&self, id: &str, entry: &Entry) -> Result<(), OutboxError> {
        self.write(WAITING, id, entry)
    }

    /// Notes that an entry has ended: first that it was told, then that it no longer waits.
    pub(super) fn close(&self, id: &str, entry: &Entry) -> Result<(), OutboxError> {
        let _held = self.lock()?;
        self.write(TOLD, id, entry)?;
        self.remove(WAITING, id)
    }

    /// Whether an entry has ended, after a kill between the two steps of [`Disk::close`]; it is taken out then.
    pub(super) fn has_ended(&self, id: &str, entry: &Entry) -> Result<bool, OutboxError> {
        let _held = self.lock()?;
        // A key that comes back after its time has an older note, of what was put before.
        let ended = self.read(TOLD, id).ok().flatten().is_some_and(|told| told.since == entry.since);
        if ended {
            self.remove(WAITING, id)?;
        }
        Ok(ended)
    }

    fn write(&self, state: &str, id: &str, entry: &Entry) -> Result<(), OutboxError> {
        let path = self.path(state, id);
        let text = serde_json::to_vec(entry).map_err(|error| broken(&path, error.to_string()))?;
        if text.len() > LARGEST {
            return Err(OutboxError::TooLarge);
        }
        Ok(files::write_atomically(&path, &text, 0o600)?)
    }

    fn remove(&self, state: &str, id: &str) -> Result<(), OutboxError> {
        let path = self.path(state, id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::new("remove", &path, error).into()),
            _ => Ok(files::sync_folder(&self.folder.join(state))?),
        }
    }

    /// An entry; none where it is not there.
    pub(super) fn read(&self, state: &str, id: &str) -> Result<Option<Entry>, OutboxError> {
        let path = self.path(state, id);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read_up_to(&path, LARGEST).map_err(|error| match error.source.kind() {
            std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::IsADirectory => broken(&path, error.source.to_string()),
            _ => error.into(),
        })?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| broken(&path, error.to_string()))
    }

    /// The ids of all entries.
    pub(super) fn ids(&self, state: &str) -> Result<BTreeSet<String>, OutboxError> {
        let folder = self.folder.join(state);
        let names = fs::read_dir(&folder).map_err(|error| FileError::new("list", &folder, error))?;
        let names = names.flatten().filter_map(|name| name.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.strip_suffix(".json").filter(|id| !id.starts_with('.')).map(str::to_owned)).collect())
    }

    /// All entries, and the files that are none.
    pub(super) fn all(&self, state: &str) -> Result<(Vec<Entry>, Vec<String>), OutboxError> {
        let (mut entries, mut broken) = (Vec::new(), Vec::new());
        for id in self.ids(state)? {
            match self.read(state, &id) {
                Ok(entry) => entries.extend(entry),
                Err(error) => broken.push(error.to_string()),
            }
        }
        Ok((entries, broken))
    }

    /// Forgets what was told long ago, the oldest where there are too many, and what a kill left half written.
    pub(super) fn tidy(&self, now: Timestamp) -> Result<(), OutboxError> {
        let mut told = Vec::new();
        for id in self.ids(TOLD)? {
            let Ok(Some(entry)) = self.read(TOLD, &id) else { continue };
            if is_old(&entry, now) {
                self.remove(TOLD, &id)?;
            } else {
                told.push((entry.since, id));
            }
        }
        told.sort();
        let too_many = told.len().saturating_sub(MOST);
        for (_, id) in told.into_iter().take(too_many) {
            self.remove(TOLD, &id)?;
        }
        let _held = self.lock()?;
        for state in [WAITING, TOLD] {
            let folder = self.folder.join(state);
            let names = fs::read_dir(&folder).map_err(|error| FileError::new("list", &folder, error))?.flatten();
            // Who writes holds the lock, but for `keep`, which only this process calls.
            for half in names.filter(|name| name.file_name().to_string_lossy().starts_with('.')) {
                let _ = fs::remove_file(half.path());
            }
        }
        Ok(())
    }
}

fn broken(path: &Path, why: String) -> OutboxError {
    OutboxError::Broken { path: path.display().to_string(), why }
}

#[cfg(test)]
mod tests {
    use super::super::{KEPT, Outbox, Telling, id};
    use super::*;
    use crate::{Notice, NoticeKind, To};
    use base::Clock;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn folder() -> PathBuf {
        std::env::temp_dir().join(format!("wharf-outbox-{}", base::ids::suffix(8)))
    }

    fn notice(key: &str) -> Notice {
        Notice {
            key: key.to_owned(),
            kind: NoticeKind::RunFailed,
            project: "p".to_owned(),
            subject: "s".to_owned(),
            text: "ä".repeat(100_000),
            findings: Vec::new(),
            url: None,
            at: Timestamp::default(),
        }
    }

    #[test]
    fn a_key_is_told_once_in_thirty_days() {
        let (folder, now) = (folder(), At(Timestamp::from_micros(1_700_000_000_000_000)));
        let outbox = Outbox::open(&folder).expect("open");
        let to = To::each("chat", &[]);
        let put = |key: &str, now: &At| outbox.put(&notice(key), &to, now).expect("put");
        assert_eq!((put("a", &now), put("a", &now), put("b", &now)), (Put::Waiting, Put::Known, Put::Waiting));
        assert_eq!(outbox.put(&notice("c"), &[], &now).expect("nobody"), Put::Nobody);
        let listed = outbox.list().expect("listed");
        assert_eq!((listed.waiting.len(), listed.told.len()), (2, 0));
        assert!(listed.waiting[0].notice.text.len() < 70_000 && listed.waiting[0].notice.text.ends_with("(cut)"));
        let disk = Disk::open(&folder).expect("open");
        let mut entry = disk.read(WAITING, &id("a")).expect("read").expect("there");
        entry.tellings = vec![Telling { fate: super::super::Fate::Taken, ..entry.tellings[0].clone() }];
        disk.close(&id("a"), &entry).expect("closed");
        assert_eq!(put("a", &now), Put::Known);
        // Killed between the two steps.
        disk.keep(&id("a"), &entry).expect("as before");
        assert!(disk.has_ended(&id("a"), &entry).expect("seen") && !disk.path(WAITING, &id("a")).exists());

        let later = At(now.0.plus(KEPT + std::time::Duration::from_secs(1)));
        assert_eq!(put("a", &later), Put::Waiting);
        let again = disk.read(WAITING, &id("a")).expect("read").expect("there");
        assert!(!disk.has_ended(&id("a"), &again).expect("it is another one"));
        disk.tidy(later.0).expect("tidy");
        assert_eq!(outbox.list().expect("listed").told.len(), 0);
        fs::write(folder.join(WAITING).join("x.json"), "{").expect("written");
        assert_eq!(outbox.list().expect("listed").broken.len(), 1);
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn whatever_is_put_can_be_read_and_what_cannot_is_no_notice() {
        let folder = folder();
        let outbox = Outbox::open(&folder).expect("open");
        let long = "\u{1}".repeat(3_000);
        let place = base::Place { file: Some(long.clone()), object: Some(long.clone()), field: Some(long.clone()), ..Default::default() };
        let mut finding = base::Finding::new(long.clone(), base::Severity::Error, place, long.clone()).with_help(long.clone());
        finding.evidence = vec![long.clone(); 50];
        let huge = Notice {
            subject: long.clone(),
            text: "\u{1}".repeat(100_000),
            project: long.clone(),
            url: Some(long),
            findings: vec![finding; 300],
            ..notice("huge")
        };
        outbox.put(&huge, &To::each("chat", &[]), &At(Timestamp::default())).expect("put");
        let listed = outbox.list().expect("listed");
        let [kept] = listed.waiting.as_slice() else { panic!("{:?}", listed.broken) };
        assert!(!kept.notice.findings.is_empty() && kept.notice.text.ends_with("findings are left out)"), "{}", kept.notice.findings.len());
        // As many receivers as make it too large again are refused at once, rather than when it is read.
        let crowd: Vec<String> = (0..80_000).map(|number| format!("{number:064}@example.com")).collect();
        let refused = outbox.put(&notice("crowd"), &To::each("ops", &crowd), &At(Timestamp::default()));
        assert!(matches!(&refused, Err(OutboxError::TooLarge)), "{refused:?}");
        fs::write(folder.join(WAITING).join("large.json"), vec![b' '; LARGEST + 1]).expect("written");
        let disk = Disk::open(&folder).expect("open");
        assert!(matches!(disk.read(WAITING, "large"), Err(OutboxError::Broken { .. })));
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn only_one_process_sends() {
        let folder = folder();
        let (one, other) = (Disk::open(&folder).expect("open"), Disk::open(&folder).expect("open"));
        let held = one.sender().expect("lock").expect("free");
        assert!(other.sender().expect("lock").is_none());
        drop(held);
        assert!(other.sender().expect("lock").is_some());
        fs::remove_dir_all(folder).expect("removed");
    }
}
