//! Go programs: the linker leaves in them which modules they were made of, and by which Go.

use super::{Catalogue, Scope};
use crate::elf::{Bytes, Elf, Part, may_be};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told};

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "go-buildinfo", scope: Scope::Installed, wants: may_be, read };

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Information begins at a multiple of this.
const ALIGNED: usize = 16;
/// The fixed part before the strings of its newer form.
const HEADER: u64 = 32;
/// A longer text is not read.
const LONGEST: u64 = 16 << 20;
/// In a program without sections, so much of its data is searched.
const SEARCHED: u64 = 16 << 20;

fn read(reading: &mut Reading<'_>) {
    let Some(file) = reading.open() else { return };
    let read = of_program(&file);
    if let Some(error) = file.failure() {
        return reading.failed(error);
    }
    match read {
        Ok(Some(list)) => reading.add_all(&Ecosystem::Go, list),
        Ok(None) => {}
        Err(why) => reading.unread(why),
    }
}

/// What Go left in a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// Go's version, such as `go1.22.1`.
    pub version: String,
    /// Lines of `path`, `mod`, `dep`, `=>` and `build`; empty in programs made without modules.
    pub modules: String,
}

/// The modules of a program; `None` when Go did not make it.
///
/// # Errors
/// When the information is there and cannot be read.
pub fn of_program<B: Bytes + ?Sized>(bytes: &B) -> Result<Option<List>, String> {
    let Some(elf) = Elf::open(bytes) else { return Ok(None) };
    Ok(info(&elf)?.map(|info| modules(&info)))
}

fn info<B: Bytes + ?Sized>(elf: &Elf<'_, B>) -> Result<Option<BuildInfo>, String> {
    let part = match elf.section(".go.buildinfo").map_err(|error| error.to_string())? {
        Some(part) => part,
        None if elf.has_no_sections() => match elf.segments().unwrap_or_default().into_iter().find(|(_, data)| *data) {
            Some((part, _)) => part,
            None => return Ok(None),
        },
        None => return Ok(None),
    };
    let searched = elf.content(part, SEARCHED).ok_or("its build information is cut off")?;
    let found = searched.chunks(ALIGNED).position(|chunk| chunk.starts_with(MAGIC));
    let Some(at) = found.and_then(|at| u64::try_from(at.checked_mul(ALIGNED)?).ok()) else { return Ok(None) };
    strings(elf, part, at).map(Some).ok_or_else(|| "its build information is damaged".to_owned())
}

/// Go's debug/buildinfo: since 1.18 the two texts follow, each after its length; before, pointers to two strings do.
fn strings<B: Bytes + ?Sized>(elf: &Elf<'_, B>, part: Part, at: u64) -> Option<BuildInfo> {
    let begin = part.address.checked_add(at)?;
    let header = elf.loaded(begin, usize::try_from(HEADER).ok()?)?;
    let (size, flags) = (u64::from(*header.get(14)?), *header.get(15)?);
    let (version, modules) = if flags & 2 != 0 {
        let (version, next) = inline(elf, begin.checked_add(HEADER)?)?;
        (version, inline(elf, next)?.0)
    } else {
        if size != u64::try_from(elf.pointer_size()).ok()? {
            return None;
        }
        let first = elf.pointer(begin.checked_add(16)?)?;
        let second = elf.pointer(begin.checked_add(16)?.checked_add(size)?)?;
        (pointed(elf, first)?, pointed(elf, second).unwrap_or_default())
    };
    let version = String::from_utf8_lossy(&version).into_owned();
    Some(BuildInfo { version, modules: String::from_utf8_lossy(unmarked(&modules)).into_owned() })
}

/// A text after its length in base 128, and where it ends.
fn inline<B: Bytes + ?Sized>(elf: &Elf<'_, B>, mut at: u64) -> Option<(Vec<u8>, u64)> {
    let mut length = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = *elf.loaded(at, 1)?.first()?;
        at = at.checked_add(1)?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let text = if length == 0 { Vec::new() } else { elf.loaded(at, usize::try_from(length).ok().filter(|_| length <= LONGEST)?)? };
            return Some((text, at.checked_add(length)?));
        }
    }
    None
}

