//! Registries as commands speak to them: who we are from docker's own file and helpers, mirrors and insecure hosts from the settings,
//! proxies from the environment.

mod docker;
mod helper;
mod watch;

pub use docker::DockerFile;
pub use watch::Watch;

use crate::context::Context;
use crate::settings::{self, PROJECT_FILE, Registries};
use base::{Problem, ProblemKind};
use blobs::remote::{Remote, RemoteError, RemoteOptions};
use net::client::Proxies;
use oci::Reference;
use std::path::Path;
use std::sync::Arc;

/// The registries of a command: the project's settings count where there is a project.
///
/// # Errors
/// When the settings are wrong, or a file that they name cannot be read.
pub fn remote(context: &Context) -> Result<Remote, Problem> {
    let folder = context.project_folder(None)?;
    if !folder.join(PROJECT_FILE).is_file() && context.globals.set.is_empty() {
        return of(&Registries::default(), &folder);
    }
    let read = settings::load(&folder, &context.globals.set)
        .map_err(|findings| Problem::new(ProblemKind::Usage, "the settings have errors").with_findings(findings))?;
    of(&read.settings.registries, &folder)
}

/// The registries that settings describe; paths in them are relative to `folder`.
///
/// # Errors
/// When a file that they name cannot be read.
pub fn of(settings: &Registries, folder: &Path) -> Result<Remote, Problem> {
    let authorities = authorities(settings, folder)?;
    Ok(Remote::new(RemoteOptions {
        insecure: settings.insecure.clone(),
        mirrors: settings.mirrors.clone(),
        credentials: Arc::new(DockerFile::of_user()),
        proxies: proxies(),
        authorities,
        ..RemoteOptions::default()
    }))
}

fn authorities(settings: &Registries, folder: &Path) -> Result<Vec<String>, Problem> {
    let read = |path: &String| {
        let read = base::files::read(&folder.join(path)).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
        Ok(String::from_utf8_lossy(&read).into_owned())
    };
    settings.authorities.iter().map(read).collect()
}

/// Tells the engine of this home how the project's settings reach registries: what its pods name is pulled the same way.
///
/// # Errors
/// When a file that they name cannot be read, or what is told cannot be written.
pub fn tell_engine(context: &Context, settings: &Registries, project: &str, folder: &Path) -> Result<(), Problem> {
    let (insecure, mirrors) = (settings.insecure.clone(), settings.mirrors.clone());
    engine::Registries { insecure, mirrors, authorities: authorities(settings, folder)? }.tell(&context.home, project)
}

/// The proxies that the environment names.
pub fn proxies() -> Proxies {
    // Lower case first, as curl and Go have it.
    let variable = |name: &str| {
        let set = |name: String| std::env::var(name).ok().filter(|value| !value.is_empty());
        set(name.to_ascii_lowercase()).or_else(|| set(name.to_owned()))
    };
    let except = variable("NO_PROXY").unwrap_or_default();
    Proxies {
        http: variable("HTTP_PROXY"),
        https: variable("HTTPS_PROXY"),
        except: except.split(',').map(|rule| rule.trim().to_owned()).filter(|rule| !rule.is_empty()).collect(),
    }
}

/// Reads an image's name as it was typed.
///
/// # Errors
/// When it is none.
pub fn reference(text: &str) -> Result<Reference, Problem> {
    text.parse().map_err(|error| Problem::new(ProblemKind::Usage, format!("{error}")))
}

/// A registry's failure as the user is told it.
pub fn problem(error: RemoteError) -> Problem {
    let hint = error.hint();
    let problem = match error {
        RemoteError::Store(error) => return crate::commands::image::problem(error),
        RemoteError::Unsupported(message) => Problem::new(ProblemKind::Work, message),
        error if error.is_unreachable() => Problem::new(ProblemKind::Unreachable, error.to_string()),
        error => Problem::new(ProblemKind::Target, error.to_string()),
    };
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
