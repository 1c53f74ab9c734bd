//! Build: all images of the project, side by side.

use super::{Done, Run, Stage, prepare};
use crate::output::{Running, printable};
use crate::outside::World;
use crate::sandbox::Sandbox;
use crate::target::Place;
use base::{Problem, ProblemKind};

use crate::settings::ImageSecret;
use builder::{BuildError, BuildEvent, Built, Hidden, Request, Secret};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// See the module.
pub const STAGE: Stage = Stage {
    name: "build",
    on_demand: false,
    needs_cluster: false,
    applies: super::always,
    judges_release: false,
    interrupted: "the steps that were done are kept and nothing was deployed; the next run goes on from them",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    if run.project.settings().images.is_empty() {
        return Ok(Done::unchanged("no images"));
    }
    let built = match build_all(run, running) {
        // What `prepare` had made may have been removed since; it is made again, once.
        Err(first) if run.prepare_skipped => {
            prepare::forget(run);
            run.prepare_skipped = false;
            let (made, _) = prepare::prepare(run, running)?;
            if made == 0 { Err(first) } else { build_all(run, running) }
        }
        other => other,
    }?;
    let (mut steps, mut cached) = (0, 0);
    let mut detail = serde_json::Map::new();
    for (name, built) in &built {
        steps += built.steps.len();
        cached += built.cached;
        run.images.insert(name.clone(), reference(run, name, built)?);
        run.image_ids.insert(name.clone(), built.image.to_string());
        let made =
            json!({"image": built.image.to_string(), "steps": built.steps.len(), "cached": built.cached, "warnings": built.warnings});
        detail.insert(name.clone(), made);
        for warning in &built.warnings {
            run.context.output.warning(warning);
        }
    }
    let images = if built.len() == 1 { "1 image".to_owned() } else { format!("{} images", built.len()) };
    let summary = format!("{images}, {cached} of {steps} steps cached");
    let done = if cached == steps { Done::unchanged(summary) } else { Done::new(summary) };
    Ok(done.with(json!({"images": detail})))
}

/// What manifests call an image: on the engine its uncompressed form in Wharf's own store, elsewhere what its registry will hold,
/// which is known before anything is pushed.
fn reference(run: &Run, name: &str, built: &Built) -> Result<String, Problem> {
    let Some(registry) = run.registry() else {
        if run.place != Place::Engine {
            let message =
                format!("the environment `{}` names no registry, from which its cluster could take images", run.context.globals.env);
            return Err(Problem::new(ProblemKind::Usage, message).hint("add `registry: HOST/NAME` to it in wharf.yaml"));
        }
        return Ok(format!("localhost/{}/{name}@{}", run.project.name(), built.manifest));
    };
    let store = crate::commands::image::open(&run.context)?;
    let image = store.images().resolve(&built.image.to_string()).map_err(crate::commands::image::problem)?;
    let made = store.distribution(&image, crate::registry::COMPRESSION).map_err(crate::commands::image::problem)?;
    Ok(format!("{registry}/{name}@{}", made.manifest_digest))
}

/// Builds one stage of an image, with the image's own settings.
///
/// # Errors
/// When there is no such stage, or it cannot be built.
pub fn target(run: &Run, running: &Running<'_>, name: &str, target: Option<&str>) -> Result<Built, Problem> {
    let store = crate::commands::image::open(&run.context)?;
    let sandbox = Sandbox::new(&run.context)?;
    let _guard = crate::interrupt::cleanup(&sandbox);
    let (context, project) = (&run.context, &run.project);
    let world = World::new(&sandbox, &store, move || crate::registry::remote(context, project));
    let mut request = request(run, name, "")?;
    request.target = target.map(str::to_owned).or(request.target);
    let verbose = run.context.output.takes_lines();
    let report = |event: BuildEvent| {
        if verbose {
            note(running, name, &event);
        }
    };
    builder::build(&request, &store, &world.outside(), &report).map_err(|error| crate::commands::build::problem(&error))
}

