//! The advisories of this machine: one index below the home, taken only from who is trusted, and never an older one.
//!
//! `advisories/state.json` says which file beside it is in use; it is replaced in one step, so that a reader has the old index or the new.

use crate::context::Context;
use crate::settings::{self, PROJECT_FILE, Settings};
use base::files::{FileError, make_folder, read_if_exists, write_atomically};
use base::{Clock, Problem, ProblemKind, SystemClock, Timestamp};
use oci::signature::{PublicKey, key_pair, public_key, shown};
use scanner::advisories::index::{Index, IndexError, Trust};
use scanner::advisories::trust::{Seen, Taken, decide};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What is known of this machine's indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The one in use.
    pub current: Option<Installed>,
    /// The last of each publisher, by key.
    #[serde(default)]
    pub seen: BTreeMap<String, Seen>,
    /// Keys that somebody said to trust here.
    #[serde(default)]
    pub trusted: Vec<String>,
}

/// The index in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The file beside the state.
    pub file: String,
    /// Who signed it: a public key as ssh writes it.
    pub key: String,
    /// Where it came from.
    pub from: String,
    /// When it was installed.
    pub at: Timestamp,
}

/// Where a home keeps them. What wants to know of a change watches `state.json` there.
pub fn folder(home: &Path) -> PathBuf {
    home.join("advisories")
}

/// What is known of a home's indexes.
///
/// # Errors
/// When it cannot be read.
pub fn state(home: &Path) -> Result<State, Problem> {
    let path = folder(home).join("state.json");
    let Some(bytes) = read_if_exists(&path).map_err(host)? else { return Ok(State::default()) };
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::new(ProblemKind::Host, format!("`{}` cannot be read: {error}", path.display()))
            .hint("remove it, and build or fetch the advisories again")
    })
}

/// The index in use; none where there is none yet. Where a project names keys, only theirs count.
///
/// # Errors
/// When it is damaged, or signed by nobody who is trusted.
pub fn open(home: &Path, keys: &[String]) -> Result<Option<Index>, Problem> {
    let opened = |current: &Installed| {
        let trusted = read_keys(if keys.is_empty() { std::slice::from_ref(&current.key) } else { keys })?;
        Index::open(&folder(home).join(&current.file), Trust::Keys(&trusted)).map_err(problem)
    };
    let Some(current) = state(home)?.current else { return Ok(None) };
    match opened(&current) {
        // Another took its place in between.
        Err(_) if state(home)?.current.is_some_and(|now| now != current) => state(home)?.current.as_ref().map(opened).transpose(),
        done => done.map(Some),
    }
}

/// The same, where a command cannot do without.
///
/// # Errors
/// As [`open`], and when there is none.
pub fn needed(home: &Path, keys: &[String]) -> Result<Index, Problem> {
    open(home, keys)?.ok_or_else(|| {
        Problem::new(ProblemKind::Host, "this machine has no advisories")
            .hint("`wharf advisories update REFERENCE` fetches an index, `wharf advisories build --from FOLDER` makes one")
    })
}

