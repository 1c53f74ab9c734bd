//! Readers of FROM, USER, WORKDIR, STOPSIGNAL, ONBUILD and MAINTAINER.

use super::{Reader, read_from};
use crate::instruction::{From, Kind, Onbuild};
use crate::span::Span;

pub(super) fn from(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    let words = reader.words();
    let platform = reader.checked.value("platform");
    match words.as_slice() {
        [image] => Some(Kind::From(From { image: image.clone(), name: None, platform })),
        [image, keyword, name] if keyword.text.eq_ignore_ascii_case("as") => {
            if !is_stage_name(&name.text) {
                let help = "a stage's name starts with a letter; letters, digits, `-`, `_` and `.` follow";
                reader.wrong(name.span, format!("`{}` cannot be a stage's name", name.text), help);
            }
            Some(Kind::From(From { image: image.clone(), name: Some(name.clone()), platform }))
        }
        [] => {
            reader.wrong(reader.keyword.span, "FROM lacks an image", "write `FROM IMAGE`, or `FROM scratch`");
            None
        }
        [image, rest @ ..] => {
            let span = Span::new(rest.first()?.span.start, rest.last()?.span.end);
            reader.wrong(span, "behind its image FROM takes `AS NAME` and nothing else", "write `FROM IMAGE AS NAME`");
            Some(Kind::From(From { image: image.clone(), name: None, platform }))
        }
    }
}

pub(super) fn user(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("a user").map(Kind::User)
}

pub(super) fn workdir(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("a path").map(Kind::Workdir)
}

pub(super) fn stopsignal(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    let signal = reader.required("a signal")?;
    if reader.words().len() > 1 {
        reader.wrong(signal.span, "STOPSIGNAL takes one signal", "write `STOPSIGNAL SIGTERM`");
        return None;
    }
    Some(Kind::Stopsignal(signal))
}

pub(super) fn maintainer(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("a name").map(Kind::Maintainer)
}

pub(super) fn onbuild(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    let trigger = reader.required("an instruction")?;
    let inner = trigger.text.split(super::is_blank).next().unwrap_or_default().to_uppercase();
    if reader.nested || ["ONBUILD", "FROM", "MAINTAINER"].contains(&inner.as_str()) {
        reader.wrong(trigger.span, format!("ONBUILD {inner} is not allowed"), "");
        return None;
    }
    let heredocs = reader.heredocs.to_vec();
    let end = heredocs.last().map_or(trigger.span.end, |heredoc| heredoc.span.end);
    let span = Span::new(trigger.span.start, end);
    let bodies = heredocs.iter().map(|heredoc| format!("\n{}{}", heredoc.body, heredoc.name));
    let expression = std::iter::once(trigger.text.clone()).chain(bodies).collect();
    let instruction = Box::new(read_from(reader.logical, reader.start, span, heredocs, reader.escape, reader.errors));
    Some(Kind::Onbuild(Onbuild { expression, instruction }))
}

fn is_stage_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(rest)
}
