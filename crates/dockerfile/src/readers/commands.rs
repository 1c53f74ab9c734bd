//! Readers of RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK.

use super::{Json, Reader, json};
use crate::instruction::{CommandLine, Healthcheck, Kind, Run};
use crate::mount;

const NETWORKS: [&str; 3] = ["default", "none", "host"];
const SECURITIES: [&str; 2] = ["sandbox", "insecure"];

pub(super) fn run(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    let mounts = reader.checked.all("mount").filter(|flag| flag.value.is_some()).map(|flag| mount::read(flag, reader.errors)).collect();
    one_of(reader, "network", &NETWORKS);
    one_of(reader, "security", &SECURITIES);
    reader.required("a command")?;
    let command = reader.command()?;
    let (network, security) = (reader.checked.value("network"), reader.checked.value("security"));
    let devices = reader.checked.values("device");
    Some(Kind::Run(Run { command, mounts, network, security, devices, heredocs: reader.heredocs.to_vec() }))
}

/// Both may be empty, which takes away what the base says.
pub(super) fn cmd(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    Some(Kind::Cmd(optional(reader)?))
}

pub(super) fn entrypoint(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    Some(Kind::Entrypoint(optional(reader)?))
}

pub(super) fn shell(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    if let Json::Strings(strings) = json(reader.text())
        && !strings.is_empty()
    {
        return Some(Kind::Shell(strings));
    }
    let span = reader.span();
    reader.wrong(span, "SHELL takes its arguments in JSON form only", "write `SHELL [\"/bin/sh\", \"-c\"]`");
    None
}

pub(super) fn healthcheck(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("`CMD` or `NONE`")?;
    let form = reader.words().into_iter().next()?;
    reader.start += form.text.len();
    let (start, end) = reader.logical.trim(reader.start, reader.end);
    (reader.start, reader.end) = (start, end);
    match form.text.to_uppercase().as_str() {
        "NONE" if start == end => Some(Kind::Healthcheck(Healthcheck::None)),
        "NONE" => {
            let span = reader.span();
            reader.wrong(span, "HEALTHCHECK NONE takes no arguments", "");
            None
        }
        "CMD" => check(reader),
        _ => {
            let message = format!("HEALTHCHECK has no form `{}`", form.text);
            reader.wrong(form.span, message, "write `HEALTHCHECK CMD COMMAND`, or `HEALTHCHECK NONE`");
            None
        }
    }
}

fn check(reader: &mut Reader<'_, '_>) -> Option<Kind> {
    reader.required("a command behind `CMD`")?;
    for name in ["interval", "timeout", "start-period", "start-interval"] {
        duration(reader, name);
    }
    let retries = retries(reader);
    let command = reader.command()?;
    let value = |name: &str| reader.checked.value(name);
    let (interval, timeout) = (value("interval"), value("timeout"));
    let (start_period, start_interval) = (value("start-period"), value("start-interval"));
    Some(Kind::Healthcheck(Healthcheck::Check { command, interval, timeout, start_period, start_interval, retries }))
}

fn retries(reader: &mut Reader<'_, '_>) -> Option<u32> {
    let flag = reader.checked.flag("retries")?;
    let retries = flag.value.as_deref()?.parse::<u32>();
    if retries.is_err() {
        reader.wrong(flag.span, "the flag `--retries` takes a whole number", "");
    }
    retries.ok()
}

fn duration(reader: &mut Reader<'_, '_>, name: &str) {
    let Some(flag) = reader.checked.flag(name) else { return };
    let Some(value) = flag.value.as_deref() else { return };
    let millisecond = std::time::Duration::from_millis(1);
    match base::units::parse_duration(value) {
        Err(message) if value != "0" => reader.wrong(flag.span, message, ""),
        Ok(duration) if !duration.is_zero() && duration < millisecond => {
            reader.wrong(flag.span, format!("the flag `--{name}` takes 1ms at least"), "");
        }
        _ => {}
    }
}

fn one_of(reader: &mut Reader<'_, '_>, name: &str, known: &[&str]) {
    let Some(flag) = reader.checked.flag(name) else { return };
    let Some(value) = flag.value.as_deref() else { return };
    if !known.contains(&value) {
        let message = format!("the flag `--{name}` takes {}, not `{value}`", known.join(", "));
        reader.wrong(flag.span, message, "");
    }
}

fn optional(reader: &mut Reader<'_, '_>) -> Option<CommandLine> {
    if reader.start == reader.end {
        return Some(CommandLine::Exec(Vec::new()));
    }
    reader.command()
}
