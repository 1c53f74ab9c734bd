//! `RUN --mount=...`.

use crate::error::Errors;
use crate::flags::Flag;

/// What is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountKind {
    /// A folder or file of the context, a stage or an image.
    #[default]
    Bind,
    /// A folder that outlives the build.
    Cache,
    /// An empty folder in memory.
    Tmpfs,
    /// A secret as a file or a variable.
    Secret,
    /// An ssh agent's socket.
    Ssh,
}

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody.
    Shared,
    /// Each writer has one of its own.
    Private,
    /// One after the other.
    Locked,
}

/// A mount as written. Texts are not expanded; numbers stay texts because a variable may stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// `type`.
    pub kind: MountKind,
    /// `target`, `dst`, `destination`; relative to the working folder, and that folder itself where it is not written.
    pub target: Option<String>,
    /// `source`, `src`.
    pub source: Option<String>,
    /// `from`: a stage or image.
    pub from: Option<String>,
    /// `id` of a cache, secret or agent.
    pub id: Option<String>,
    /// `ro`, `readonly`, `rw`, `readwrite`: what was written, or the kind's default.
    pub read_only: bool,
    /// `required`.
    pub required: bool,
    /// `sharing` of a cache.
    pub sharing: Option<Sharing>,
    /// `env`: the variable that holds the secret.
    pub env: Option<String>,
    /// `size` of a tmpfs, with a unit such as `64m`.
    pub size: Option<String>,
    /// `mode`, octal.
    pub mode: Option<String>,
    /// `uid`.
    pub uid: Option<String>,
    /// `gid`.
    pub gid: Option<String>,
}

const KINDS: [(&str, MountKind); 5] = [
    ("bind", MountKind::Bind),
    ("cache", MountKind::Cache),
    ("tmpfs", MountKind::Tmpfs),
    ("secret", MountKind::Secret),
    ("ssh", MountKind::Ssh),
];
const SHARINGS: [(&str, Sharing); 3] = [("shared", Sharing::Shared), ("private", Sharing::Private), ("locked", Sharing::Locked)];

/// Every key and the kinds that know it; empty: all.
const KEYS: [(&str, &[MountKind]); 19] = [
    ("type", &[]),
    ("from", &[MountKind::Bind, MountKind::Cache]),
    ("source", &[]),
    ("src", &[]),
    ("target", &[]),
    ("dst", &[]),
    ("destination", &[]),
    ("readonly", &[]),
    ("ro", &[]),
    ("readwrite", &[]),
    ("rw", &[]),
    ("id", &[MountKind::Cache, MountKind::Secret, MountKind::Ssh]),
    ("sharing", &[MountKind::Cache]),
    ("required", &[MountKind::Secret, MountKind::Ssh]),
    ("env", &[MountKind::Secret]),
    ("size", &[MountKind::Tmpfs]),
    ("mode", &[MountKind::Cache, MountKind::Secret, MountKind::Ssh]),
    ("uid", &[MountKind::Cache, MountKind::Secret, MountKind::Ssh]),
    ("gid", &[MountKind::Cache, MountKind::Secret, MountKind::Ssh]),
];

/// Reads one `--mount` flag; what is wrong is reported and left out.
pub(crate) fn read(flag: &Flag, errors: &mut Errors<'_>) -> Mount {
    let value = flag.value.as_deref().unwrap_or_default();
    let fields: Vec<(String, Option<String>)> = fields(value)
        .into_iter()
        .map(|field| match field.split_once('=') {
            Some((key, value)) => (key.trim().to_lowercase(), Some(value.to_owned())),
            None => (field.trim().to_lowercase(), None),
        })
        .collect();
    let mut problem = |message: String, help: String| errors.add(flag.span, message, help);
    let mut mount = Mount::default();
    let written = fields.iter().rev().find(|(key, _)| key == "type").and_then(|(_, value)| value.clone());
    if let Some(kind) = written.filter(|kind| !kind.contains('$')) {
        match one_of(&KINDS, &kind) {
            Ok(kind) => mount.kind = kind,
            Err(help) => problem(format!("`{kind}` is no type of mount"), help),
        }
    }
    mount.read_only = !matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs);
    for (key, value) in &fields {
        if let Err((message, help)) = set(&mut mount, key, value.as_deref()) {
            problem(message, help);
        }
    }
    check(&mount, &mut problem);
    mount
}

