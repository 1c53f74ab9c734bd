//! Crashes at every step of every write, torn and reordered sectors, flipped bits: what was acknowledged stays, what is lost is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use store::journal::disk::{Disk, DiskFile};
use store::journal::file::FileJournal;
use store::{CommitError, Damage, JournalError, Options, Seal, Store, Txn};

const SECTOR: usize = 64;

/// A seeded source of decisions (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("small")
    }
}

#[derive(Default, Clone)]
struct File {
    synced: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

impl File {
    fn content(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        self.pending.iter().for_each(|(at, part)| put(&mut bytes, *at, part));
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.resize(bytes.len().max(at + part.len()), 0);
    bytes[at..at + part.len()].copy_from_slice(part);
}

#[derive(Clone)]
enum Naming {
    Link(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Default)]
struct Platter {
    files: Vec<File>,
    synced: BTreeMap<String, usize>,
    names: BTreeMap<String, usize>,
    pending: Vec<Naming>,
    step: usize,
    crash_at: Option<usize>,
    fail_sync: bool,
}

impl Platter {
    fn tick(&mut self) -> io::Result<()> {
        self.step += 1;
        if self.crash_at.is_some_and(|at| self.step >= at) { Err(io::Error::other("power cut")) } else { Ok(()) }
    }

    fn name(&mut self, change: Naming) {
        rename(&mut self.names, &change);
        self.pending.push(change);
    }

    /// What the disk holds after power came back: any of the sectors and a beginning of the name changes since the last sync.
    fn reboot(&mut self, dice: &mut Dice) {
        for file in &mut self.files {
            for (at, part) in std::mem::take(&mut file.pending) {
                for (index, sector) in part.chunks(SECTOR).enumerate() {
                    if dice.roll(2) == 0 {
                        put(&mut file.synced, at + index * SECTOR, sector);
                    }
                }
            }
        }
        let kept = dice.roll(self.pending.len() + 1);
        self.pending.truncate(kept);
        self.sync_names();
        self.names = self.synced.clone();
        (self.step, self.crash_at) = (0, None);
    }

