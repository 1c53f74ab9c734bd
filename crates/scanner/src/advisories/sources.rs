//! Where advisories come from: folders, files and zip archives of OSV documents, RustSec's files, Debian's tracker, Alpine's secdb.

use super::osv::Osv;
use super::weights::{self, Weighed};
use super::{Advisory, rustsec, secdb, tracker, zip};
use base::files::{FileError, read_up_to};
use base::{Finding, Place, Severity};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A single file is at most this long; Debian's tracker has about 70 MB.
const LARGEST_FILE: usize = 512 << 20;
/// A file longer than this is no single advisory but a database, as Debian's tracker is one.
const LARGEST_ADVISORY: usize = 4 << 20;
/// Folders deeper than this are not searched.
const DEEPEST: usize = 32;

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// The advisories, in the order of their ids; the same id twice is once here, with the packages of both.
    pub advisories: Vec<Advisory>,
    /// How many files were looked at.
    pub files: usize,
    /// How many advisories were withdrawn.
    pub withdrawn: usize,
    /// What could not be read, by file.
    pub unread: Vec<Finding>,
    /// Opinions of advisories about nothing that Wharf reads, for those that have none of their own.
    weighed: Vec<Weighed>,
    /// Which of these are whole sources: an archive without its end, a file that was named, a file of many advisories. Without them an index has a hole.
    pub lost: Vec<String>,
}

/// Reads everything below some paths, with as many threads as there are processors.
///
/// # Errors
/// When a path that was named is not there, or a folder cannot be listed. What is wrong with a single file is told in [`Read::unread`].
pub fn read(paths: &[PathBuf]) -> Result<Read, FileError> {
    let (mut files, mut all) = (Vec::new(), Read::default());
    for path in paths {
        let kind = fs::metadata(path).map_err(|error| FileError::new("read", path, error))?;
        if kind.is_dir() { search(path, 0, &mut files, &mut all)? } else { files.push(path.clone()) }
    }
    files.sort();
    let (next, threads) = (AtomicUsize::new(0), std::thread::available_parallelism().map_or(1, usize::from).min(16));
    let parts: Vec<Read> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(|| some(&files, paths, &next))).collect();
        // What a thread had read must not be missing without a word.
        started.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    all.files = files.len();
    for part in parts {
        all.take(part);
    }
    all.lost.sort();
    all.unread.sort_by(|a, b| a.place.cmp(&b.place).then_with(|| a.message.cmp(&b.message)));
    all.advisories
        .sort_by(|a, b| a.id.cmp(&b.id).then_with(|| a.summary.cmp(&b.summary)).then_with(|| a.affected.len().cmp(&b.affected.len())));
    all.advisories.dedup_by(|later, first| later.id == first.id && merge(first, later));
    all.lend();
    Ok(all)
}

/// Puts what a second document of the same id says into the first.
fn merge(first: &mut Advisory, later: &mut Advisory) -> bool {
    for affected in std::mem::take(&mut later.affected) {
        if !first.affected.contains(&affected) {
            first.affected.push(affected);
        }
    }
    for (list, more) in [(&mut first.aliases, &mut later.aliases), (&mut first.upstream, &mut later.upstream)] {
        list.append(more);
        list.sort();
        list.dedup();
    }
    first.ratings.append(&mut later.ratings);
    first.ratings.sort();
    first.ratings.dedup();
    true
}

fn search(folder: &Path, depth: usize, files: &mut Vec<PathBuf>, read: &mut Read) -> Result<(), FileError> {
    let failed = |error| FileError::new("list", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, link) = (entry.path(), entry.file_type().map_err(failed)?.is_symlink());
        if entry.file_name().as_encoded_bytes().first() == Some(&b'.') {
            continue;
        }
        let is_wanted = path.extension().is_some_and(|end| ["json", "yaml", "yml", "md", "zip"].iter().any(|known| end == *known));
        match fs::metadata(&path) {
            Ok(kind) if kind.is_dir() && link => read.wrong(&path.display().to_string(), "links to folders are not followed".to_owned()),
            Ok(kind) if kind.is_dir() && depth >= DEEPEST => {
                read.wrong(&path.display().to_string(), format!("folders deeper than {DEEPEST} are not searched"));
            }
            Ok(kind) if kind.is_dir() => search(&path, depth + 1, files, read)?,
            Ok(kind) if kind.is_file() && is_wanted => files.push(path),
            Err(error) if is_wanted => read.wrong(&path.display().to_string(), error.to_string()),
            _ => {}
        }
    }
    Ok(())
}

/// Reads the files that no other thread has taken; those that were `named` are sources of their own.
fn some(files: &[PathBuf], named: &[PathBuf], next: &AtomicUsize) -> Read {
    let mut read = Read::default();
    while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        let name = path.display().to_string();
        let mut inner = Read::default();
        let is_whole = match read_up_to(path, LARGEST_FILE) {
            Err(error) => {
                inner.wrong(&name, error.to_string());
                false
            }
            Ok(bytes) if bytes.starts_with(b"PK") || path.extension().is_some_and(|end| end == "zip") => archive(&name, &bytes, &mut inner),
            Ok(bytes) => {
                document(&name, &bytes, &mut inner);
                let is_one = bytes.len() <= LARGEST_ADVISORY && !named.contains(path);
                is_one || inner.unread.is_empty() || !inner.advisories.is_empty()
            }
        };
        read.take(inner);
        if !is_whole {
            read.lost.push(name);
        }
    }
    read
}