/// A string of Go's: a pointer and a length.
fn pointed<B: Bytes + ?Sized>(elf: &Elf<'_, B>, at: u64) -> Option<Vec<u8>> {
    let data = elf.pointer(at)?;
    let length = elf.pointer(at.checked_add(u64::try_from(elf.pointer_size()).ok()?)?)?;
    elf.loaded(data, usize::try_from(length).ok().filter(|_| length <= LONGEST)?)
}

/// Without the 16 bytes before and after that mark it in memory.
fn unmarked(modules: &[u8]) -> &[u8] {
    let end = modules.len().saturating_sub(16);
    match modules.get(16..end) {
        Some(inner) if inner.last() == Some(&b'\n') => inner,
        _ => &[],
    }
}

/// The packages of build information: Go's standard library, and every module, replaced ones by what replaces them.
pub fn modules(info: &BuildInfo) -> List {
    let mut list = List::default();
    let version = info.version.split_whitespace().next().unwrap_or_default();
    match version.strip_prefix("go").filter(|version| !version.is_empty()) {
        Some(version) => list.packages.push(Told::new("stdlib", version)),
        None => list.notes.push((None, format!("it was made by Go `{}`, which is no release", info.version.escape_debug()))),
    }
    let mut last: Option<Told> = None;
    for line in info.modules.lines() {
        let mut words = line.split('\t');
        let (kind, path, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match kind {
            "mod" | "dep" => {
                list.packages.extend(last.take());
                // A program built from its own checkout has no version.
                last = (!path.is_empty() && !matches!(version, "" | "(devel)")).then(|| Told::new(path, version));
            }
            "=>" if version.is_empty() || version == "(devel)" => {
                let was = last.take().map(|told| told.name).unwrap_or_default();
                list.notes.push((None, format!("`{was}` is replaced by the folder `{path}`, which has no version")));
            }
            "=>" => last = Some(Told::new(path, version)),
            _ => {}
        }
    }
    list.packages.extend(last);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_modules_are_what_replaces_them() {
        let modules_text = "path\tcommand-line-arguments\nmod\texample.com/app\t(devel)\t\ndep\tgithub.com/BurntSushi/toml\tv1.0.0\th1:x=\ndep\tgolang.org/x/net\tv0.1.0\n=>\texample.com/net\tv0.2.0\th1:y=\ndep\tgolang.org/x/sys\tv0.3.0\n=>\t./sys\t\t\nbuild\t-trimpath=true\n";
        let list = modules(&BuildInfo { version: "go1.22.1 X:boringcrypto".into(), modules: modules_text.into() });
        let expected =
            [Told::new("stdlib", "1.22.1"), Told::new("github.com/BurntSushi/toml", "v1.0.0"), Told::new("example.com/net", "v0.2.0")];
        assert_eq!(list.packages, expected);
        assert_eq!(list.notes.len(), 1, "{list:?}");
        let list = modules(&BuildInfo { version: "devel +abc".into(), modules: String::new() });
        assert!(list.packages.is_empty() && list.notes.len() == 1);
    }

    const MODULES: &str = "path\tx\ndep\tgolang.org/x/net\tv0.1.0\th1:x=\n";

    fn marked() -> Vec<u8> {
        [b"0123456789abcdef".as_slice(), MODULES.as_bytes(), b"0123456789abcdef"].concat()
    }

    /// A program of one writable segment at 0x1000 with these bytes, and sections where `named`.
    fn program(data: &[u8], wide: bool, big: bool, named: bool) -> Vec<u8> {
        let number = |value: u64, size: usize| {
            let bytes = value.to_le_bytes();
            let part: Vec<u8> = bytes.iter().take(size).copied().collect();
            if big { part.into_iter().rev().collect() } else { part }
        };
        let word = if wide { 8 } else { 4 };
        let (header, segment, section) = if wide { (64u64, 56u64, 64u64) } else { (52, 32, 40) };
        let names: &[u8] = b"\0.go.buildinfo\0.shstrtab\0";
        let at = header + segment;
        let names_at = at + data.len() as u64;
        let sections_at = if named { names_at + names.len() as u64 } else { 0 };
        let mut bytes = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, if big { 2 } else { 1 }, 1];
        bytes.resize(16, 0);
        for (value, size) in
            [(2, 2), (0, 2), (1, 4), (0, word), (header, word), (sections_at, word), (0, 4), (header, 2), (segment, 2), (1, 2)]
        {
            bytes.extend(number(value, size));
        }
        let count = if named { 3 } else { 0 };
        [(section, 2), (count, 2), (count.saturating_sub(1), 2)].iter().for_each(|(value, size)| bytes.extend(number(*value, *size)));
        let size = data.len() as u64;
        let fields: &[(u64, usize)] = if wide {
            &[(1, 4), (6, 4), (at, 8), (0x1000, 8), (0, 8), (size, 8), (size, 8), (1, 8)]
        } else {
            &[(1, 4), (at, 4), (0x1000, 4), (0, 4), (size, 4), (size, 4), (6, 4), (1, 4)]
        };
        fields.iter().for_each(|(value, size)| bytes.extend(number(*value, *size)));
        bytes.extend(data);
        if named {
            bytes.extend(names);
            for (name, address, offset, size) in [(0, 0, 0, 0), (1, 0x1000, at, size), (15, 0, names_at, names.len() as u64)] {
                let fields =
                    [(name, 4), (1, 4), (3, word), (address, word), (offset, word), (size, word), (0, 4), (0, 4), (1, word), (0, word)];
                fields.iter().for_each(|(value, size)| bytes.extend(number(*value, *size)));
            }
        }
        bytes
    }

    fn with_pointers(wide: bool, big: bool) -> Vec<u8> {
        let word = if wide { 8usize } else { 4 };
        let number = |value: u64| {
            let part: Vec<u8> = value.to_le_bytes().iter().take(word).copied().collect();
            if big { part.into_iter().rev().collect::<Vec<u8>>() } else { part }
        };
        let (strings, texts) = (0x1000 + 32u64, 0x1000 + 32 + 4 * word as u64);
        let mut data = MAGIC.to_vec();
        data.extend([u8::try_from(word).expect("small"), u8::from(big)]);
        data.extend(number(strings));
        data.extend(number(strings + 2 * word as u64));
        data.resize(32, 0);
        for value in [texts, 6, texts + 6, marked().len() as u64] {
            data.extend(number(value));
        }
        data.extend(b"go1.17");
        data.extend(marked());
        data
    }

    fn inline_form() -> Vec<u8> {
        let mut data = vec![0; 16];
        data.extend(MAGIC);
        data.extend([8, 2]);
        data.resize(48, 0);
        data.push(6);
        data.extend(b"go1.22");
        data.push(u8::try_from(marked().len()).expect("short"));
        data.extend(marked());
        data
    }

    #[test]
    fn both_forms_are_found_with_and_without_sections() {
        let expected = |version: &str| [Told::new("stdlib", version), Told::new("golang.org/x/net", "v0.1.0")];
        for (wide, big) in [(true, false), (true, true), (false, false), (false, true)] {
            for named in [true, false] {
                let old = of_program(program(&with_pointers(wide, big), wide, big, named).as_slice()).expect("read").expect("found");
                assert_eq!(old.packages, expected("1.17"), "{wide} {big} {named}");
                let new = of_program(program(&inline_form(), wide, big, named).as_slice()).expect("read").expect("found");
                assert_eq!(new.packages, expected("1.22"), "{wide} {big} {named}");
            }
        }
        assert_eq!(of_program(program(b"something else", true, false, true).as_slice()), Ok(None));
        assert_eq!(of_program(b"#!/bin/sh".as_slice()), Ok(None));
    }

    #[test]
    fn damaged_programs_are_told_or_left_alone() {
        for good in [program(&inline_form(), true, false, true), program(&with_pointers(false, true), false, true, false)] {
            for at in 0..good.len() {
                let _ = of_program(good.get(..at).unwrap_or_default());
                for bad in [0, 0x7f, 0xff] {
                    let mut changed = good.clone();
                    changed.iter_mut().skip(at).take(1).for_each(|byte| *byte = bad);
                    let _ = of_program(changed.as_slice());
                }
            }
        }
        let cut = program(&inline_form(), true, false, true);
        assert!(of_program(cut.get(..200).unwrap_or_default()).is_err());
    }
}