    fn sync_names(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            rename(&mut self.synced, &change);
        }
    }
}

fn rename(names: &mut BTreeMap<String, usize>, change: &Naming) {
    match change {
        Naming::Link(name, file) => drop(names.insert(name.clone(), *file)),
        Naming::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Naming::Remove(name) => drop(names.remove(name)),
    }
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Platter>>);

struct Handle(Fake, usize);

impl Fake {
    fn platter(&self) -> std::sync::MutexGuard<'_, Platter> {
        self.0.lock().expect("no test panics while it holds the lock")
    }
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Disk for Fake {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.platter().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let platter = self.platter();
        let file = *platter.names.get(name).ok_or_else(missing)?;
        Ok(platter.files[file].content())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        let mut platter = self.platter();
        platter.tick()?;
        platter.files.push(File { synced: vec![0; usize::try_from(bytes).expect("small")], pending: Vec::new() });
        let file = platter.files.len() - 1;
        platter.name(Naming::Link(name.to_owned(), file));
        Ok(Box::new(Handle(self.clone(), file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = *self.platter().names.get(name).ok_or_else(missing)?;
        Ok(Box::new(Handle(self.clone(), file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut platter = self.platter();
        platter.name(Naming::Rename(from.to_owned(), to.to_owned()));
        platter.tick()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut platter = self.platter();
        platter.name(Naming::Remove(name.to_owned()));
        platter.tick()
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut platter = self.platter();
        platter.tick()?;
        platter.sync_names();
        Ok(())
    }
}

impl DiskFile for Handle {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut platter = self.0.platter();
        platter.files[self.1].pending.push((usize::try_from(offset).expect("small"), bytes.to_vec()));
        platter.tick()
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut platter = self.0.platter();
        platter.tick()?;
        if platter.fail_sync {
            return Err(io::Error::other("input/output error"));
        }
        let file = &mut platter.files[self.1];
        file.synced = file.content();
        file.pending.clear();
        Ok(())
    }
}

fn options() -> Options {
    Options { segment_bytes: 700, snapshot_bytes: 1_500, history_bytes: 1 << 20, background: false, seal: None }
}

fn open(disk: &Fake) -> Result<Store, JournalError> {
    Store::with_journal(Box::new(FileJournal::on(Arc::new(disk.clone()), &options())), options())
}

type Model = BTreeMap<String, Vec<u8>>;

/// The `index`th change of the workload, on the model and as a transaction.
fn change(index: usize, model: &mut Model) -> Txn {
    let (key, other) = (format!("/k/{}", index % 7), format!("/other/{}", index % 3));
    let value = vec![u8::try_from(index % 251).expect("small") + 1; 20 + index * 13 % 150];
    if index % 5 == 4 && model.contains_key(&key) {
        model.remove(&key);
        return Txn::default().delete(key);
    }
    model.insert(key.clone(), value.clone());
    model.insert(other.clone(), vec![7]);
    Txn::default().put(key, value).put(other, vec![7])
}

fn content(store: &Store) -> Model {
    let page = store.list("/", 0, "", None).expect("now is always there");
    page.entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_vec())).collect()
}

/// Runs the workload until the disk fails; gives the states after each acknowledged change, then the one that was tried.
fn work(disk: &Fake, changes: usize) -> (Vec<Model>, Option<Model>) {
    let mut states = vec![Model::new()];
    let Ok(store) = open(disk) else { return (states, None) };
    for index in 0..changes {
        let mut next = states.last().expect("one at least").clone();
        let txn = change(index, &mut next);
        if store.commit_blocking(txn).is_err() {
            return (states, Some(next));
        }
        states.push(next);
    }
    (states, None)
}

#[test]
fn what_was_acknowledged_survives_a_crash_at_every_step() {
    const CHANGES: usize = 40;
    let whole = Fake::default();
    work(&whole, CHANGES);
    let steps = whole.platter().step;
    assert!(steps > 2 * CHANGES, "the workload rotates and snapshots: {steps} steps");
    let mut told = 0;
    for seed in 1..6 {
        for crash_at in 1..=steps {
            let disk = Fake::default();
            disk.platter().crash_at = Some(crash_at);
            let (states, tried) = work(&disk, CHANGES);
            let mut dice = Dice(seed * 7919 + crash_at as u64);
            disk.platter().reboot(&mut dice);
            let store = open(&disk).unwrap_or_else(|error| panic!("seed {seed}, step {crash_at}: {error}"));
            let found = content(&store);
            let last = states.last().expect("one at least");
            assert!(found == *last || Some(&found) == tried.as_ref(), "seed {seed}, step {crash_at}: {found:?}\nis not\n{last:?}");
            let torn = |damage: &Damage| matches!(damage, Damage::TornTail { .. });
            assert!(store.report().damage.iter().all(torn), "seed {seed}, step {crash_at}: {:?}", store.report());
            told += store.report().damage.len();
            let before = store.revision();
            let after = store.commit_blocking(Txn::default().put("/after", b"1".to_vec())).expect("goes on");
            assert!(after > before, "revisions only grow");
            drop(store);
            let again = open(&disk).expect("opens again");
            assert_eq!(again.revision(), after);
            assert!(again.report().damage.is_empty(), "told once: {:?}", again.report());
            assert!(again.get("/after").is_some());
        }
    }
    assert!(told > 100, "torn tails came up and were told: {told}");
}

#[test]
fn a_crash_while_recovering_loses_nothing() {
    for first in [30, 47, 61] {
        for second in 1..14 {
            let disk = Fake::default();
            disk.platter().crash_at = Some(first);
            let (states, tried) = work(&disk, 40);
            let mut dice = Dice(first as u64 * 31 + second as u64);
            disk.platter().reboot(&mut dice);
            disk.platter().crash_at = Some(second);
            drop(open(&disk));
            disk.platter().reboot(&mut dice);
            let found = content(&open(&disk).expect("opens"));
            assert!(found == *states.last().expect("one") || Some(&found) == tried.as_ref(), "steps {first}, {second}");
        }
    }
}

#[test]
fn flipped_bits_are_told_and_never_mixed_in() {
    let (whole, mut told, mut refused) = (Fake::default(), 0, 0);
    let (states, _) = work(&whole, 40);
    let mut dice = Dice(4711);
    for _ in 0..400 {
        let disk = Fake::default();
        {
            let (from, mut to) = (whole.platter(), disk.platter());
            (to.files, to.names, to.synced) = (from.files.clone(), from.names.clone(), from.names.clone());
            let names: Vec<usize> = to.names.values().copied().collect();
            let file = names[dice.roll(names.len())];
            let bytes = &mut to.files[file].synced;
            let at = dice.roll(bytes.len());
            bytes[at] ^= 1 << dice.roll(8);
        }
        match open(&disk) {
            Ok(store) => {
                let found = content(&store);
                assert!(states.contains(&found), "a state that never was: {found:?}");
                assert!(!store.report().damage.is_empty() || Some(&found) == states.last(), "lost in silence");
                told += store.report().damage.len();
                for damage in &store.report().damage {
                    assert!(damage.to_string().contains("byte"), "{damage}");
                }
            }
            Err(JournalError::Snapshot { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(told > 50 && refused > 50, "both kinds were tried: {told} {refused}");
}

#[test]
fn a_sync_that_fails_stops_the_store_for_good() {
    let disk = Fake::default();
    let store = open(&disk).expect("opens");
    store.commit_blocking(Txn::default().put("/a", b"1".to_vec())).expect("works");
    disk.platter().fail_sync = true;
    let error = store.commit_blocking(Txn::default().put("/a", b"2".to_vec())).expect_err("fails");
    assert!(matches!(&error, CommitError::Stopped(reason) if reason.contains("input/output")), "{error}");
    disk.platter().fail_sync = false;
    let again = store.commit_blocking(Txn::default().put("/a", b"3".to_vec())).expect_err("is not retried");
    assert!(matches!(again, CommitError::Stopped(_)));
    assert_eq!(store.get("/a").expect("still read").value, b"1".as_slice());
}

struct Mask;

impl Seal for Mask {
    fn seals(&self, key: &str) -> bool {
        key.starts_with("/secrets")
    }
    fn seal(&self, _: &str, plain: &[u8]) -> Vec<u8> {
        plain.iter().map(|byte| byte ^ 0x5a).collect()
    }
    fn open(&self, key: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(self.seal(key, sealed))
    }
}

#[test]
fn sealed_values_are_nowhere_plain() {
    let disk = Fake::default();
    let sealing = Options { seal: Some(Arc::new(Mask)), ..options() };
    let open = |options: &Options| Store::with_journal(Box::new(FileJournal::on(Arc::new(disk.clone()), options)), options.clone());
    let store = open(&sealing).expect("opens");
    for index in 0..30 {
        store.commit_blocking(Txn::default().put(format!("/secrets/{}", index % 4), b"hunter2-hunter2".to_vec())).expect("works");
    }
    drop(store);
    let plain = |file: &File| file.content().windows(7).any(|window| window == b"hunter2");
    assert!(!disk.platter().files.iter().any(plain));
    let store = open(&sealing).expect("opens again");
    assert_eq!(store.get("/secrets/1").expect("there").value, b"hunter2-hunter2".as_slice());
    drop(store);
    assert!(matches!(open(&options()), Err(JournalError::Sealed { .. })), "without the key it says so");
}
