//! What `ADD` fetches: kept in the store by content, asked for again with what the server told of it.

use crate::error::Trouble;
use crate::outside::{Fetched, Version};
use crate::stage::Shared;
use base::files::FileError;
use blobs::Record;
use oci::{Digest, Hasher};
use serde::{Deserialize, Serialize};
use sha2::{Sha384, Sha512};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// A file that was fetched.
#[derive(Clone, Debug)]
pub(crate) struct Download {
    /// Where it lies; the store is held for the whole build.
    pub path: PathBuf,
    pub digest: Digest,
    pub size: u64,
    /// Seconds since the Unix epoch, where the server says when it was changed.
    pub modified: Option<i64>,
}

/// `--checksum`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    Sha256(String),
    Sha384(String),
    Sha512(String),
}

#[derive(Serialize, Deserialize)]
struct Known {
    digest: String,
    size: u64,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Checksum {
    /// Reads `ALGORITHM:HEX`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (algorithm, hex) = text.split_once(':').ok_or("write it as sha256:HEX")?;
        let hex = hex.to_ascii_lowercase();
        let (length, sum) = match algorithm {
            "sha256" => (64, Self::Sha256(hex.clone())),
            "sha384" => (96, Self::Sha384(hex.clone())),
            "sha512" => (128, Self::Sha512(hex.clone())),
            _ => return Err(format!("`{algorithm}` is not supported: sha256, sha384 and sha512 are")),
        };
        if hex.len() == length && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(sum)
        } else {
            Err(format!("{algorithm} has {length} hexadecimal digits"))
        }
    }

    fn check(&self, download: &Download) -> Result<(), Trouble> {
        let (expected, found) = match self {
            Self::Sha256(expected) => (expected, download.digest.hex()),
            Self::Sha384(expected) => (expected, sum::<Sha384>(download)?),
            Self::Sha512(expected) => (expected, sum::<Sha512>(download)?),
        };
        if *expected == found {
            return Ok(());
        }
        Err(Trouble::new(format!("what was fetched has the checksum {found}; expected {expected}"))
            .hint("if the file was meant to change, write the new checksum"))
    }
}

fn sum<D: sha2::Digest>(download: &Download) -> Result<String, Trouble> {
    let fail = |error| FileError::new("read", &download.path, error);
    let mut file = File::open(&download.path).map_err(fail)?;
    let (mut hasher, mut buffer) = (D::new(), vec![0u8; 64 * 1024]);
    loop {
        let got = file.read(&mut buffer).map_err(fail)?;
        if got == 0 {
            return Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect());
        }
        hasher.update(buffer.get(..got).unwrap_or_default());
    }
}

/// Fetches an address. With a checksum that the kept content has, nobody is asked.
pub(crate) fn download(shared: &Shared<'_>, url: &str, checksum: Option<&Checksum>) -> Result<Download, Trouble> {
    let slot = Digest::of(format!("address {url}").as_bytes());
    let kept = kept(shared, &slot);
    if let (Some((download, _)), Some(checksum)) = (&kept, checksum)
        && checksum.check(download).is_ok()
    {
        return Ok(download.clone());
    }
    let version = kept.as_ref().map(|(_, version)| version.clone()).unwrap_or_default();
    let temp = shared.store.temp()?;
    let path = temp.path().join("body");
    let file = File::create(&path).map_err(|error| FileError::new("create", &path, error))?;
    let mut out = Counting { file, hasher: Hasher::new(), size: 0 };
    let fetched = shared.outside.fetch.fetch(url, &version, &mut out).map_err(Trouble::from)?;
    let download = match (fetched, kept) {
        (Fetched::Unchanged, Some((download, _))) => download,
        (Fetched::Unchanged, None) => return Err(Trouble::new(format!("`{url}` is said to be unchanged, and was never fetched"))),
        (Fetched::New(version), _) => keep(shared, &slot, out, version, path)?,
    };
    match checksum {
        Some(checksum) => checksum.check(&download).map(|()| download),
        None => Ok(download),
    }
}

fn body(shared: &Shared<'_>, digest: &Digest) -> PathBuf {
    shared.store.root().join("cache").join(format!("{}.body", digest.hex()))
}