/// The documents of a zip archive; whether all of it was there to be read, and some of it could be.
fn archive(name: &str, bytes: &[u8], read: &mut Read) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    let done = zip::each(bytes, |entry, content| {
        let entry = format!("{name}/{entry}");
        match content {
            Ok(content) => {
                good += 1;
                document(&entry, content, read);
            }
            Err(why) => {
                bad += 1;
                read.wrong(&entry, why);
            }
        }
    });
    if let Err(why) = &done {
        read.wrong(name, format!("this zip archive cannot be read: {why}"));
    }
    done.is_ok() && (good > 0 || bad == 0)
}

/// One document, by its name's ending. What is no advisory (a README, a schema) is passed over.
pub fn document(name: &str, bytes: &[u8], read: &mut Read) {
    let Ok(text) = std::str::from_utf8(bytes) else { return read.wrong(name, "it is not UTF-8".to_owned()) };
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "md" if rustsec::is_advisory(text) && !is_of_rust_itself(name) => match rustsec::read(text) {
            Ok(advisory) => read.found(advisory),
            Err(why) => read.wrong(name, why),
        },
        "yaml" | "yml" if text.lines().any(|line| line.starts_with("id:")) => match serde_saphyr::from_str::<Osv>(text) {
            Ok(osv) => read.osv(name, osv),
            Err(error) => read.wrong(name, super::osv::one_line(&error.to_string())),
        },
        "yaml" | "yml" if text.lines().any(|line| line.starts_with("distroversion:")) => match serde_saphyr::from_str::<secdb::Secdb>(text)
        {
            Ok(found) => read.several(name, secdb::read(found)),
            Err(error) => read.wrong(name, super::osv::one_line(&error.to_string())),
        },
        "json" => json(name, text, read),
        _ => {}
    }
}

/// RustSec keeps what concerns the compiler and its library in a folder `rust`; these are no crates.
fn is_of_rust_itself(name: &str) -> bool {
    Path::new(name).parent().and_then(Path::parent).and_then(Path::file_name).is_some_and(|folder| folder == "rust")
}

fn json(name: &str, text: &str, read: &mut Read) {
    let begins = text.trim_start();
    if !begins.starts_with('{') {
        return;
    }
    let osv = match serde_json::from_str::<Osv>(text) {
        Ok(osv) => return read.osv(name, osv),
        Err(error) => error,
    };
    match serde_json::from_str::<Value>(text) {
        Err(error) => read.wrong(name, error.to_string()),
        Ok(value) if value.get("distroversion").is_some() => match serde_json::from_value::<secdb::Secdb>(value) {
            Ok(found) => read.several(name, secdb::read(found)),
            Err(error) => read.wrong(name, error.to_string()),
        },
        Ok(value) if is_tracker(&value) => match serde_json::from_value::<tracker::Tracker>(value) {
            Ok(found) => read.several(name, tracker::read(found)),
            Err(error) => read.wrong(name, error.to_string()),
        },
        Ok(value) if value.get("affected").is_some() => read.wrong(name, osv.to_string()),
        Ok(_) => {}
    }
}

/// The first package's first vulnerability has releases.
fn is_tracker(value: &Value) -> bool {
    let first = |value: &Value| value.as_object().and_then(|map| map.values().next()).cloned();
    first(value).as_ref().and_then(first).is_some_and(|entry| entry.get("releases").is_some_and(Value::is_object))
}

impl Read {
    fn osv(&mut self, name: &str, osv: Osv) {
        let read = osv.read();
        read.unread.into_iter().for_each(|why| self.wrong(name, why));
        self.found(read.advisory);
    }

    fn several(&mut self, name: &str, (advisories, unread): (Vec<Advisory>, Vec<String>)) {
        unread.into_iter().for_each(|why| self.wrong(name, why));
        self.advisories.extend(advisories);
    }

    fn found(&mut self, advisory: Option<Advisory>) {
        match advisory {
            // One about nothing that Wharf reads would only take room in the index.
            Some(advisory) if advisory.affected.is_empty() => self.weighed.extend(Weighed::of(&advisory)),
            Some(advisory) => self.advisories.push(advisory),
            None => self.withdrawn += 1,
        }
    }

    /// Hands the opinions of all on to those that nobody weighed.
    pub(super) fn lend(&mut self) {
        weights::lend(&mut self.advisories, std::mem::take(&mut self.weighed));
    }

    fn take(&mut self, other: Self) {
        self.advisories.extend(other.advisories);
        self.withdrawn += other.withdrawn;
        self.unread.extend(other.unread);
        self.weighed.extend(other.weighed);
        self.lost.extend(other.lost);
    }