fn build_all(run: &Run, running: &Running<'_>) -> Result<BTreeMap<String, Built>, Problem> {
    let store = crate::commands::image::open(&run.context)?;
    let sandbox = Sandbox::new(&run.context)?;
    let _guard = crate::interrupt::cleanup(&sandbox);
    let (context, project) = (&run.context, &run.project);
    let world = World::new(&sandbox, &store, move || crate::registry::remote(context, project));
    let tag = run.project.tag(&run.inputs);
    let requests: Vec<(String, Request)> =
        run.project.settings().images.keys().map(|name| Ok((name.clone(), request(run, name, &tag)?))).collect::<Result<_, Problem>>()?;
    let verbose = run.context.output.takes_lines();
    let one = |name: &String, request: &Request| {
        let report = |event: BuildEvent| {
            if verbose {
                note(running, name, &event);
            }
        };
        builder::build(request, &store, &world.outside(), &report)
    };
    let results: Vec<(String, Result<Built, BuildError>)> = std::thread::scope(|scope| {
        let started: Vec<_> = requests.iter().map(|(name, request)| (name, scope.spawn(|| one(name, request)))).collect();
        started.into_iter().filter_map(|(name, thread)| Some((name.clone(), thread.join().ok()?))).collect()
    });
    if results.len() != requests.len() {
        return Err(Problem::new(ProblemKind::Defect, "a build ended without a result"));
    }
    results
        .into_iter()
        .map(|(name, result)| result.map(|built| (name, built)).map_err(|error| crate::commands::build::problem(&error)))
        .collect()
}

fn note(running: &Running<'_>, image: &str, event: &BuildEvent) {
    match event {
        BuildEvent::Started { step, instruction } => {
            running.note(&format!("{image} [{} {}/{}] {instruction}", step.stage, step.number, step.of))
        }
        BuildEvent::Output { line, .. } => running.note(&format!("{image} | {}", printable(line))),
        BuildEvent::Finished { .. } => {}
    }
}

fn request(run: &Run, name: &str, tag: &str) -> Result<Request, Problem> {
    let settings = run.project.settings();
    let image = settings.images.get(name).cloned().unwrap_or_default();
    if let Some(platform) = image.platform.as_ref().filter(|platform| *platform != "linux/amd64") {
        return Err(Problem::new(ProblemKind::Usage, format!("image `{name}`: the platform `{platform}` cannot be built here"))
            .hint("leave `platform` out, or write linux/amd64"));
    }
    let tags = if tag.is_empty() { Vec::new() } else { vec![run.project.image_name(name, tag)?] };
    let context = run.project.folder.join(&image.context);
    Ok(Request {
        leave_out: crate::report::below(&run.project.folder, &context).into_iter().collect(),
        context,
        dockerfile: run.project.folder.join(image.dockerfile_path()),
        target: image.target,
        args: image.args,
        tags,
        secrets: image.secrets.iter().map(|(id, secret)| (id.clone(), given(&run.project.folder, secret))).collect(),
        cache_mount_bytes: Some(settings.builds.cache_mounts.0),
        ..Request::default()
    })
}

/// A secret of the settings. What is not here is told by the step that wants it: most builds find such a step done.
fn given(folder: &Path, secret: &ImageSecret) -> Secret {
    let home = |path: &str| Some(PathBuf::from(std::env::var_os("HOME")?).join(path.strip_prefix("~/")?));
    match (&secret.file, &secret.env) {
        (Some(path), _) => Secret::File(home(path).unwrap_or_else(|| folder.join(path))),
        (None, Some(name)) => std::env::var_os(name).map_or_else(
            || Secret::Missing(format!("the variable `{name}` is not set")),
            |value| Secret::Value(Hidden(value.into_encoded_bytes())),
        ),
        (None, None) => Secret::Missing("its place is not said".to_owned()),
    }
}