fn kept(shared: &Shared<'_>, slot: &Digest) -> Option<(Download, Version)> {
    let known: Known = serde_json::from_value(shared.store.cache().get(slot)?.note).ok()?;
    let digest = Digest::from_hex(&known.digest).ok()?;
    let path = body(shared, &digest);
    // Cut short by a power cut it is as good as none; what changes its content is beyond us.
    let whole = path.metadata().is_ok_and(|meta| meta.len() == known.size);
    let modified = known.last_modified.as_deref().and_then(http_date);
    whole.then_some((
        Download { path, digest, size: known.size, modified },
        Version { etag: known.etag, last_modified: known.last_modified },
    ))
}

fn keep(shared: &Shared<'_>, slot: &Digest, out: Counting, version: Version, from: PathBuf) -> Result<Download, Trouble> {
    let (digest, size) = (out.hasher.finish(), out.size);
    let path = body(shared, &digest);
    std::fs::rename(&from, &path).map_err(|error| FileError::new("move", &path, error))?;
    let modified = version.last_modified.as_deref().and_then(http_date);
    let known = Known { digest: digest.hex(), size, etag: version.etag, last_modified: version.last_modified };
    let note = serde_json::to_value(known).map_err(|error| Trouble::new(format!("the record of a fetched file: {error}")))?;
    shared.store.cache().put(slot, &Record { layer: None, note })?;
    // The content's own record: without one it is not kept when the store is cleaned.
    shared.store.cache().put(&digest, &Record { layer: None, note: "fetched".into() })?;
    Ok(Download { path, digest, size, modified })
}

struct Counting {
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let part = bytes.get(..written).unwrap_or_default();
        self.hasher.update(part);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The last part of an address's path, which is the file's name; `None` where it has none.
pub(crate) fn name_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (_, path) = rest.split_once('/')?;
    let name = decode(path.rsplit('/').next()?);
    (!name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])).then_some(name)
}

fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let pair = more.get(..2).filter(|_| first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Seconds since the Unix epoch of `Wed, 21 Oct 2015 07:28:00 GMT` (RFC 9110 section 5.6.7); older forms are not read.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words.as_slice() else { return None };
    let month = MONTHS.iter().position(|known| known == month)? + 1;
    let stamp = base::Timestamp::parse_rfc3339(&format!("{year:0>4}-{month:02}-{day:0>2}T{time}Z"))?;
    Some(stamp.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_times_are_read() {
        assert_eq!(name_of("https://example.com/a/b%20c.tar.gz?x=/y#z").as_deref(), Some("b c.tar.gz"));
        for nameless in [
            "https://example.com",
            "https://example.com/",
            "https://example.com/a/",
            "https://example.com/..",
            "https://example.com/%2e%2e",
            "https://example.com/a%2fb",
        ] {
            assert_eq!(name_of(nameless), None, "{nameless}");
        }
        assert_eq!(http_date("Wed, 21 Oct 2015 07:28:00 GMT"), Some(1_445_412_480));
        for wrong in ["", "yesterday", "Wed, 21 Oct 2015 07:28:00 CET", "Wed, 99 Oct 2015 07:28:00 GMT"] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn checksums_are_checked_before_anything_is_fetched() {
        let hex = "ab".repeat(32);
        assert_eq!(Checksum::parse(&format!("sha256:{hex}")), Ok(Checksum::Sha256(hex.clone())));
        assert!(Checksum::parse(&format!("sha512:{}", hex.repeat(2))).is_ok());
        for wrong in ["", "sha256:", "sha256:xyz", "md5:abc", &format!("sha512:{hex}")] {
            assert!(Checksum::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_name_is_one_name_whatever_the_address(url in "(http://|HTTPS://)?[a-z/.%2eEfF#?=0]{0,40}|.*", checksum in "(sha(256|384|512):)?[0-9a-fA-Fg:]{0,140}", date in ".*") {
            if let Some(name) = name_of(&url) {
                prop_assert!(!name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..");
            }
            let _ = (Checksum::parse(&checksum), http_date(&date));
        }
    }
}
