//! COPY, ADD and WORKDIR in a stage.

use super::{Begun, Outcome, Stage, chain, scratch, trees};
use crate::check::{Base, MODE_HELP, base_of, is_remote};
use crate::context::Context;
use crate::copy::{self, Job};
use crate::dated::Dates;
use crate::error::Trouble;
use crate::fetch::{self, Checksum};
use crate::ground::Ground;
use crate::key::Key;
use crate::mode::ModeChange;
use crate::origin::Origin;
use crate::owner;
use crate::request::NamedContext;
use blobs::View;
use dockerfile::{Add, Copy, Instruction, Source};
use oci::Digest;
use std::sync::Arc;

/// Where a step takes files from.
pub(crate) enum Where {
    /// The build's own context.
    Context,
    /// A folder that was given a name.
    Named(Arc<Context>),
    /// A stage or an image.
    Layers(Box<Outcome>),
}

impl Stage<'_> {
    pub(super) fn copy(&mut self, instruction: &Instruction, copy: &Copy) -> Result<(), Trouble> {
        let begun = self.begin(instruction);
        let job = Job {
            parents: copy.parents,
            ..self.job(copy.link, &copy.sources, &copy.destination.text, copy.chown.as_deref(), copy.chmod.as_deref(), &copy.exclude)?
        };
        match self.locate(copy.from.as_deref())? {
            Where::Context => self.transfer(begun, "COPY", &job, &Origin::Context(&self.shared.context), None),
            Where::Named(context) => self.transfer(begun, "COPY", &job, &Origin::Context(&context), None),
            Where::Layers(source) => {
                let view = View::open(&trees(&source.layers))?;
                self.transfer(begun, "COPY", &job, &Origin::View(&view), Some(chain(&source.layers)))
            }
        }
    }

    /// What a `from` means here; a stage is waited for.
    pub(crate) fn locate(&self, from: Option<&str>) -> Result<Where, Trouble> {
        let Some(from) = from else { return Ok(Where::Context) };
        match base_of(from, self.index, self.shared.stages, self.shared.request) {
            Base::Context(NamedContext::Folder(path)) if !path.join("oci-layout").is_file() => {
                Ok(Where::Named(self.shared.named_context(&path)?))
            }
            _ => Ok(Where::Layers(Box::new(self.find_base(from)?.unwrap_or_else(scratch)))),
        }
    }

    pub(super) fn add(&mut self, instruction: &Instruction, add: &Add) -> Result<(), Trouble> {
        let begun = self.begin(instruction);
        let mut job = self.job(add.link, &add.sources, &add.destination.text, add.chown.as_deref(), add.chmod.as_deref(), &add.exclude)?;
        if let Some(address) = self.repository(add, &job)? {
            return self.clone_from(begun, add, job, address);
        }
        let remote = self.fetch(add, &mut job)?;
        // What was fetched is unpacked only where that is asked for.
        job.unpack = add.unpack.unwrap_or(!remote);
        if remote && add.unpack.is_none() && job.sources.iter().any(|source| matches!(source, copy::Source::Path(_))) {
            return Err(Trouble::new("ADD of addresses and of files together is not supported").hint("write an ADD for each, or --unpack"));
        }
        self.transfer(begun, "ADD", &job, &Origin::Context(&self.shared.context), None)
    }

    /// Fetches the sources of an ADD that are addresses; whether there are any.
    fn fetch(&self, add: &Add, job: &mut Job) -> Result<bool, Trouble> {
        let checksum = match &add.checksum {
            Some(text) => {
                let text = self.expand(text)?;
                let read = Checksum::parse(&text).map_err(|why| Trouble::new(format!("--checksum={text}: {why}")))?;
                if !matches!(job.sources.as_slice(), [copy::Source::Path(path)] if is_remote(path)) {
                    return Err(
                        Trouble::new("--checksum is for one address, and nothing else").hint("leave it out, or write an ADD for each")
                    );
                }
                Some(read)
            }
            None => None,
        };
        let mut any = false;
        for source in &mut job.sources {
            let copy::Source::Path(path) = source else { continue };
            if is_remote(path) {
                any = true;
                let download = fetch::download(self.shared, path, checksum.as_ref())?;
                *source = copy::Source::Fetched(fetch::name_of(path), download);
            }
        }
        Ok(any)
    }

    fn job(
        &self,
        link: bool,
        sources: &[Source],
        destination: &str,
        chown: Option<&str>,
        chmod: Option<&str>,
        exclude: &[String],
    ) -> Result<Job, Trouble> {
        let sources = sources.iter().map(|source| match source {
            Source::Path(word) => Ok(copy::Source::Path(self.expand(&word.text)?)),
            Source::Heredoc(heredoc) => {
                let body = heredoc.content();
                let body = if heredoc.expand {
                    self.expanded(dockerfile::expand_heredoc(&body, self.escape(), &|name| self.env.get(name)))?
                } else {
                    body
                };
                Ok(copy::Source::Text(heredoc.name.clone(), body))
            }
        });
        let destination = self.expand(destination)?;
        if destination.is_empty() {
            return Err(Trouble::new("the destination is empty"));
        }
        let owner = match chown {
            Some(text) => Some(owner::lookup(&self.expand(text)?, &View::open(&self.trees())?)?),
            None => None,
        };
        let mode = match chmod {
            Some(text) => {
                let text = self.expand(text)?;
                Some(ModeChange::parse(&text).ok_or_else(|| Trouble::new(format!("--chmod={text} is no mode")).hint(MODE_HELP))?)
            }
            None => None,
        };
        let ground = link.then(|| {
            let place = join(&self.config.config.working_dir, &destination);
            Ground::find(&View::open(&self.trees())?, &place)
        });
        let workdir = if self.config.config.working_dir.is_empty() { "/".into() } else { self.config.config.working_dir.clone() };
        Ok(Job {
            sources: sources.collect::<Result<_, Trouble>>()?,
            destination,
            workdir,
            owner,
            mode,
            exclude: exclude.iter().map(|text| self.expand(text)).collect::<Result<_, _>>()?,
            parents: false,
            unpack: false,
            ground: ground.transpose()?,
            time: self.shared.layer_time,
        })
    }

    /// What a job stands on.
    pub(super) fn below(&self, job: &Job) -> Digest {
        job.ground.as_ref().map_or_else(|| self.chain(), Ground::digest)
    }

    /// Copies, unless it is known what comes out. What comes from layers is known by their names before a file is read.
    fn transfer(&mut self, begun: Begun, kind: &str, job: &Job, origin: &Origin<'_>, source: Option<Digest>) -> Result<(), Trouble> {
        let quick = source.map(|source| job.by_name(Key::new(kind, &self.below(job)), "source layers", source));
        if let Some(layer) = quick.as_ref().and_then(|quick| self.recall(quick)) {
            return self.finish(begun, layer, None);
        }
        self.transfer_now(begun, kind, job, origin, quick)
    }

    /// Copies what is known only by its content; `quick` is the key by which the next build knows it sooner.
    pub(super) fn transfer_now(
        &mut self,
        begun: Begun,
        kind: &str,
        job: &Job,
        origin: &Origin<'_>,
        quick: Option<Key>,
    ) -> Result<(), Trouble> {
        let parent = self.below(job);
        let given = job.gather(origin)?;
        self.dates = Dates::default();
        if self.shared.remembers && origin.is_context() {
            given.iter().for_each(|given| {
                if let copy::Given::Found(picked) = given {
                    self.dates.note(picked);
                }
            });
        }
        let mut key = Key::new(kind, &parent);
        job.settings(&mut key);
        job.contents(origin, &given, &mut key)?;
        let (layer, reasons) = match self.recall(&key) {
            Some(layer) => (layer, None),
            None => {
                let reasons = self.compare(&key, &begun);
                let layer = self.layer(job.ground.as_ref(), |layer| job.write(origin, &given, layer))?;
                self.store_outcome(&key, &begun, layer);
                (layer, Some(reasons))
            }
        };
        if let Some(quick) = quick {
            self.keep_outcome(quick.finish(), layer);
        }
        self.finish(begun, layer, reasons)
    }

    pub(super) fn workdir(&mut self, instruction: &Instruction, word: &str) -> Result<(), Trouble> {
        let begun = self.begin(instruction);
        let written = self.expand(word)?;
        let path = join(&self.config.config.working_dir, &written);
        self.config.config.working_dir = path.clone();
        let mut key = Key::new("WORKDIR", &self.chain());
        let user = self.config.config.user.clone();
        key.part("folder and user", format!("{path}\0{user}\0{}", self.shared.layer_time).as_bytes());
        let (layer, reasons) = match self.recall(&key) {
            Some(layer) => (layer, None),
            None => {
                let reasons = self.compare(&key, &begun);
                let owner = owner::lookup(&user, &View::open(&self.trees())?)?;
                let layer = self.layer(None, |layer| {
                    let place = layer.resolve(path.as_bytes())?;
                    if layer.existing(&place)? == Some(crate::writer::Existing::Folder) { Ok(()) } else { layer.folders(&place, owner) }
                })?;
                self.store_outcome(&key, &begun, layer);
                (layer, Some(reasons))
            }
        };
        self.finish(begun, layer, reasons)
    }
}

/// A path below another, or itself where it is absolute; `.` and `..` worked.
pub(crate) fn join(base: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    format!("/{}", parts.join("/"))
}
