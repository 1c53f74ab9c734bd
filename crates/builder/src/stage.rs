//! One stage: its instructions one after the other, on the layers so far.

mod clone;
mod files;
mod shared;

pub(crate) use files::{Where, join};
pub(crate) use shared::{Layer, Outcome, Shared};

use crate::check::{Base, base_of, image_of, unsupported};
use crate::dated::Dates;
use crate::error::{StepError, Trouble};
use crate::event::{BuildEvent, StepId};
use crate::ground::Ground;
use crate::key::Key;
use crate::request::{NamedContext, StepReport};
use crate::scope::{DEFAULT_PATH, Scope, architecture};
use crate::writer::LayerWriter;
use blobs::{BlobError, Record, Stamp, View};
use dockerfile::{Instruction, Kind};
use oci::{DiffId, Digest, Hasher, History, ImageConfig};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A stage in the making.
pub(crate) struct Stage<'a> {
    pub shared: &'a Shared<'a>,
    pub config: ImageConfig,
    /// What words see and commands get: the image's variables and the arguments declared so far; the last that was set counts.
    pub env: Scope,
    pub cmd_set: bool,
    index: usize,
    name: String,
    layers: Vec<Layer>,
    /// Of the step that is being done.
    pub dates: Dates,
    steps: usize,
    of: usize,
}

/// A step that has begun.
pub(crate) struct Begun {
    pub id: StepId,
    started: Instant,
    line: u32,
    text: String,
}

impl Begun {
    /// Line of the instruction, from 1.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }
}

impl<'a> Stage<'a> {
    /// Builds a stage from its FROM to its end.
    pub(crate) fn build(shared: &'a Shared<'a>, index: usize) -> Result<Outcome, StepError> {
        let Some(written) = shared.stages.stages.get(index) else { return Err(StepError::default()) };
        let name = written.name().unwrap_or_else(|| index.to_string());
        let mut stage = Self {
            shared,
            config: ImageConfig::default(),
            env: Scope::default(),
            cmd_set: false,
            index,
            name,
            layers: Vec::new(),
            dates: Dates::default(),
            steps: 0,
            of: written.instructions.iter().filter(|instruction| makes_layer(instruction)).count(),
        };
        stage.start(written).map_err(|trouble| stage.located(trouble, written.head, written.head.line))?;
        // Behind a FROM, for the parser reads whole files.
        let triggers: Vec<_> = std::mem::take(&mut stage.config.config.on_build)
            .iter()
            .map(|text| dockerfile::parse(&format!("FROM scratch\n{text}")))
            .collect();
        for parsed in &triggers {
            stage.of += parsed.instructions().filter(|instruction| makes_layer(instruction)).count();
        }
        for parsed in &triggers {
            for instruction in parsed.instructions().skip(1) {
                stage.trigger(parsed, instruction).map_err(|trouble| stage.located(trouble, instruction, written.head.line))?;
            }
        }
        for instruction in &written.instructions {
            stage.instruction(instruction).map_err(|trouble| stage.located(trouble, instruction, instruction.line))?;
        }
        Ok(Outcome { config: stage.config, layers: stage.layers })
    }

    fn start(&mut self, written: &dockerfile::Stage<'_>) -> Result<(), Trouble> {
        let name = image_of(written, &self.shared.globals, self.shared.read.parsed.escape).map_err(Trouble::new)?;
        let base = match self.find_base(&name)? {
            Some(base) => base,
            None => scratch(),
        };
        self.layers = base.layers;
        self.config = base.config;
        self.config.created = None;
        // What others wrote beside the configuration describes the base, not this image.
        self.config.extra.clear();
        self.env = Scope::of(&self.config.config.env);
        Ok(())
    }

    fn find_base(&self, name: &str) -> Result<Option<Outcome>, Trouble> {
        match base_of(name, self.index, self.shared.stages, self.shared.request) {
            Base::Scratch => Ok(None),
            Base::Stage(index) => Ok(Some((*self.shared.wait(index)?).clone())),
            Base::Image(name) | Base::Context(NamedContext::Image(name)) => self.shared.image(&name).map(Some),
            Base::Context(NamedContext::Archive(path)) => self.shared.imported(&path).map(Some),
            Base::Context(NamedContext::Folder(path)) if path.join("oci-layout").is_file() => self.shared.imported(&path).map(Some),
            Base::Context(NamedContext::Folder(path)) => {
                Err(Trouble::new(format!("the context `{}` is a folder and no image", path.display())))
            }
        }
    }