fn set(mount: &mut Mount, key: &str, value: Option<&str>) -> Result<(), (String, String)> {
    let Some((_, kinds)) = KEYS.iter().find(|(known, _)| *known == key) else {
        let meant = base::suggest::closest(key, KEYS.iter().map(|(key, _)| *key));
        return Err((format!("a mount has no key `{key}`"), meant.map(|meant| format!("did you mean `{meant}`?")).unwrap_or_default()));
    };
    if !kinds.is_empty() && !kinds.contains(&mount.kind) {
        return Err((format!("a {} mount has no `{key}`", name(&KINDS, mount.kind)), String::new()));
    }
    let text =
        || value.map(ToOwned::to_owned).ok_or_else(|| (format!("the mount's `{key}` lacks its value"), format!("write `{key}=VALUE`")));
    let switch = || switch(value).ok_or_else(|| (format!("the mount's `{key}` takes true or false"), String::new()));
    match key {
        "from" => mount.from = Some(text()?),
        "source" | "src" => mount.source = Some(text()?),
        "target" | "dst" | "destination" => mount.target = Some(text()?),
        "readonly" | "ro" => mount.read_only = switch()?,
        "readwrite" | "rw" => mount.read_only = !switch()?,
        "required" => mount.required = switch()?,
        "id" => mount.id = Some(text()?),
        "env" => mount.env = Some(text()?),
        "size" => mount.size = Some(text()?),
        "mode" => mount.mode = Some(number(key, text()?, 8)?),
        "uid" => mount.uid = Some(number(key, text()?, 10)?),
        "gid" => mount.gid = Some(number(key, text()?, 10)?),
        "sharing" => {
            let text = text()?;
            mount.sharing = Some(one_of(&SHARINGS, &text).map_err(|help| (format!("`{text}` is no way to share a cache"), help))?);
        }
        _ => drop(text()?),
    }
    Ok(())
}

fn check(mount: &Mount, problem: &mut impl FnMut(String, String)) {
    if mount.kind == MountKind::Secret {
        if mount.source.is_none() && mount.target.is_none() && mount.id.is_none() {
            problem("a secret mount needs an `id`".to_owned(), "write `id=NAME`, the name given to `--secret`".to_owned());
        }
        if mount.source.is_some() && mount.id.is_some() {
            problem("a secret mount has `source` and `id`, which mean the same".to_owned(), "keep `id`".to_owned());
        }
    }
    if mount.from.as_deref().is_some_and(|from| from.contains('$')) {
        problem("a mount's `from` takes no variable".to_owned(), "name a stage: `FROM $IMAGE AS name`, then `from=name`".to_owned());
    }
}

fn number(key: &str, text: String, radix: u32) -> Result<String, (String, String)> {
    if text.contains('$') || u32::from_str_radix(&text, radix).is_ok() {
        return Ok(text);
    }
    Err((
        format!("the mount's `{key}` is no number: `{text}`"),
        if radix == 8 { "write it in octal, such as 0700".to_owned() } else { String::new() },
    ))
}

fn switch(value: Option<&str>) -> Option<bool> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Some(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Some(false),
        Some(_) => None,
    }
}

fn one_of<T: Clone>(table: &[(&'static str, T)], text: &str) -> Result<T, String> {
    let names = || table.iter().map(|(name, _)| *name);
    let found = table.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    found.ok_or_else(|| match base::suggest::closest(text, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it is one of {}", names().collect::<Vec<_>>().join(", ")),
    })
}

fn name<T: PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}

/// The fields of one CSV record (RFC 4180): a field in double quotes may hold commas, and quotes doubled.
fn fields(text: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}
