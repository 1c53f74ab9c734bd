//! What the stages of a build share, and what they hand to each other.

use crate::check::Read;
use crate::context::Context;
use crate::dated::Dates;
use crate::error::Trouble;
use crate::event::BuildEvent;
use crate::outside::Outside;
use crate::request::{Request, StepReport};
use crate::scope::Scope;
use blobs::{BlobError, Image, Store, TreeLease, import_path};
use dockerfile::Stages;
use oci::{DiffId, Digest, ImageConfig, Reference};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};

/// What all stages of a build share.
pub(crate) struct Shared<'a> {
    pub request: &'a Request,
    pub read: &'a Read,
    pub stages: &'a Stages<'a>,
    pub store: &'a Store,
    pub outside: &'a Outside<'a>,
    pub report: &'a (dyn Fn(BuildEvent) + Sync),
    pub globals: Scope,
    /// Whether a step finds what an earlier one has left in a cache mount.
    pub remembers: bool,
    /// The stages that are built.
    pub needed: &'a [usize],
    pub context: Context,
    pub named: Mutex<BTreeMap<PathBuf, Arc<Context>>>,
    /// Images by the names that the Dockerfile has for them.
    pub bases: Mutex<BTreeMap<String, Arc<Mutex<Option<Outcome>>>>>,
    pub layer_time: i64,
    pub created: String,
    pub used: Mutex<BTreeSet<String>>,
    pub steps: Mutex<Vec<StepReport>>,
    /// Whether a step was done with a cache mount.
    pub filled: AtomicBool,
    /// What came out of which step.
    pub keys: Mutex<BTreeMap<Digest, Option<DiffId>>>,
    pub warnings: Mutex<Vec<String>>,
    pub stopped: AtomicBool,
    /// Held for writing by who has the terminal; all others tell nothing meanwhile.
    pub terminal: RwLock<()>,
    pub done: Mutex<BTreeMap<usize, Option<Arc<Outcome>>>>,
    pub signal: Condvar,
}

/// A finished stage.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub config: ImageConfig,
    pub layers: Vec<Layer>,
}

/// A layer that a stage stands on; nobody removes it meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub id: DiffId,
    pub lease: Arc<TreeLease>,
    /// Of a layer that this build has made; `None` for one of a base.
    pub dates: Option<Arc<Dates>>,
}

impl Shared<'_> {
    pub(crate) fn tell(&self, event: BuildEvent) {
        let _free = self.terminal.read();
        (self.report)(event);
    }

    /// What came out of a step, for other builds.
    pub(crate) fn note_key(&self, key: Digest, layer: Option<DiffId>) {
        if let Ok(mut keys) = self.keys.lock() {
            keys.insert(key, layer);
        }
    }

    pub(crate) fn use_arg(&self, name: &str) {
        if let Ok(mut used) = self.used.lock() {
            used.insert(name.to_owned());
        }
    }

    /// Tells at the end what did not stop the build, once.
    pub(crate) fn warn(&self, warning: String) {
        if let Ok(mut warnings) = self.warnings.lock()
            && !warnings.contains(&warning)
        {
            warnings.push(warning);
        }
    }

    /// Waits for another stage.
    pub(super) fn wait(&self, index: usize) -> Result<Arc<Outcome>, Trouble> {
        let stopped = || Trouble { stopped: true, ..Trouble::new("another stage failed") };
        if !self.needed.contains(&index) {
            // Only a base's ONBUILD names a stage that nobody saw before.
            return Err(
                Trouble::new(format!("the stage {index} is not built for this target")).hint("name it in the Dockerfile's own lines")
            );
        }
        let mut done = self.done.lock().map_err(|_| stopped())?;
        loop {
            match done.get(&index) {
                Some(Some(outcome)) => return Ok(outcome.clone()),
                Some(None) => return Err(stopped()),
                None if self.stopped.load(Ordering::Relaxed) => return Err(stopped()),
                None => done = self.signal.wait(done).map_err(|_| stopped())?,
            }
        }
    }

    pub(super) fn leased(&self, ids: &[DiffId]) -> Result<Vec<Layer>, BlobError> {
        ids.iter().map(|id| Ok(Layer { id: *id, lease: Arc::new(self.store.layers().tree(id)?), dates: None })).collect()
    }

    /// An image by its name: of the store, or else brought in; the other way round where that was asked for.
    pub(super) fn image(&self, name: &str) -> Result<Outcome, Trouble> {
        // Stages that want the same image at the same time wait for one of them to bring it.
        let asked = self.bases.lock().map(|mut bases| bases.entry(name.to_owned()).or_default().clone()).unwrap_or_default();
        let mut known = asked.lock().map_err(|_| Trouble::new("another stage failed"))?;
        if let Some(outcome) = &*known {
            return Ok(outcome.clone());
        }
        let image = if self.request.pull {
            self.elsewhere(name)?.map_or_else(|| self.here(name), |image| Ok(Some(image)))?
        } else {
            self.here(name)?
        };
        let image = match image {
            None if !self.request.pull => self.elsewhere(name)?,
            image => image,
        };
        let image = image.ok_or_else(|| {
            let trouble = Trouble::new(format!("the image `{name}` is not here"));
            trouble
                .hint(format!("`wharf image load ARCHIVE` brings one in, or `--build-context {name}=ARCHIVE` lets an archive stand for it"))
        })?;
        let outcome = Outcome { layers: self.leased(&image.layers)?, config: image.config };
        *known = Some(outcome.clone());
        Ok(outcome)
    }

    fn here(&self, name: &str) -> Result<Option<Image>, Trouble> {
        match self.store.images().resolve(name) {
            Ok(image) => Ok(Some(image)),
            Err(BlobError::NoImage(_)) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    fn elsewhere(&self, name: &str) -> Result<Option<Image>, Trouble> {
        // An id is no name that anybody else knows.
        let Some(reference) = name.parse::<Reference>().ok().filter(|_| !name.starts_with("sha256:")) else { return Ok(None) };
        self.outside.bases.find(&reference.or_latest()).map_err(|error| {
            let trouble = Trouble::from(error);
            let begin = if self.request.pull { "cannot be pulled" } else { "is not here, and cannot be pulled" };
            Trouble { message: format!("the image `{name}` {begin}: {}", trouble.message), ..trouble }
        })
    }

    pub(super) fn imported(&self, path: &std::path::Path) -> Result<Outcome, Trouble> {
        let images = import_path(self.store, path)?;
        match images.as_slice() {
            [image] => self.image(&image.id.to_string()),
            _ => Err(Trouble::new(format!("`{}` holds {} images for this machine, and one is needed", path.display(), images.len()))),
        }
    }

    pub(super) fn named_context(&self, path: &std::path::Path) -> Result<Arc<Context>, Trouble> {
        let mut named = self.named.lock().map_err(|_| Trouble::new("another stage failed"))?;
        if let Some(known) = named.get(path) {
            return Ok(known.clone());
        }
        let ignore = crate::ignore::Ignore::default();
        let context = Arc::new(Context::open(path, ignore, crate::build::index_path(self.store, path))?);
        named.insert(path.to_owned(), context.clone());
        Ok(context)
    }
}
