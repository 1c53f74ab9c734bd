//! The stages of a Dockerfile.

use crate::Parsed;
use crate::instruction::{From, Instruction, Kind};
use std::collections::HashMap;

/// The stages and what stands before them.
#[derive(Clone, Debug)]
pub struct Stages<'a> {
    /// The `ARG` instructions before the first `FROM`.
    pub global_args: Vec<&'a Instruction>,
    /// The stages in order.
    pub stages: Vec<Stage<'a>>,
    /// The indices of the stages of each name, ascending.
    named: HashMap<String, Vec<usize>>,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    /// From 0.
    pub index: usize,
    /// What it stands on.
    pub from: &'a From,
    /// The `FROM` instruction itself.
    pub head: &'a Instruction,
    /// What follows the `FROM`, in order; the invalid ones too.
    pub instructions: Vec<&'a Instruction>,
}

impl Stage<'_> {
    /// The name in lower case, by which others refer to it.
    pub fn name(&self) -> Option<String> {
        self.from.name.as_ref().map(|name| name.text.to_lowercase())
    }
}

impl<'a> Stages<'a> {
    /// The stage that a `COPY --from`, a mount's `from`, a `FROM` or `--target` means: the last of that name, else by number.
    pub fn find(&self, reference: &str) -> Option<&Stage<'a>> {
        self.find_before(reference, self.stages.len())
    }

    /// The same among the stages before the one of that index, which are all that it can refer to.
    pub fn find_before(&self, reference: &str, index: usize) -> Option<&Stage<'a>> {
        let indices = self.named.get(&reference.to_lowercase()).map(Vec::as_slice).unwrap_or_default();
        let by_name = indices.partition_point(|known| *known < index).checked_sub(1).and_then(|last| indices.get(last));
        let number = || reference.parse::<usize>().ok().filter(|number| *number < index);
        self.stages.get(by_name.copied().or_else(number)?)
    }
}

impl Parsed {
    /// The stages in order, with the global arguments before them.
    pub fn stages(&self) -> Stages<'_> {
        let mut found = Stages { global_args: Vec::new(), stages: Vec::new(), named: HashMap::new() };
        for instruction in self.instructions() {
            match (&instruction.kind, found.stages.last_mut()) {
                (Kind::From(from), _) => {
                    let index = found.stages.len();
                    let stage = Stage { index, from, head: instruction, instructions: Vec::new() };
                    if let Some(name) = stage.name() {
                        found.named.entry(name).or_default().push(index);
                    }
                    found.stages.push(stage);
                }
                (_, Some(stage)) => stage.instructions.push(instruction),
                (Kind::Arg(_), None) => found.global_args.push(instruction),
                (_, None) => {}
            }
        }
        found
    }
}
