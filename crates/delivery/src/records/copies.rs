//! This machine's own copies of records and ledgers, by project and environment: what serves in one says nothing of another.
//!
//! They lie in `records/PROJECT/ENVIRONMENT/`, releases as `ID.json`, the ledger as `ledger.json`. Earlier versions kept those of all
//! environments in `records/PROJECT/`, each deploy in place of the one before; what lies there is still read, by whose it says it is.

use super::Record;
use crate::ledger::Ledger;
use base::files::{make_folder, read_if_exists, write_atomically};
use base::{Problem, ProblemKind};
use k8s::Fields;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const LEDGER: &str = "ledger";

/// The copies of one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    home: PathBuf,
    environment: String,
}

/// The releases of a project in an environment that a home has copies of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The project.
    pub project: String,
    /// The environment; empty where an earlier version did not write it down.
    pub environment: String,
    /// The ids of its releases, sorted.
    pub ids: Vec<String>,
}

impl Copies {
    /// Those of an environment below a home.
    pub fn new(home: &Path, environment: &str) -> Self {
        Self { home: home.to_owned(), environment: environment.to_owned() }
    }

    /// All that a home has, sorted by project and environment.
    ///
    /// # Errors
    /// When a folder, or a record of an earlier version, cannot be read.
    pub fn list(home: &Path) -> Result<Vec<Listed>, Problem> {
        let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        let records = home.join("records");
        for project in names(&records)? {
            let folder = records.join(&project);
            for name in names(&folder)? {
                if let Some(id) = release(&name) {
                    let Some(record) = read::<Record>(&folder.join(&name))? else { continue };
                    all.entry((project.clone(), environment(&record).to_owned())).or_default().insert(id.to_owned());
                } else if folder.join(&name).is_dir() {
                    let ids = names(&folder.join(&name))?;
                    let ids = ids.iter().filter_map(|name| release(name)).map(str::to_owned);
                    all.entry((project.clone(), decoded(&name))).or_default().extend(ids);
                }
            }
        }
        Ok(all.into_iter().map(|((project, environment), ids)| Listed { project, environment, ids: ids.into_iter().collect() }).collect())
    }

    /// The copy of a release's record. The project and the id become parts of a path: they are to be known ones.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn record(&self, project: &str, id: &str) -> Result<Option<Record>, Problem> {
        match read(&self.own(project, id))? {
            Some(record) => Ok(Some(record)),
            None => self.earlier(project, id),
        }
    }

    /// The copy of the ledger.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn ledger(&self, project: &str) -> Result<Option<Ledger>, Problem> {
        if let (false, Some(ledger)) = (self.environment.is_empty(), read(&self.own(project, LEDGER))?) {
            return Ok(Some(ledger));
        }
        // One of all environments is of the one that deployed last, as is the record of what was deployed.
        let Some(ledger) = read::<Ledger>(&self.common(project, LEDGER))? else { return Ok(None) };
        let newest = ledger.entries().last().map(|entry| self.earlier(project, &entry.release)).transpose()?.flatten();
        Ok(newest.map(|_| ledger))
    }

    /// Writes a release's record.
    pub(crate) fn write_record(&self, record: &Record) -> Result<(), Problem> {
        self.write(&record.project, &record.id, record)
    }

    /// Writes a project's ledger.
    pub(crate) fn write_ledger(&self, project: &str, ledger: &Ledger) -> Result<(), Problem> {
        self.write(project, LEDGER, ledger)
    }

    fn write(&self, project: &str, name: &str, what: &impl Serialize) -> Result<(), Problem> {
        let text = serde_json::to_vec(what).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
        let path = self.own(project, name);
        let folder = path.parent().map_or(Ok(()), |folder| make_folder(folder, 0o700));
        let written = folder.and_then(|()| write_atomically(&path, &text, 0o600));
        written.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))
    }

    /// A record of an earlier version that says it is of this environment, or of none.
    fn earlier(&self, project: &str, id: &str) -> Result<Option<Record>, Problem> {
        let record = read::<Record>(&self.common(project, id))?;
        Ok(record.filter(|record| ["", &self.environment].contains(&environment(record))))
    }

    fn own(&self, project: &str, name: &str) -> PathBuf {
        self.home.join("records").join(project).join(encoded(&self.environment)).join(format!("{name}.json"))
    }

    fn common(&self, project: &str, name: &str) -> PathBuf {
        self.home.join("records").join(project).join(format!("{name}.json"))
    }
}

fn environment(record: &Record) -> &str {
    record.notes.text("environment")
}

/// The id of a release that a file is named after.
fn release(file: &str) -> Option<&str> {
    file.strip_suffix(".json").filter(|name| *name != LEDGER)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Problem> {
    let bytes = read_if_exists(path).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
    let broken = |error: serde_json::Error| Problem::new(ProblemKind::Target, format!("`{}` is no record: {error}", path.display()));
    bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(broken)).transpose()
}