/// Puts an index in place of the one in use, where it may be.
///
/// # Errors
/// When nobody who is trusted signed it, when a byte of it is not what was signed, when it is older than one that was taken, or stale.
pub fn install(context: &Context, bytes: &[u8], from: &str, keys: &[String]) -> Result<(Index, Taken), Problem> {
    let trusted = trusted(&context.home, keys)?;
    let index = Index::from_bytes(bytes.to_vec(), Trust::Keys(&trusted)).map_err(problem)?;
    index.check().map_err(problem)?;
    let mut state = state(&context.home)?;
    let key = text(index.key())?;
    let (now, digest) = (SystemClock.now(), index.digest());
    let decided = decide(state.seen.get(&key), index.head(), &digest, now);
    let taken = decided.map_err(|why| Problem::new(ProblemKind::Target, why.to_string()).hint("the index in use stays as it is"))?;
    let folder = folder(&context.home);
    make_folder(&folder, 0o700).map_err(host)?;
    let file = format!("index-{}", digest.hex());
    // Also where it is in use already: what lies there may have been damaged.
    write_atomically(&folder.join(&file), bytes, 0o600).map_err(host)?;
    state.seen.insert(key.clone(), Seen { sequence: index.head().sequence, digest });
    state.current = Some(Installed { file: file.clone(), key, from: from.to_owned(), at: now });
    save(&context.home, &state)?;
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("index-") && *name != *file {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok((index, taken))
}

/// Trusts a key on this machine from now on.
///
/// # Errors
/// When it is no key, or the home cannot be written.
pub fn trust(context: &Context, key: &str) -> Result<(), Problem> {
    let read = public_key(key).map_err(|why| Problem::new(ProblemKind::Usage, why))?;
    let mut state = state(&context.home)?;
    let key = text(&read)?;
    if !state.trusted.contains(&key) {
        state.trusted.push(key);
        save(&context.home, &state)?;
    }
    context.output.say(&format!("indexes signed by {} are trusted here", shown(&read)));
    Ok(())
}

/// This machine's own key to sign indexes with, made where there is none.
///
/// # Errors
/// When it cannot be read or written.
pub fn own_key(context: &Context) -> Result<String, Problem> {
    let folder = folder(&context.home);
    let path = folder.join("key");
    if let Some(bytes) = read_if_exists(&path).map_err(host)? {
        return String::from_utf8(bytes).map_err(|_| Problem::new(ProblemKind::Host, format!("`{}` is no key", path.display())));
    }
    let (private, public) =
        key_pair(base::ids::random(), "wharf-advisories").map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
    make_folder(&folder, 0o700)
        .and_then(|()| write_atomically(&folder.join("key.pub"), public.as_bytes(), 0o644))
        .and_then(|()| write_atomically(&path, private.as_bytes(), 0o600))
        .map_err(host)?;
    Ok(private)
}

/// The settings of the project that a command is in, where it is in one.
///
/// # Errors
/// When they are wrong.
pub fn settings_here(context: &Context) -> Result<Option<(Settings, PathBuf)>, Problem> {
    let folder = context.project_folder(None)?;
    if !folder.join(PROJECT_FILE).is_file() && context.globals.set.is_empty() {
        return Ok(None);
    }
    let read = settings::load(&folder, &context.globals.set)
        .map_err(|findings| Problem::new(ProblemKind::Usage, "the settings have errors").with_findings(findings))?;
    Ok(Some((read.settings, folder)))
}

/// What is wrong with an index, as the user is told it.
pub fn problem(error: IndexError) -> Problem {
    let message = error.to_string();
    match error {
        IndexError::File(_) => Problem::new(ProblemKind::Host, message),
        IndexError::Foreign(_) | IndexError::Format(_) => {
            Problem::new(ProblemKind::Usage, message).hint("`wharf advisories build` makes one")
        }
        IndexError::Signature(_) | IndexError::Damaged(_) => {
            Problem::new(ProblemKind::Target, message).hint("`wharf advisories update` fetches it again")
        }
        IndexError::Untrusted(_) => Problem::new(ProblemKind::Target, message).hint(
            "`wharf advisories update --trust KEY` trusts a key on this machine, `advisories: { keys: [...] }` in wharf.yaml for a project",
        ),
        IndexError::Sign(_) | IndexError::TooLarge => Problem::new(ProblemKind::Usage, message),
    }
}

/// Who is trusted: whom the project names; without names this machine's own key and those that it was told to trust.
fn trusted(home: &Path, keys: &[String]) -> Result<Vec<PublicKey>, Problem> {
    if !keys.is_empty() {
        return read_keys(keys);
    }
    let own = read_if_exists(&folder(home).join("key.pub")).map_err(host)?;
    let own = own.and_then(|bytes| String::from_utf8(bytes).ok());
    read_keys(&own.into_iter().chain(state(home)?.trusted).collect::<Vec<String>>())
}

fn read_keys(keys: &[String]) -> Result<Vec<PublicKey>, Problem> {
    keys.iter().map(|key| public_key(key).map_err(|why| Problem::new(ProblemKind::Usage, why))).collect()
}

fn text(key: &PublicKey) -> Result<String, Problem> {
    key.to_openssh().map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))
}

fn save(home: &Path, state: &State) -> Result<(), Problem> {
    let bytes = serde_json::to_vec_pretty(state).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
    make_folder(&folder(home), 0o700).and_then(|()| write_atomically(&folder(home).join("state.json"), &bytes, 0o600)).map_err(host)
}

fn host(error: FileError) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string()).hint("make room or rights there, or pass another home with `--home DIR`")
}