    fn wrong(&mut self, name: &str, why: String) {
        let place = Place { file: Some(name.to_owned()), ..Place::default() };
        self.unread.push(Finding::new("advisory", Severity::Warning, place, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_known_by_its_content() {
        let mut read = Read::default();
        let range = r#""affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1.0.0"]}]"#;
        document("x/GHSA-1.json", format!("{{\"id\":\"GHSA-1\",{range}}}").as_bytes(), &mut read);
        document("x/a.yaml", b"id: PYSEC-1\naffected:\n- package: {ecosystem: PyPI, name: b}\n  versions: [\"1\"]\n", &mut read);
        document("crates/time/R.md", b"```toml\n[advisory]\nid = \"R\"\npackage = \"time\"\n[versions]\n```\n# t\n", &mut read);
        document("rust/std/R.md", b"```toml\n[advisory]\nid = \"S\"\npackage = \"std\"\n[versions]\n```\n# t\n", &mut read);
        document("d.json", br#"{"p":{"CVE-1":{"releases":{"bookworm":{"status":"open","urgency":"low"}}}}}"#, &mut read);
        document("a.json", br#"{"distroversion":"v3.20","packages":[{"pkg":{"name":"p","secfixes":{"1-r1":["CVE-2"]}}}]}"#, &mut read);
        let yaml = "---\ndistroversion: v3.11\npackages:\n  - pkg:\n      name: p\n      secfixes:\n        2.10-r0:\n          - CVE-3\n";
        document("main.yaml", yaml.as_bytes(), &mut read);
        let ids: Vec<&str> = read.advisories.iter().map(|advisory| advisory.id.as_str()).collect();
        assert_eq!(ids, ["GHSA-1", "PYSEC-1", "R", "CVE-1", "CVE-2", "CVE-3"]);
        for other in ["README.md", "package.json", "list.json", "workflow.yaml"] {
            document(other, b"[]", &mut read);
        }
        assert!(read.unread.is_empty(), "{:?}", read.unread);
        document("b.json", b"{", &mut read);
        document("c.json", br#"{"id":1,"affected":[]}"#, &mut read);
        assert_eq!(read.unread.len(), 2);
    }

    #[test]
    fn a_source_that_cannot_be_read_is_lost_and_a_single_advisory_is_told() {
        let folder = std::env::temp_dir().join(format!("wharf-sources-{}", base::ids::suffix(8)));
        fs::create_dir_all(folder.join("more")).expect("made");
        let good = r#"{"id":"X","affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1.0.0"]}]}"#;
        for (file, text) in
            [("more/cut.zip", "PK\u{3}\u{4} and no end"), ("more/empty.zip", ""), ("more/one.json", "{"), ("good.json", good)]
        {
            fs::write(folder.join(file), text).expect("written");
        }
        std::os::unix::fs::symlink("../good.json", folder.join("more/link.json")).expect("linked");
        std::os::unix::fs::symlink("nowhere", folder.join("more/broken.json")).expect("linked");
        std::os::unix::fs::symlink("..", folder.join("more/up")).expect("linked");
        fs::write(folder.join("more/tracker.json"), format!("{{{}", " ".repeat(LARGEST_ADVISORY))).expect("written");
        let of = |path: &Path| {
            let read = read(&[path.to_path_buf()]).expect("read");
            let short = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
            let unread: Vec<String> = read.unread.iter().map(|told| short(&told.place.to_string())).collect();
            (read.advisories.len(), unread.join(" "), read.lost.iter().map(|name| short(name)).collect::<Vec<_>>().join(" "))
        };
        let told = "broken.json cut.zip empty.zip one.json tracker.json up".to_owned();
        let whole = of(&folder.join("more"));
        let (one, good) = (of(&folder.join("more/one.json")), of(&folder.join("good.json")));
        let _ = fs::remove_dir_all(&folder);
        // The link to a file is followed.
        assert_eq!(whole, (1, told, "cut.zip empty.zip tracker.json".to_owned()));
        // Named by itself it is all that was asked for.
        assert_eq!(one, (0, "one.json".to_owned(), "one.json".to_owned()));
        assert_eq!(good, (1, String::new(), String::new()));
    }

    #[test]
    fn the_same_id_twice_is_once_with_both_packages() {
        let folder = std::env::temp_dir().join(format!("wharf-sources-{}", base::ids::suffix(8)));
        fs::create_dir_all(&folder).expect("made");
        for (file, package) in [("a.json", "a"), ("b.json", "b"), ("c.json", "a")] {
            let text = format!(r#"{{"id":"X","affected":[{{"package":{{"ecosystem":"npm","name":"{package}"}},"versions":["1.0.0"]}}]}}"#);
            fs::write(folder.join(file), text).expect("written");
        }
        let read = read(std::slice::from_ref(&folder)).expect("read");
        let _ = fs::remove_dir_all(&folder);
        assert_eq!((read.advisories.len(), read.advisories[0].affected.len(), read.files), (1, 2, 3));
    }
}
