//! `--cache-from` and `--cache-to`: what builds remember, taken from elsewhere and put there.

use crate::cli::usage;
use crate::commands::image;
use crate::context::Context;
use crate::outside::{Held, Memories, Memory};
use crate::registries;
use crate::sandbox::Sandbox;
use base::Problem;
use blobs::{Compression, Store};
use builder::Built;
use oci::Reference;
use std::path::PathBuf;

/// A place for what a build remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    place: Place,
    /// Of all stages, and not only what the image has.
    whole: bool,
    /// A failure to write it is a warning.
    ignore_error: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Registry(Reference),
    Folder(PathBuf),
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `--cache-from`.
    From,
    /// `--cache-to`.
    To,
}

impl Way {
    fn flag(self) -> &'static str {
        if self == Self::From { "--cache-from" } else { "--cache-to" }
    }

    fn folder(self) -> &'static str {
        if self == Self::From { "src" } else { "dest" }
    }
}

impl Cache {
    /// Reads the flag as docker does: `type=registry,ref=NAME` (or the name alone), `type=local,src=FOLDER` or `dest=FOLDER`.
    ///
    /// # Errors
    /// What of it is not known or not supported.
    pub fn parse(text: &str, way: Way) -> Result<Self, Problem> {
        let hint = format!("write type=registry,ref=NAME, or type=local,{}=FOLDER", way.folder());
        let wrong = |why: String| usage(format!("`{} {text}`: {why}", way.flag())).hint(hint.clone());
        let (mut kind, mut name, mut folder, mut whole, mut ignore_error) = ("registry", None, None, false, false);
        if !text.contains('=') {
            name = Some(text);
        }
        for field in text.split(',').filter(|_| text.contains('=')) {
            match field.split_once('=') {
                Some(("type", value)) => kind = value,
                Some(("ref", value)) => name = Some(value),
                Some((key, value)) if key == way.folder() => folder = Some(value),
                Some(("mode", "min")) if way == Way::To => whole = false,
                Some(("mode", "max")) if way == Way::To => whole = true,
                Some(("ignore-error", value @ ("true" | "false"))) if way == Way::To => ignore_error = value == "true",
                _ => return Err(wrong(format!("`{field}` is not known"))),
            }
        }
        let place = match (kind, name, folder) {
            ("registry", Some(name), None) => {
                Place::Registry(name.parse::<Reference>().map(Reference::or_latest).map_err(|error| wrong(error.to_string()))?)
            }
            ("local", None, Some(folder)) if !folder.is_empty() => Place::Folder(PathBuf::from(folder)),
            ("registry", ..) => return Err(wrong("it takes `ref`, and no folder".to_owned())),
            ("local", ..) => return Err(wrong(format!("it takes `{}`, and no `ref`", way.folder()))),
            (other, ..) => return Err(wrong(format!("the type `{other}` is not supported"))),
        };
        Ok(Self { place, whole, ignore_error })
    }

    fn shown(&self) -> String {
        match &self.place {
            Place::Registry(reference) => reference.to_string(),
            Place::Folder(folder) => folder.display().to_string(),
        }
    }

    /// Takes what is there into account; where there is nothing yet, the build does without, and says so.
    ///
    /// # Errors
    /// When the registries' settings are wrong.
    pub fn take(&self, context: &Context, memories: &mut Memories) -> Result<(), Problem> {
        let read = match &self.place {
            Place::Registry(reference) => memories.add_registry(registries::remote(context)?, reference),
            Place::Folder(folder) => memories.add_folder(folder.clone()),
        };
        if let Err(why) = read {
            context.output.warning(&format!("the cache `{}` is not used: {why}", self.shown()));
        }
        Ok(())
    }

    /// Puts there what a build has done.
    ///
    /// # Errors
    /// When it cannot be written, unless that was to be ignored.
    pub fn put(&self, context: &Context, sandbox: &Sandbox, store: &Store, built: &Built) -> Result<(), Problem> {
        match self.write(context, sandbox, store, built) {
            Err(problem) if self.ignore_error => {
                context.output.warning(&format!("the cache `{}` was not written: {}", self.shown(), problem.message));
                Ok(())
            }
            other => other,
        }
    }

    fn write(&self, context: &Context, sandbox: &Sandbox, store: &Store, built: &Built) -> Result<(), Problem> {
        let own = store.images().get(&built.image).map_err(image::problem)?.layers.into_iter().collect();
        let memory = Memory::of_build(&built.keys, if self.whole { None } else { Some(&own) });
        let made = memory.keep(store).map_err(image::problem)?;
        let written = match &self.place {
            Place::Folder(folder) => Held::write(store, &made, folder).map_err(image::problem),
            Place::Registry(reference) => {
                let remote = registries::remote(context)?;
                let push = remote.push(store, &made, reference, &[], Compression::Gzip, &|_| {});
                sandbox.tokio().block_on(push).map(drop).map_err(registries::problem)
            }
        };
        // It has done its work here; the layers stay with the images and steps that name them.
        store.images().remove(&made.id.to_string()).map_err(image::problem)?;
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_read_as_docker_reads_them() {
        let read = |text: &str, way: Way| {
            Cache::parse(text, way).map(|cache| (cache.shown(), cache.whole, cache.ignore_error)).map_err(|problem| problem.message)
        };
        let name = "docker.io/me/app:cache".to_owned();
        assert_eq!(read("me/app:cache", Way::From), Ok((name.clone(), false, false)));
        assert_eq!(read("type=registry,ref=me/app:cache,mode=max", Way::To), Ok((name, true, false)));
        assert_eq!(read("type=local,dest=out,ignore-error=true", Way::To), Ok(("out".into(), false, true)));
        assert_eq!(read("type=local,src=out", Way::From), Ok(("out".into(), false, false)));
        for (text, way, why) in [
            ("type=gha", Way::To, "the type `gha` is not supported"),
            ("type=local,src=out", Way::To, "`src=out` is not known"),
            ("type=local", Way::From, "it takes `src`, and no `ref`"),
            ("type=registry", Way::To, "it takes `ref`"),
            ("type=registry,ref=x,compression=zstd", Way::To, "`compression=zstd` is not known"),
            ("a//b", Way::From, "a//b"),
        ] {
            assert!(read(text, way).expect_err(text).contains(why), "{text}");
        }
    }
}
