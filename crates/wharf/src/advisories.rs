//! The advisories of this machine: an index below the home, taken only from who is trusted, and never an older one; for projects that name keys
//! one of their own.
//!
//! `advisories/state.json` says which file beside it is in use; it is replaced in one step, so that a reader has the old index or the new, and
//! by one process at a time.

mod state;

use crate::context::Context;
use crate::settings::{self, PROJECT_FILE, Settings};
use base::files::{FileError, read_if_exists, write_atomically};
use base::{Clock, Problem, ProblemKind, SystemClock};
use oci::signature::{PublicKey, key_pair, public_key, shown, sign, verify};
use scanner::advisories::index::{Index, IndexError, NAMESPACE, Trust};
use scanner::advisories::trust::{Seen, Taken, decide};
use std::path::{Path, PathBuf};

pub use state::{Alone, Installed, State};

/// The comment of this machine's own key.
const OWN: &str = "wharf-advisories";

/// Where a home keeps them. What wants to know of a change watches `state.json` there.
pub fn folder(home: &Path) -> PathBuf {
    home.join("advisories")
}

/// The index in use; none where there is none yet. Where a project names keys, only theirs count; else those that this machine trusts.
///
/// # Errors
/// When it is damaged, or signed by nobody who is trusted.
pub fn open(home: &Path, keys: &[String]) -> Result<Option<Index>, Problem> {
    let named = read_keys(keys)?;
    let opened = |state: &State| {
        let Some(installed) = state.of(&named) else { return Ok(None) };
        let trusted = if named.is_empty() { of_machine(home, state)? } else { named.clone() };
        Index::open(&folder(home).join(&installed.file), Trust::Keys(&trusted)).map(Some).map_err(problem)
    };
    let state = State::load(home)?;
    match opened(&state) {
        // Another took its place in between.
        Err(problem) => {
            let now = State::load(home)?;
            if now.of(&named) == state.of(&named) { Err(problem) } else { opened(&now) }
        }
        done => done,
    }
}

/// What is known of the index that [`open`] opens.
///
/// # Errors
/// When it cannot be read.
pub fn installed(home: &Path, keys: &[String]) -> Result<Option<Installed>, Problem> {
    Ok(State::load(home)?.of(&read_keys(keys)?).cloned())
}

/// As [`open`], where a command cannot do without.
///
/// # Errors
/// As [`open`], and when there is none.
pub fn needed(home: &Path, keys: &[String]) -> Result<Index, Problem> {
    open(home, keys)?.ok_or_else(|| {
        Problem::new(ProblemKind::Host, "this machine has no advisories")
            .hint("`wharf advisories update REFERENCE` fetches an index, `wharf advisories build --from FOLDER` makes one")
    })
}

/// Puts an index in place of the one in use, where it may be: for who names the same keys where a project names some, else for this machine.
///
/// # Errors
/// When nobody who is trusted signed it, when a byte of it is not what was signed, when it is older than one that was taken, or stale.
pub fn install(context: &Context, alone: &Alone, bytes: &[u8], from: &str, keys: &[String]) -> Result<(Index, Taken), Problem> {
    let home = &context.home;
    let (named, mut state) = (read_keys(keys)?, State::load(home)?);
    let machine = of_machine(home, &state)?;
    let index = Index::from_bytes(bytes.to_vec(), Trust::Keys(if named.is_empty() { &machine } else { &named })).map_err(problem)?;
    index.check().map_err(problem)?;
    let key = state::text(index.key());
    let (now, digest) = (SystemClock.now(), index.digest());
    let decided = decide(state.seen.get(&key), index.head(), &digest, now);
    decided.map_err(|why| Problem::new(ProblemKind::Target, why.to_string()).hint("the index in use stays as it is"))?;
    let file = format!("index-{}", digest.hex());
    // Also where it is in use already: what lies there may have been damaged.
    write_atomically(&folder(home).join(&file), bytes, 0o600).map_err(host)?;
    // A project's keys are no reason for others to trust them; what comes from the machine's own publisher is the machine's too.
    let is_trusted = || machine.iter().any(|trusted| state::text(trusted) == key);
    let is_own = || is_trusted() && state.current.as_ref().is_none_or(|current| current.key == key);
    let is_for_machine = named.is_empty() || is_own();
    state.seen.insert(key.clone(), Seen { sequence: index.head().sequence, digest });
    let was = state.put(&named, is_for_machine, &Installed { file, key, from: from.to_owned(), at: now });
    state.save(home, alone)?;
    state.clean(home, alone);
    Ok((index, if was { Taken::Same } else { Taken::New }))
}

