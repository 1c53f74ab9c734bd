//! Which stages a command wants, and which those need.

use super::{STAGES, Stage, build, check, cluster, deploy, engine, lint, prepare, push, test};
use base::{Problem, ProblemKind};

/// Which stages are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
    /// This one and those after it.
    pub from: Option<String>,
    /// Those on demand that the environment asks for.
    pub also: Vec<&'static str>,
}

impl Selection {
    /// What a plan needs; one that is kept says what every stage before it found.
    pub fn planning(kept: bool) -> Self {
        let found = [lint::STAGE.name, test::STAGE.name, check::STAGE.name];
        let needed = [prepare::STAGE.name, build::STAGE.name, engine::STAGE.name, cluster::STAGE.name];
        Self::of(&[if kept { &found[..] } else { &[] }, &needed].concat())
    }

    /// What connects the environment's cluster.
    pub fn connecting() -> Self {
        Self::of(&[engine::STAGE.name, cluster::STAGE.name])
    }

    /// Just these stages.
    pub fn of(names: &[&str]) -> Self {
        Self { only: names.iter().map(|name| (*name).to_owned()).collect(), ..Self::default() }
    }

    /// The stages that it means, in their order.
    ///
    /// # Errors
    /// When it names one that is not there.
    pub fn stages(&self) -> Result<Vec<&'static Stage>, Problem> {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        for name in self.only.iter().chain(&self.skip).chain(&self.from) {
            if !known.contains(&name.as_str()) {
                return Err(Problem::new(ProblemKind::Usage, format!("there is no stage `{name}`"))
                    .hint(format!("there are: {}", known.join(", "))));
            }
        }
        let first = self.from.as_ref().and_then(|from| known.iter().position(|name| name == from)).unwrap_or(0);
        let named = |stage: &&'static Stage| self.only.iter().any(|name| name == stage.name);
        let wanted = |stage: &&'static Stage| {
            let asked = || self.from.as_deref() == Some(stage.name) || self.also.contains(&stage.name);
            if self.only.is_empty() { !stage.on_demand || asked() } else { named(stage) }
        };
        let stages: Vec<&'static Stage> =
            STAGES.iter().skip(first).filter(wanted).filter(|stage| !self.skip.iter().any(|name| name == stage.name)).collect();
        let needs_cluster = stages.iter().any(|stage| stage.needs_cluster);
        let mut all = stages;
        // What is deployed is named by the digests that a build gives; an unchanged one costs nothing.
        let position = |all: &[&'static Stage], name: &str| all.iter().position(|stage| stage.name == name);
        if let (Some(at), None) = (position(&all, deploy::STAGE.name), position(&all, build::STAGE.name)) {
            all.insert(at, &build::STAGE);
        }
        // What was pushed is there already; what was not would be missed.
        if let (Some(at), None) = (position(&all, deploy::STAGE.name), position(&all, push::STAGE.name))
            && !self.skip.iter().any(|name| name == push::STAGE.name)
        {
            all.insert(at, &push::STAGE);
        }
        for connects in [&engine::STAGE, &cluster::STAGE] {
            if needs_cluster && position(&all, connects.name).is_none() {
                let at = all.iter().position(|stage| stage.needs_cluster).unwrap_or(0);
                all.insert(at, connects);
            }
        }
        Ok(all)
    }
}
