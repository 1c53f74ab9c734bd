//! `--output`: where a built image goes beside the store.

use crate::cli::usage;
use crate::commands::image;
use base::files::FileError;
use base::{Problem, ProblemKind};
use blobs::{BlobError, Compression, Image, SaveFormat, Store};
use oci::Reference;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// One destination.
#[derive(Debug)]
pub enum Destination {
    /// An archive of the image.
    Image(SaveFormat, Sink),
    /// Its files as an archive.
    Files(Sink),
    /// Its files in a folder.
    Folder(PathBuf),
}

/// Where an archive goes.
#[derive(Debug)]
pub enum Sink {
    /// To a file.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

const HINT: &str = "write type=oci, type=docker or type=tar with dest=FILE, or type=local with dest=FOLDER";

impl Destination {
    /// Reads the flag as docker does: `type=..,dest=..`, a folder, or `-`.
    ///
    /// # Errors
    /// What of it is not known or not supported.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |why: &str| usage(format!("`--output {text}`: {why}")).hint(HINT);
        if !text.contains('=') {
            return Ok(if text == "-" { Self::Files(Sink::Stdout) } else { Self::Folder(PathBuf::from(text)) });
        }
        let (mut kind, mut place) = (None, None);
        for field in text.split(',') {
            match field.split_once('=') {
                Some(("type", value)) => kind = Some(value),
                Some(("dest", value)) => place = Some(value),
                _ => return Err(wrong(&format!("`{field}` is not known"))),
            }
        }
        let sink = || match place {
            None | Some("-") if std::io::stdout().is_terminal() => Err(wrong("an archive is nothing for a terminal")),
            None | Some("-") => Ok(Sink::Stdout),
            Some(path) => Ok(Sink::File(PathBuf::from(path))),
        };
        match kind {
            Some("oci") => Ok(Self::Image(SaveFormat::Oci, sink()?)),
            Some("docker") => Ok(Self::Image(SaveFormat::Both, sink()?)),
            Some("tar") => Ok(Self::Files(sink()?)),
            Some("local") => Ok(Self::Folder(PathBuf::from(place.ok_or_else(|| wrong("it names no folder"))?))),
            Some("registry" | "image") => Err(wrong("images go to registries by `wharf push`")),
            Some(other) => Err(wrong(&format!("the type `{other}` is not known"))),
            None => Err(wrong("it names no type")),
        }
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Self::Image(_, Sink::Stdout) | Self::Files(Sink::Stdout))
    }

    /// Writes an image.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn write(&self, store: &Store, image: &Image, names: &[Reference]) -> Result<(), Problem> {
        match self {
            Self::Folder(path) => builder::export_folder(image, path).map_err(image::problem),
            Self::Files(sink) => sink.write(|out| builder::export_tar(image, out)),
            Self::Image(format, sink) => sink.write(|out| store.save(&[(image.clone(), names.to_vec())], *format, Compression::None, out)),
        }
    }
}

impl Sink {
    fn write(&self, write: impl FnOnce(&mut dyn Write) -> Result<(), BlobError>) -> Result<(), Problem> {
        let host = |error: std::io::Error, path: &Path| {
            Problem::new(ProblemKind::Host, FileError::new("write", path, error).to_string()).hint("make room or rights there")
        };
        let stdout = Path::new("standard output");
        match self {
            Self::Stdout => {
                let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
                write(&mut out).map_err(image::problem)?;
                out.flush().map_err(|error| host(error, stdout))
            }
            Self::File(path) => {
                let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(|error| host(error, path))?);
                write(&mut out).map_err(image::problem)?;
                out.flush().map_err(|error| host(error, path))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_as_docker_reads_them() {
        let shown = |text: &str| Destination::parse(text).map(|read| format!("{read:?}")).map_err(|problem| problem.message);
        assert_eq!(shown("out").expect("folder"), "Folder(\"out\")");
        assert_eq!(shown("-").expect("standard output"), "Files(Stdout)");
        assert_eq!(shown("type=local,dest=x").expect("folder"), "Folder(\"x\")");
        assert_eq!(shown("dest=x,type=oci").expect("oci"), "Image(Oci, File(\"x\"))");
        assert_eq!(shown("type=docker,dest=x").expect("docker"), "Image(Both, File(\"x\"))");
        assert_eq!(shown("type=tar,dest=x").expect("tar"), "Files(File(\"x\"))");
        for (text, why) in [
            ("type=local", "names no folder"),
            ("type=cacheonly", "`cacheonly` is not known"),
            ("type=registry,dest=x", "by `wharf push`"),
            ("type=oci,dest=x,compression=zstd", "`compression=zstd` is not known"),
            ("dest=x", "names no type"),
        ] {
            assert!(shown(text).expect_err(text).contains(why), "{text}");
        }
    }
}
