//! Rust programs built by `cargo auditable`: a section lists the crates that they were made of.

use super::{Catalogue, Scope};
use crate::elf::{Bytes, Elf, may_be};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told};
use flate2::read::ZlibDecoder;
use serde::Deserialize;
use std::io::Read;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "cargo-auditable", scope: Scope::Installed, wants: may_be, read };

/// A section larger than this is not read.
const LARGEST_SECTION: u64 = 8 << 20;
/// A list larger than this, unpacked, is not read.
const LARGEST_LIST: u64 = 32 << 20;

fn read(reading: &mut Reading<'_>) {
    let Some(file) = reading.open() else { return };
    let read = of_program(&file);
    if let Some(error) = file.failure() {
        return reading.failed(error);
    }
    match read {
        Ok(Some(list)) => reading.add_all(&Ecosystem::Cargo, list),
        Ok(None) => {}
        Err(why) => reading.unread(why),
    }
}

#[derive(Deserialize)]
struct Audit {
    packages: Vec<Audited>,
}

#[derive(Deserialize)]
struct Audited {
    name: String,
    version: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    kind: String,
}

/// The crates of a program; `None` when it is no program, or none with such a list.
///
/// # Errors
/// When the list is there and cannot be read.
pub fn of_program<B: Bytes + ?Sized>(bytes: &B) -> Result<Option<List>, String> {
    let Some(elf) = Elf::open(bytes) else { return Ok(None) };
    let Some(part) = elf.section(".dep-v0").map_err(|error| error.to_string())? else { return Ok(None) };
    if part.size > LARGEST_SECTION {
        return Err(format!("its section `.dep-v0` is larger than {LARGEST_SECTION} bytes"));
    }
    let packed = elf.content(part, LARGEST_SECTION).ok_or("its section `.dep-v0` is cut off")?;
    parse(&packed).map(Some)
}

/// Reads a section: JSON, compressed by zlib. Crates that only built it serve development; those from the machine's own folders are left
/// out.
///
/// # Errors
/// When it is none.
pub fn parse(packed: &[u8]) -> Result<List, String> {
    let mut text = Vec::new();
    let unpacked = ZlibDecoder::new(packed).take(LARGEST_LIST + 1).read_to_end(&mut text);
    unpacked.map_err(|error| format!("its list of crates cannot be unpacked: {error}"))?;
    if text.len() as u64 > LARGEST_LIST {
        return Err(format!("its list of crates is larger than {LARGEST_LIST} bytes"));
    }
    let audit: Audit = serde_json::from_slice(&text).map_err(|error| format!("its list of crates is no such list: {error}"))?;
    let published = audit.packages.into_iter().filter(|package| package.source != "local");
    let packages = published.map(|package| Told { development: package.kind == "build", ..Told::new(package.name, package.version) });
    Ok(List { packages: packages.collect(), notes: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(text: &str) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(text.as_bytes()).expect("packed");
        writer.finish().expect("packed")
    }

    #[test]
    fn a_list_is_read_and_bombs_are_not() {
        let list = parse(&packed(
            r#"{"packages":[{"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},{"name":"time","version":"0.1.44","source":"crates.io","dependencies":[0]},{"name":"app","version":"0.1.0","source":"local","root":true}]}"#,
        ));
        let expected = [Told { development: true, ..Told::new("cc", "1.0.0") }, Told::new("time", "0.1.44")];
        assert_eq!(list.expect("read").packages, expected);
        assert!(parse(&packed(&" ".repeat(40 << 20))).expect_err("too large").contains("larger"));
        assert!(parse(b"no zlib").is_err());
    }
}
