//! The project that a command works on: its settings, its folder, its commit.

use crate::context::Context;
use crate::settings::{self, Environment, Settings};
use base::{Problem, ProblemKind};
use oci::Reference;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A project.
pub struct Project {
    /// Where everything is relative to.
    pub folder: PathBuf,
    /// What its files say.
    pub read: settings::Project,
}

impl Project {
    /// Reads the project of a command.
    ///
    /// # Errors
    /// Everything that is wrong in its settings, all at once.
    pub fn load(context: &Context, argument: Option<&Path>) -> Result<Self, Problem> {
        let folder = context.project_folder(argument)?;
        let read = settings::load(&folder, &context.globals.set).map_err(|findings| {
            let message = if findings.len() == 1 {
                "the settings have an error".to_owned()
            } else {
                format!("the settings have {} errors", findings.len())
            };
            Problem::new(ProblemKind::Usage, message).with_findings(findings).hint("`wharf settings --schema` prints what can be written")
        })?;
        let project = Self { folder, read };
        project.environment(context)?;
        Ok(project)
    }

    /// What it says.
    pub fn settings(&self) -> &Settings {
        &self.read.settings
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.read.settings.project
    }

    /// The environment that was asked for.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn environment(&self, context: &Context) -> Result<&Environment, Problem> {
        let name = &context.globals.env;
        let known: Vec<&str> = self.read.settings.environments.keys().map(String::as_str).collect();
        let none = || {
            Problem::new(ProblemKind::Usage, format!("wharf.yaml has no environment `{name}`"))
                .hint(format!("there are: {}", known.join(", ")))
        };
        self.read.environment(name).ok_or_else(none)
    }

    /// The digest of what its tests and `prepare` depend on.
    ///
    /// # Errors
    /// When something of it cannot be read.
    pub fn inputs(&self) -> Result<String, Problem> {
        let named = &self.read.settings.inputs;
        let all = [".".to_owned()];
        crate::inputs::digest(&self.folder, if named.is_empty() { &all } else { named })
    }

    /// What an image of the project is called: `localhost/PROJECT/NAME`.
    ///
    /// # Errors
    /// When the names make no image name.
    pub fn image_name(&self, image: &str, tag: &str) -> Result<Reference, Problem> {
        let name = format!("localhost/{}/{image}:{tag}", self.name());
        name.parse().map_err(|error| Problem::new(ProblemKind::Usage, format!("`{name}` is no image name: {error}")))
    }

    /// The commit that its folder is of; nothing where it is of none.
    pub fn commit(&self) -> Option<Commit> {
        let ids = git(&self.folder, &["rev-parse", "HEAD", "HEAD^{tree}"])?;
        let (id, tree) = ids.split_once('\n')?;
        let (_, dirty) = commit(&self.folder)?;
        Some(Commit { id: id.to_owned(), tree: tree.trim().to_owned(), dirty })
    }

    /// The tag of its images: the version, else the commit (`COMMIT-dirty-TREE` with changes), else the inputs' own digest.
    pub fn tag(&self, inputs: &str) -> String {
        if let Some(version) = &self.read.settings.version {
            return version.clone();
        }
        let tree = inputs.get(..12).unwrap_or(inputs);
        match commit(&self.folder) {
            Some((commit, false)) => commit,
            Some((commit, true)) => format!("{commit}-dirty-{tree}"),
            None => format!("tree-{tree}"),
        }
    }
}

/// What a release's sources were, for its record.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Commit {
    /// The commit's whole id.
    pub id: String,
    /// The id of its tree.
    pub tree: String,
    /// Whether the project's files differ from it.
    pub dirty: bool,
}

/// What git says of a folder.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The commit that a folder is of, and whether files below it differ from it.
fn commit(folder: &Path) -> Option<(String, bool)> {
    let commit = git(folder, &["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(folder, &["status", "--porcelain", "--untracked-files=normal", "--", "."])?;
    Some((commit, !changes.is_empty()))
}
