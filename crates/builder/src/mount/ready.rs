//! Mounts made ready for a step that runs: copies taken, caches locked, secrets read.

use super::{Found, Planned, What};
use crate::caches::{Identity, Lease};
use crate::error::Trouble;
use crate::isolate::{RunMount, RunSource};
use crate::mask::Mask;
use crate::secret::{Hidden, Secret};
use crate::stage::{Shared, trees};
use crate::take::{Owners, Taking, Times, take};
use base::files::{FileError, make_folder};
use dockerfile::Sharing;
use oci::Digest;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// What a step gets; caches are its own, as far as asked for, while this lives.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub mounts: Vec<RunMount>,
    /// Secrets as variables, and where an agent listens.
    pub env: Vec<(String, String)>,
    pub mask: Mask,
    /// What to do when the step fails; may be empty.
    pub hint: String,
    leases: BTreeMap<Digest, Lease>,
}

impl Ready {
    /// Makes mounts ready; copies are made in the folder `temp`.
    pub(crate) fn of(planned: &[Planned<'_>], shared: &Shared<'_>, temp: &Path) -> Result<Self, Trouble> {
        let mut ready = Self::default();
        let remembers = planned.iter().any(Planned::remembers);
        let times = if remembers { Times::Own } else { Times::All(shared.layer_time) };
        ready.take_caches(planned, shared)?;
        let mut secrets = Vec::new();
        for (number, mount) in planned.iter().enumerate() {
            let place = temp.join(format!("mount-{number}"));
            if let Some(source) = ready.source(mount, shared, place, times, &mut secrets)? {
                ready.mounts.push(RunMount { source, target: mount.target.clone(), read_only: mount.read_only });
            }
        }
        ready.mask = Mask::new(secrets.iter());
        Ok(ready)
    }

    fn source(
        &mut self,
        mount: &Planned<'_>,
        shared: &Shared<'_>,
        place: PathBuf,
        times: Times,
        secrets: &mut Vec<Hidden>,
    ) -> Result<Option<RunSource>, Trouble> {
        Ok(match &mount.what {
            What::Folder(found) => Some(folder(found, mount.read_only, place, times)?),
            What::Tmpfs { size_bytes } => Some(RunSource::Tmpfs { size_bytes: *size_bytes }),
            What::Cache { identity, below, .. } => {
                let lease = self.leases.get(&identity.digest()).ok_or_else(|| Trouble::new("a cache mount was not taken"))?;
                Some(RunSource::Below { base: lease.data.clone(), path: below.clone() })
            }
            What::Secret { id, env, is_file, required, mode, uid, gid } => {
                let Some(content) = secret(id, *required, shared)? else { return Ok(None) };
                secrets.push(content.clone());
                if let Some(name) = env {
                    let value = String::from_utf8(content.0.clone()).ok().filter(|value| !value.contains('\0'));
                    let value = value.ok_or_else(|| Trouble::new(format!("the secret `{id}` is no text, and cannot be a variable")))?;
                    self.env.push((name.clone(), value));
                }
                is_file.then_some(RunSource::Secret { content, mode: *mode, uid: *uid, gid: *gid })
            }
            What::Agent { id, is_first, required, mode, uid, gid } => {
                let Some(socket) = agent(id, *required, shared)? else {
                    self.hint = format!("the step asks for the ssh agent `{id}`: {}", agent_help(id));
                    return Ok(None);
                };
                if *is_first {
                    self.env.push(("SSH_AUTH_SOCK".to_owned(), mount.target.clone()));
                }
                Some(RunSource::Agent { socket, mode: *mode, uid: *uid, gid: *gid })
            }
        })
    }

    /// Takes all caches of the step, each once, and in an order that is everybody's: two steps never wait for each other.
    fn take_caches(&mut self, planned: &[Planned<'_>], shared: &Shared<'_>) -> Result<(), Trouble> {
        let mut wanted: BTreeMap<Digest, (&Identity, Sharing, Option<&Found<'_>>)> = BTreeMap::new();
        for mount in planned {
            let What::Cache { identity, begins, sharing, .. } = &mount.what else { continue };
            let entry = wanted.entry(identity.digest()).or_insert((identity, *sharing, begins.as_deref()));
            // Where a step says two things of one cache, the stricter counts.
            if entry.1 == Sharing::Shared {
                entry.1 = *sharing;
            }
        }
        for (digest, (identity, sharing, begins)) in wanted {
            let stop = || shared.stopped.load(Ordering::Relaxed);
            let lease = identity.take(shared.store, sharing, &stop, &|place| fill(place, identity, begins))?;
            let stopped = || Trouble { stopped: true, ..Trouble::new("another stage failed") };
            self.leases.insert(digest, lease.ok_or_else(stopped)?);
            shared.filled.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A new cache's folder.
fn fill(place: &Path, identity: &Identity, begins: Option<&Found<'_>>) -> Result<(), Trouble> {
    let Some(begins) = begins else {
        let (mode, uid, gid) = identity.folder;
        make_folder(place, 0o700)?;
        let set = || {
            chown(place, Some(uid), Some(gid))?;
            fs::set_permissions(place, fs::Permissions::from_mode(mode))
        };
        return Ok(set().map_err(|error| FileError::new("prepare", place, error))?);
    };
    let origin = begins.origin();
    take(&origin, &origin.with_below(begins.picked())?, place, Taking { times: Times::Own, owners: Owners::Kept }).map(drop)
}

fn folder(found: &Found<'_>, read_only: bool, place: PathBuf, times: Times) -> Result<RunSource, Trouble> {
    let Found::Layers { source, picked, .. } = found else {
        // A copy: what `.dockerignore` leaves out is not there, and nothing that the step writes comes back.
        return Ok(RunSource::Path(take(&found.origin(), found.picked(), &place, Taking { times, owners: Owners::Kept })?));
    };
    let mut layers = trees(&source.layers);
    if let ([only], true) = (layers.as_slice(), read_only) {
        return Ok(RunSource::Path(if picked.path.is_root() {
            only.clone()
        } else {
            only.join(OsStr::from_bytes(picked.path.as_bytes()))
        }));
    }
    make_folder(&place, 0o755)?;
    if layers.is_empty() {
        let empty = place.with_extension("empty");
        make_folder(&empty, 0o755)?;
        layers.push(empty);
    }
    Ok(RunSource::Layers { layers, place, path: super::text(picked) })
}

fn secret(id: &str, required: bool, shared: &Shared<'_>) -> Result<Option<Hidden>, Trouble> {
    match shared.request.secrets.get(id) {
        Some(Secret::Missing(why)) if !required => {
            shared.warn(format!("the secret `{id}` is not here: {why}; the step runs without it"));
            Ok(None)
        }
        Some(secret) => secret.read(id).map(Some),
        None if required => Err(Trouble::new(format!("the secret `{id}` was not given"))
            .hint(format!("pass `--secret id={id},src=FILE`, or `--secret id={id},env=NAME`"))),
        None => {
            shared.warn(format!("the secret `{id}` was not given; the step runs without it"));
            Ok(None)
        }
    }
}

/// As docker, which goes on without an agent that is not required: many a step uses it only where it is there.
fn agent(id: &str, required: bool, shared: &Shared<'_>) -> Result<Option<PathBuf>, Trouble> {
    match shared.request.agents.get(id) {
        Some(socket) => Ok(Some(socket.clone())),
        None if required => Err(Trouble::new(format!("the ssh agent `{id}` was not given")).hint(agent_help(id))),
        None => {
            shared.warn(format!("the ssh agent `{id}` was not given; the step runs without it"));
            Ok(None)
        }
    }
}

fn agent_help(id: &str) -> String {
    format!("pass `--ssh {id}` for the keys of your agent, or `--ssh {id}=KEY` for those of a file")
}