/// The number of the next index that a key signs: the time in seconds, and higher than that of the last one here.
///
/// # Errors
/// When the key or what is known of the last one cannot be read.
pub fn next_number(context: &Context, private: &str) -> Result<u64, Problem> {
    let last = State::load(&context.home)?.seen.get(&state::text(&public(private)?)).map(|seen| seen.sequence);
    let now = u64::try_from(SystemClock.now().seconds()).unwrap_or_default();
    Ok(last.map_or(now, |last| now.max(last.saturating_add(1))))
}

/// Trusts a key on this machine from now on.
///
/// # Errors
/// When it is no key, or the home cannot be written.
pub fn trust(context: &Context, key: &str) -> Result<(), Problem> {
    let read = public_key(key).map_err(|why| Problem::new(ProblemKind::Usage, why))?;
    let alone = Alone::in_home(&context.home)?;
    let mut state = State::load(&context.home)?;
    if !read_keys(&state.trusted)?.iter().any(|known| known.key_data() == read.key_data()) {
        state.trusted.push(read.to_openssh().map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?);
        state.save(&context.home, &alone)?;
    }
    context.output.say(&format!("indexes signed by {} are trusted here", shown(&read)));
    Ok(())
}

/// This machine's own key to sign indexes with, made where there is none. Its public half lies beside it for others; here it follows from it.
///
/// # Errors
/// When it cannot be read or written.
pub fn own_key(context: &Context, _alone: &Alone) -> Result<String, Problem> {
    let folder = folder(&context.home);
    let private = match own(&context.home)? {
        Some(private) => private,
        None => {
            let made = key_pair(base::ids::random(), OWN).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
            write_atomically(&folder.join("key"), made.0.as_bytes(), 0o600).map_err(host)?;
            made.0
        }
    };
    let public = public(&private)?.to_openssh().map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
    let path = folder.join("key.pub");
    if read_if_exists(&path).map_err(host)?.as_deref() != Some(public.as_bytes()) {
        write_atomically(&path, public.as_bytes(), 0o644).map_err(host)?;
    }
    Ok(private)
}

fn own(home: &Path) -> Result<Option<String>, Problem> {
    let path = folder(home).join("key");
    let Some(bytes) = read_if_exists(&path).map_err(host)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| Problem::new(ProblemKind::Host, format!("`{}` is no key", path.display())))
}

/// The public half of a private key: whose signature its own is.
fn public(private: &str) -> Result<PublicKey, Problem> {
    let signature = sign(NAMESPACE, b"", private).map_err(|error| problem(error.into()))?;
    let mut key = verify(NAMESPACE, b"", &signature).map_err(|why| Problem::new(ProblemKind::Defect, why))?;
    key.set_comment(OWN);
    Ok(key)
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

/// Whom this machine trusts: its own key and those that it was told to trust.
fn of_machine(home: &Path, state: &State) -> Result<Vec<PublicKey>, Problem> {
    let mut keys = read_keys(&state.trusted)?;
    if let Some(private) = own(home)? {
        keys.insert(0, public(&private)?);
    }
    Ok(keys)
}

fn read_keys(keys: &[String]) -> Result<Vec<PublicKey>, Problem> {
    keys.iter().map(|key| public_key(key).map_err(|why| Problem::new(ProblemKind::Usage, why))).collect()
}

fn host(error: FileError) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string()).hint("make room or rights there, or pass another home with `--home DIR`")
}
