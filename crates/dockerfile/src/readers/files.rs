//! Readers of COPY, ADD and VOLUME.

use super::Reader;
use crate::heredoc::opening;
use crate::instruction::{Add, Copy, Kind, Source};
use crate::span::Word;

pub(super) fn copy(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    let (sources, destination) = sources(reader)?;
    let flags = &reader.checked;
    Some(Kind::Copy(Copy {
        sources,
        destination,
        from: flags.value("from"),
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.switch("link"),
        parents: flags.switch("parents"),
        exclude: flags.values("exclude"),
    }))
}

pub(super) fn add(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    let (sources, destination) = sources(reader)?;
    let flags = &reader.checked;
    Some(Kind::Add(Add {
        sources,
        destination,
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.switch("link"),
        exclude: flags.values("exclude"),
        checksum: flags.value("checksum"),
        keep_git_dir: flags.flag("keep-git-dir").map(|_| flags.switch("keep-git-dir")),
        unpack: flags.flag("unpack").map(|_| flags.switch("unpack")),
    }))
}

pub(super) fn volume(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("a path")?;
    let paths = reader.list()?;
    if paths.is_empty() || paths.iter().any(|path| path.text.trim().is_empty()) {
        let span = reader.span();
        reader.wrong(span, "VOLUME lacks a path", "");
        return None;
    }
    Some(Kind::Volume(paths))
}

/// All words but the last are sources, a `<<NAME` among them being the here-document of that name.
fn sources(reader: &mut Reader<'_, '_>) -> Option<(Vec<Source>, Word)> {
    reader.required("its sources and its destination")?;
    let mut words = reader.list()?;
    let destination = words.pop()?;
    if words.is_empty() {
        let message = format!("{} has one path only: its destination is missing", reader.name());
        reader.wrong(destination.span, message, format!("write `{} SOURCE.. DESTINATION`", reader.name()));
        return None;
    }
    let mut heredocs = reader.heredocs.iter();
    let sources = words.into_iter().map(|word| {
        let opened = opening(&word.text).and_then(|opened| heredocs.find(|heredoc| heredoc.name == opened.name));
        opened.map_or(Source::Path(word), |heredoc| Source::Heredoc(heredoc.clone()))
    });
    Some((sources.collect(), destination))
}