    fn trigger(&mut self, parsed: &dockerfile::Parsed, instruction: &Instruction) -> Result<(), Trouble> {
        if let Some(error) = parsed.errors.first() {
            return Err(Trouble::new(format!("the base image's ONBUILD cannot be read: {error}")));
        }
        if matches!(instruction.kind, Kind::From(_) | Kind::Onbuild(_) | Kind::Maintainer(_)) {
            return Err(Trouble::new("the base image's ONBUILD has an instruction that cannot be triggered"));
        }
        if let Some((what, help)) = unsupported(instruction).into_iter().next() {
            let keyword = instruction.keyword.text.to_uppercase();
            return Err(Trouble::new(format!("the base image's ONBUILD: {keyword} {what} is not supported")).hint(help));
        }
        self.instruction(instruction)
    }

    fn instruction(&mut self, instruction: &Instruction) -> Result<(), Trouble> {
        if self.shared.stopped.load(Ordering::Relaxed) {
            return Err(Trouble { stopped: true, ..Trouble::new("another stage failed") });
        }
        if self.configure(instruction)? {
            return Ok(());
        }
        match &instruction.kind {
            Kind::Run(run) => self.run(instruction, run),
            Kind::Copy(copy) => self.copy(instruction, copy),
            Kind::Add(add) => self.add(instruction, add),
            Kind::Workdir(word) => self.workdir(instruction, &word.text),
            _ => Err(Trouble::new("this instruction is not supported here")),
        }
    }

