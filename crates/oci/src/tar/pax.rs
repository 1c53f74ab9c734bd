//! Pax records: `LENGTH KEY=VALUE\n`.

use super::entry::Mtime;
use super::error::Fault;
use super::header::id;
use std::collections::BTreeMap;

/// What pax records say of the next member.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mtime: Option<Mtime>,
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

const XATTR: &[u8] = b"SCHILY.xattr.";

pub(super) fn parse(mut body: &[u8]) -> Result<Records, Fault> {
    let mut records = Records::default();
    let mut seen = std::collections::BTreeSet::new();
    while !body.is_empty() {
        let (key, value, rest) = record(body)?;
        if !seen.insert(key) {
            return Err(Fault::Pax("a key stands twice"));
        }
        records.set(key, value)?;
        body = rest;
    }
    Ok(records)
}

/// Key, value, and what follows the record.
type Record<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn record(body: &[u8]) -> Result<Record<'_>, Fault> {
    let space = body.iter().take(12).position(|&b| b == b' ').ok_or(Fault::Pax("a record has no length"))?;
    let (digits, _) = body.split_at(space);
    let length: usize = decimal(digits).and_then(|n| usize::try_from(n).ok()).ok_or(Fault::Pax("a length is no number"))?;
    if length > body.len() || length <= space + 1 {
        return Err(Fault::Pax("a length does not fit"));
    }
    let (record, rest) = body.split_at(length);
    let record = record.strip_suffix(b"\n").ok_or(Fault::Pax("a record does not end with a line break"))?;
    let record = record.get(space + 1..).unwrap_or_default();
    let equals = record.iter().position(|&b| b == b'=').filter(|&at| at > 0).ok_or(Fault::Pax("a record has no key"))?;
    let (key, value) = record.split_at(equals);
    Ok((key, value.get(1..).unwrap_or_default(), rest))
}

impl Records {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        if key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize" {
            return Err(Fault::Sparse);
        }
        if let Some(name) = key.strip_prefix(XATTR) {
            let name = String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty() && name.len() <= 255 && !name.contains('\0'));
            self.xattrs.insert(name.ok_or(Fault::Pax("the name of an extended attribute is not valid"))?, value.to_vec());
            return Ok(());
        }
        if value.is_empty() {
            // An empty value takes back what a global header said.
            return Ok(());
        }
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(decimal(value).ok_or(Fault::Number("size"))?),
            b"uid" => self.uid = Some(owner(value, "uid")?),
            b"gid" => self.gid = Some(owner(value, "gid")?),
            b"mtime" => self.mtime = Some(time(value).ok_or(Fault::Number("mtime"))?),
            b"hdrcharset" if value != b"BINARY" && value != b"ISO-IR 10646 2000 UTF-8" => {
                return Err(Fault::Pax("an unknown character set"));
            }
            // Names of owners, times of access, comments and vendors' own: nothing that a layer keeps.
            _ => {}
        }
        Ok(())
    }
}

fn owner(value: &[u8], what: &'static str) -> Result<u32, Fault> {
    id(decimal(value).and_then(|n| i64::try_from(n).ok()).ok_or(Fault::Number(what))?, what)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let ok = !digits.is_empty() && digits.len() <= 20 && digits.iter().all(u8::is_ascii_digit);
    ok.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

fn time(value: &[u8]) -> Option<Mtime> {
    let text = std::str::from_utf8(value).ok()?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = i64::try_from(decimal(whole.as_bytes())?).ok()?;
    let padded: String = decimals.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanos: u32 = padded.parse().ok()?;
    Some(match (negative, nanos) {
        (false, nanos) => Mtime { seconds, nanos },
        (true, 0) => Mtime { seconds: -seconds, nanos: 0 },
        (true, nanos) => Mtime { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
    })
}
