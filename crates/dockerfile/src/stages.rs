//! The stages of a Dockerfile.

use crate::instruction::{From, Instruction, Kind};
use crate::Parsed;

/// The stages and what stands before them.
#[derive(Clone, Debug)]
pub struct Stages<'a> {
    /// The `ARG` instructions before the first `FROM`.
    pub global_args: Vec<&'a Instruction>,
    /// The stages in order.
    pub stages: Vec<Stage<'a>>,
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
        let name = reference.to_lowercase();
        let by_name = self.stages.iter().rev().find(|stage| stage.name().as_deref() == Some(name.as_str()));
        by_name.or_else(|| reference.parse::<usize>().ok().and_then(|index| self.stages.get(index)))
    }

    /// The same among the stages before the one of that index, which are all that it can refer to.
    pub fn find_before(&self, reference: &str, index: usize) -> Option<&Stage<'a>> {
        let name = reference.to_lowercase();
        let before = self.stages.get(..index.min(self.stages.len())).unwrap_or_default();
        let by_name = before.iter().rev().find(|stage| stage.name().as_deref() == Some(name.as_str()));
        by_name.or_else(|| reference.parse::<usize>().ok().and_then(|index| before.get(index)))
    }
}

impl Parsed {
    /// The stages in order, with the global arguments before them.
    pub fn stages(&self) -> Stages<'_> {
        let mut found = Stages { global_args: Vec::new(), stages: Vec::new() };
        for instruction in self.instructions() {
            match (&instruction.kind, found.stages.last_mut()) {
                (Kind::From(from), _) => {
                    let index = found.stages.len();
                    found.stages.push(Stage { index, from, head: instruction, instructions: Vec::new() });
                }
                (_, Some(stage)) => stage.instructions.push(instruction),
                (Kind::Arg(_), None) => found.global_args.push(instruction),
                (_, None) => {}
            }
        }
        found
    }
}