    /// Makes a layer of what is written, on the layers so far or on what is known of them; none when nothing is.
    fn layer(
        &self,
        ground: Option<&Ground>,
        write: impl FnOnce(&mut LayerWriter<'_>) -> Result<(), Trouble>,
    ) -> Result<Option<DiffId>, Trouble> {
        let temp = self.shared.store.temp()?;
        let view = View::open(&if ground.is_some() { Vec::new() } else { self.trees() })?;
        let (place, time) = (temp.path().join("tree"), self.shared.layer_time);
        let mut layer = match ground {
            Some(ground) => LayerWriter::on(&place, &view, time, ground.clone())?,
            None => LayerWriter::create(&place, &view, time)?,
        };
        write(&mut layer)?;
        if layer.is_empty() {
            return Ok(None);
        }
        layer.finish()?;
        Ok(Some(self.shared.store.layers().commit(&temp, Stamp::KEEP)?))
    }

    pub(crate) fn unless_empty(&self, layer: DiffId) -> Result<Option<DiffId>, BlobError> {
        Ok((self.shared.store.layers().meta(&layer)?.members > 0).then_some(layer))
    }

    pub(crate) fn begin(&mut self, instruction: &Instruction) -> Begun {
        self.steps += 1;
        let id = StepId { stage: self.name.clone(), number: self.steps, of: self.of };
        self.shared.tell(BuildEvent::Started { step: id.clone(), instruction: instruction.text.clone() });
        Begun { id, started: Instant::now(), line: instruction.line, text: instruction.text.clone() }
    }

    /// What is known to come out of a step; a layer in it is still here.
    pub(crate) fn recall(&self, key: &Key) -> Option<Option<DiffId>> {
        if self.shared.request.no_cache {
            return None;
        }
        let key = key.finish();
        let layer = match self.shared.store.cache().get(&key) {
            Some(record) => record.layer,
            None => self.shared.outside.remembered.recall(&key).inspect(|layer| self.keep_outcome(key, *layer))?,
        };
        self.shared.note_key(key, layer);
        Some(layer)
    }

    pub(crate) fn compare(&self, key: &Key, begun: &Begun) -> Vec<String> {
        if self.shared.request.no_cache {
            return vec!["--no-cache was asked for".to_owned()];
        }
        key.compare(self.shared.store, &self.slot(begun))
    }

    /// Remembers what came out of a step. When that fails, the next build does it again.
    pub(crate) fn store_outcome(&self, key: &Key, begun: &Begun, layer: Option<DiffId>) {
        self.keep_outcome(key.finish(), layer);
        key.remember(self.shared.store, &self.slot(begun));
    }

    pub(crate) fn keep_outcome(&self, key: Digest, layer: Option<DiffId>) {
        let _ = self.shared.store.cache().put(&key, &Record { layer, note: Default::default() });
        self.shared.note_key(key, layer);
    }

    /// The step's place in the Dockerfile, by which the last build's step is found.
    fn slot(&self, begun: &Begun) -> Digest {
        let mut hasher = Hasher::new();
        for part in [
            "slot",
            &self.shared.context.root().display().to_string(),
            &self.shared.read.file,
            &self.index.to_string(),
            &begun.id.number.to_string(),
        ] {
            hasher.part(part.as_bytes());
        }
        hasher.finish()
    }

    pub(crate) fn finish(&mut self, begun: Begun, layer: Option<DiffId>, reasons: Option<Vec<String>>) -> Result<(), Trouble> {
        if let Some(id) = layer {
            self.layers.push(Layer {
                id,
                lease: Arc::new(self.shared.store.layers().tree(&id)?),
                dates: Some(Arc::new(std::mem::take(&mut self.dates))),
            });
            self.config.rootfs.diff_ids.push(id);
        }
        self.record(&begun.text, layer.is_none());
        let (cached, took) = (reasons.is_none(), begun.started.elapsed());
        let reasons = reasons.unwrap_or_default();
        self.report(&begun, cached, &reasons, took);
        self.shared.tell(BuildEvent::Finished { step: begun.id, cached, reasons, took });
        Ok(())
    }

    fn report(&self, begun: &Begun, cached: bool, reasons: &[String], took: Duration) {
        if let Ok(mut steps) = self.shared.steps.lock() {
            steps.push(StepReport {
                stage: self.index,
                stage_name: self.name.clone(),
                line: begun.line,
                instruction: begun.text.clone(),
                cached,
                reasons: reasons.to_vec(),
                took,
            });
        }
    }

    pub(crate) fn remember_step(&mut self, instruction: &Instruction, empty_layer: bool) {
        self.record(&instruction.text, empty_layer);
    }

    fn record(&mut self, text: &str, empty_layer: bool) {
        // As written, not expanded: no argument's value gets into the history.
        let created_by = Some(text.to_owned());
        let history = History {
            created: Some(self.shared.created.clone()),
            created_by,
            comment: Some("wharf".into()),
            empty_layer,
            ..History::default()
        };
        self.config.history.push(history);
    }

    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub(crate) fn trees(&self) -> Vec<PathBuf> {
        trees(&self.layers)
    }

    /// What the layers so far hold, whatever made them.
    pub(crate) fn chain(&self) -> Digest {
        chain(&self.layers)
    }

    fn escape(&self) -> char {
        self.shared.read.parsed.escape
    }

    pub(crate) fn expand(&self, word: &str) -> Result<String, Trouble> {
        self.expanded(dockerfile::expand(word, self.escape(), &|name| self.env.get(name)))
    }

    pub(crate) fn expand_words(&self, word: &str) -> Result<Vec<String>, Trouble> {
        self.expanded(dockerfile::expand_words(word, self.escape(), &|name| self.env.get(name)))
    }

    fn expanded<T>(&self, result: Result<T, dockerfile::ExpandError>) -> Result<T, Trouble> {
        result.map_err(|error| Trouble::new(error.to_string()))
    }

    fn located(&self, trouble: Trouble, instruction: &Instruction, line: u32) -> StepError {
        if trouble.stopped {
            return StepError::default();
        }
        StepError {
            file: self.shared.read.file.clone(),
            line,
            stage: self.name.clone(),
            instruction: instruction.text.clone(),
            message: trouble.message,
            hint: trouble.hint,
            output: trouble.output,
            exit: trouble.exit,
            is_of_host: trouble.is_of_host,
            is_unreachable: trouble.is_unreachable,
        }
    }
}

pub(crate) fn trees(layers: &[Layer]) -> Vec<PathBuf> {
    blobs::without_repeats(layers.iter().rev().map(|layer| layer.lease.path().to_owned()))
}

pub(crate) fn chain(layers: &[Layer]) -> Digest {
    let mut hasher = Hasher::new();
    layers.iter().for_each(|layer| hasher.part(layer.id.0.bytes()));
    hasher.finish()
}

/// An image of nothing, as BuildKit begins it.
fn scratch() -> Outcome {
    let mut config = ImageConfig { architecture: architecture().into(), os: "linux".into(), ..Default::default() };
    config.config.env = vec![format!("PATH={DEFAULT_PATH}")];
    config.config.working_dir = "/".into();
    Outcome { config, layers: Vec::new() }
}

fn makes_layer(instruction: &Instruction) -> bool {
    matches!(instruction.kind, Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_))
}