/// What is in a folder, sorted; nothing where there is none.
fn names(folder: &Path) -> Result<Vec<String>, Problem> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let host = |error: std::io::Error| Problem::new(ProblemKind::Host, format!("cannot read `{}`: {error}", folder.display()));
    let names = entries.map_err(host)?.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(host));
    let mut names = names.collect::<Result<Vec<String>, Problem>>()?;
    names.sort();
    Ok(names)
}

/// An environment may have any name, and its folder is one folder in the project's: all but letters, digits, `-` and `_` is `%` and hex.
fn encoded(environment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    environment.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn decoded(folder: &str) -> String {
    let mut parts = folder.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.split_at_checked(2).and_then(|(hex, rest)| Some((u8::from_str_radix(hex, 16).ok()?, rest))) {
            Some((byte, rest)) => bytes.extend(std::iter::once(byte).chain(rest.bytes())),
            // Not ours: as it stands.
            None => bytes.extend(std::iter::once(b'%').chain(part.bytes())),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Event;
    use base::ids;
    use serde_json::json;

    fn record(id: &str, environment: &str) -> Record {
        serde_json::from_value(json!({"id": id, "project": "shop", "namespace": "shop", "created": "2026-01-01T00:00:00Z",
            "fate": "deployed", "notes": {"environment": environment}, "objects": []}))
        .expect("a record")
    }

    fn ledger(id: &str) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.add("2026-01-01T00:00:00Z".to_owned(), Event::Deployed, id, json!({})).expect("added");
        ledger
    }

    #[test]
    fn environments_have_their_own_copies() {
        let home = std::env::temp_dir().join(format!("wharf-copies-{}", ids::suffix(8)));
        let (staging, odd) = (Copies::new(&home, "staging"), Copies::new(&home, "../eu/prod"));
        for (copies, environment, other) in [(&staging, "staging", "a"), (&odd, "../eu/prod", "b")] {
            copies.write_record(&record("same", environment)).expect("written");
            copies.write_record(&record(other, environment)).expect("written");
            copies.write_ledger("shop", &ledger(other)).expect("written");
        }
        assert_eq!(staging.record("shop", "same").expect("read"), Some(record("same", "staging")));
        assert_eq!(odd.record("shop", "same").expect("read"), Some(record("same", "../eu/prod")));
        assert_eq!((staging.record("shop", "b"), odd.record("shop", "a")), (Ok(None), Ok(None)));
        assert_eq!((staging.ledger("shop"), odd.ledger("shop")), (Ok(Some(ledger("a"))), Ok(Some(ledger("b")))));
        assert_eq!(Copies::new(&home, "local").ledger("shop"), Ok(None));
        let listed = |environment: &str, ids: [&str; 2]| Listed {
            project: "shop".to_owned(),
            environment: environment.to_owned(),
            ids: ids.map(str::to_owned).to_vec(),
        };
        assert_eq!(Copies::list(&home), Ok(vec![listed("../eu/prod", ["b", "same"]), listed("staging", ["a", "same"])]));
        std::fs::remove_dir_all(&home).expect("removed");
    }

    #[test]
    fn what_earlier_versions_wrote_is_of_the_environment_that_it_names() {
        let home = std::env::temp_dir().join(format!("wharf-copies-{}", ids::suffix(8)));
        let common = home.join("records/shop");
        std::fs::create_dir_all(&common).expect("made");
        let put = |name: &str, text: serde_json::Value| std::fs::write(common.join(name), text.to_string()).expect("written");
        put("a.json", json!(record("a", "staging")));
        put("b.json", json!(record("b", "prod")));
        put("c.json", json!(record("c", "")));
        put("ledger.json", json!(ledger("b")));
        let (staging, prod) = (Copies::new(&home, "staging"), Copies::new(&home, "prod"));
        assert_eq!((staging.record("shop", "a"), prod.record("shop", "a")), (Ok(Some(record("a", "staging"))), Ok(None)));
        assert_eq!(prod.record("shop", "c"), Ok(Some(record("c", ""))));
        // The last one who deployed was `prod`: nothing is known of the other.
        assert_eq!((staging.ledger("shop"), prod.ledger("shop")), (Ok(None), Ok(Some(ledger("b")))));
        // What is written from now on goes before.
        prod.write_ledger("shop", &ledger("new")).expect("written");
        assert_eq!(prod.ledger("shop"), Ok(Some(ledger("new"))));
        let all = Copies::list(&home).expect("listed");
        let all: Vec<(&str, Vec<String>)> = all.iter().map(|one| (one.environment.as_str(), one.ids.clone())).collect();
        assert_eq!(all, [("", vec!["c".to_owned()]), ("prod", vec!["b".to_owned()]), ("staging", vec!["a".to_owned()])]);
        std::fs::remove_dir_all(&home).expect("removed");
    }

    #[test]
    fn folders_are_named_after_environments() {
        for name in ["local", "a.b", "..", "%", "%4", "%zz", "ü/\n", "a b"] {
            assert!(!encoded(name).contains(['/', '.', '\n', ' ']), "{name}");
            assert_eq!(decoded(&encoded(name)), name);
        }
        assert_eq!((decoded("%"), decoded("%zz"), decoded("a%4")), ("%".into(), "%zz".into(), "a%4".into()));
    }
}
