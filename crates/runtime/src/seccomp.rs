//! The default system call filter: docker's rules as facts, compiled once for each set of capabilities.

mod program;

use seccompiler::TargetArch;
use std::io;
use std::os::fd::OwnedFd;
use sys::seccomp::Instruction;

/// Calls that are always allowed, one or more a line.
const ALLOWED: &str = include_str!("seccomp/allowed.txt");
/// `CAPABILITY: calls`: allowed to who has it.
const BY_CAPABILITY: &str = include_str!("seccomp/capabilities.txt");
/// The set of capabilities that makes a difference: the key of a cache.
pub fn relevant(capabilities: u64) -> u64 {
    by_capability().map(|(bit, _)| bit).fold(0, |all, bit| all | bit) & capabilities
}

/// Compiles the filter for a process with these capabilities.
///
/// # Errors
/// When this architecture is not supported.
pub fn compile(capabilities: u64) -> io::Result<Vec<u8>> {
    let mut names: Vec<&str> = words(ALLOWED).collect();
    for (_, calls) in by_capability().filter(|(bit, _)| capabilities & bit != 0) {
        names.extend(words(calls));
    }
    let admin = capabilities & sys_admin() != 0;
    let program = program::build(&program::Rules {
        architecture: architecture()?,
        allowed: numbers(&names)?,
        personality: number("personality")?,
        socket: number("socket")?,
        clone: if admin { None } else { Some(number("clone")?) },
        clone3: if admin { None } else { Some(number("clone3")?) },
    })?;
    let length = u32::try_from(program.len()).map_err(io::Error::other)?;
    let mut bytes = length.to_le_bytes().to_vec();
    program.iter().for_each(|instruction| bytes.extend_from_slice(&instruction.to_bytes()));
    Ok(bytes)
}

/// As [`compile`], in memory that nobody can change and that can be handed to a shim.
///
/// # Errors
/// As [`compile`].
pub fn compile_sealed(capabilities: u64) -> io::Result<OwnedFd> {
    sys::fds::sealed_memory("seccomp", &compile(capabilities)?)
}

/// The filters in the form of [`compile`], ready to be installed one after the other.
///
/// # Errors
/// When the bytes are not of that form.
pub fn decode(mut bytes: &[u8]) -> io::Result<Vec<Vec<Instruction>>> {
    let mut filters = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (filter, rest) = length.checked_mul(8).and_then(|size| rest.split_at_checked(size)).ok_or(io::ErrorKind::InvalidData)?;
        filters.push(filter.as_chunks::<8>().0.iter().map(|&chunk| Instruction::from_bytes(chunk)).collect());
        bytes = rest;
    }
    Ok(filters)
}

// `AUDIT_ARCH_*` (linux/audit.h): the machine's number, 64 bit, little end first.
fn architecture() -> io::Result<u32> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(0xc000_003e),
        "aarch64" => Ok(0xc000_00b7),
        other => Err(io::Error::other(format!("there is no system call filter for {other}"))),
    }
}

fn number(name: &str) -> io::Result<u32> {
    numbers(&[name])?.first().copied().ok_or_else(|| io::Error::other(format!("no number for `{name}`")))
}

// The table of names is seccompiler's own: it compiles a filter that compares with each number, from which they are read.
// Its programs are long chains of comparisons; ours search in halves, which every system call of a container gains by.
fn numbers(names: &[&str]) -> io::Result<Vec<u32>> {
    let rules: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let json = format!(r#"{{"f": {{"mismatch_action": {{"errno": 1}}, "match_action": "allow", "filter": [{}]}}}}"#, rules.join(","));
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let mut compiled = seccompiler::compile_from_json(json.as_bytes(), target).map_err(io::Error::other)?;
    let chain = compiled.remove("f").unwrap_or_default();
    let architecture = architecture()?;
    let mut numbers: Vec<u32> =
        chain.iter().filter(|step| step.code == program::EQUAL && step.k != architecture).map(|step| step.k).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let distinct = names.iter().collect::<std::collections::BTreeSet<_>>().len();
    if numbers.len() == distinct { Ok(numbers) } else { Err(io::Error::other("the table of system calls cannot be read")) }
}

fn plain(name: &str) -> String {
    format!(r#"{{"syscall": "{name}"}}"#)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let x86 = cfg!(target_arch = "x86_64");
    // `x86:` marks calls that other machines do not have.
    text.split_ascii_whitespace().filter_map(move |word| match word.strip_prefix("x86:") {
        Some(name) => x86.then_some(name),
        None => Some(word),
    })
}

fn by_capability() -> impl Iterator<Item = (u64, &'static str)> {
    BY_CAPABILITY.lines().filter_map(|line| {
        let (name, calls) = line.split_once(':')?;
        Some((sys::creds::capability(name)?, calls))
    })
}

fn sys_admin() -> u64 {
    sys::creds::capability("SYS_ADMIN").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiles_for_every_set_and_reads_back() {
        for capabilities in [0, sys_admin(), u64::MAX] {
            let filters = decode(&compile(capabilities).expect("compiled")).expect("read");
            assert_eq!(filters.len(), 1);
            assert!(filters.iter().all(|filter| !filter.is_empty() && filter.len() < 1024), "{}", filters[0].len());
        }
        assert!(decode(&[9, 0, 0, 0, 1]).is_err());
        assert_eq!(by_capability().count(), BY_CAPABILITY.lines().count(), "every line names a capability");
    }

    #[test]
    fn answers_as_docker_does() {
        const ALLOW: u32 = 0x7fff_0000;
        let errno = |number: i32| 0x0005_0000 | number.unsigned_abs();
        let run = |capabilities: u64, name: &str, args: [u64; 2]| {
            let filter = decode(&compile(capabilities).expect("compiled")).expect("read").remove(0);
            program::interpret(&filter, architecture().expect("known"), number(name).expect("named"), args)
        };
        for name in ["read", "execve", "openat2", "ptrace", "seccomp", "futex"] {
            assert_eq!(run(0, name, [0, 0]), ALLOW, "{name}");
        }
        for name in ["mount", "setns", "bpf", "keyctl", "io_uring_setup", "unshare", "reboot", "userfaultfd", "open_by_handle_at"] {
            assert_eq!(run(0, name, [0, 0]), errno(1), "{name}");
        }
        assert_eq!(run(0, "clone3", [0, 0]), errno(38));
        assert_eq!(run(0, "clone", [0x0100_0011, 0]), ALLOW);
        assert_eq!(run(0, "clone", [0x1000_0011, 0]), errno(1), "a user namespace");
        assert_eq!(run(sys_admin(), "clone", [0x1000_0011, 0]), ALLOW);
        assert_eq!(run(sys_admin(), "clone3", [0, 0]), ALLOW);
        assert_eq!(run(sys_admin(), "mount", [0, 0]), ALLOW);
        assert_eq!((run(0, "socket", [2, 0]), run(0, "socket", [40, 0])), (ALLOW, errno(1)));
        assert_eq!((run(0, "personality", [8, 0]), run(0, "personality", [0x0004_0000, 0])), (ALLOW, errno(1)));
        let filter = decode(&compile(0).expect("compiled")).expect("read").remove(0);
        let here = architecture().expect("known");
        assert_eq!(program::interpret(&filter, here, 5_000, [0, 0]), errno(38), "newer than the lists");
        assert_eq!(program::interpret(&filter, here, 0x4000_0001, [0, 0]), errno(38), "x32");
        assert_eq!(program::interpret(&filter, 0x4000_0003, 1, [0, 0]), 0x8000_0000, "another machine's calls end the process");
        // Every number there is, against the lists.
        let allowed = numbers(&words(ALLOWED).collect::<Vec<_>>()).expect("numbers");
        let special = ["socket", "personality", "clone"].map(|name| super::number(name).expect("known"));
        for number in (0..=program::NEWEST).filter(|number| *number != 435) {
            let answer = program::interpret(&filter, here, number, [0, 0]);
            assert_eq!(answer == ALLOW, special.contains(&number) || allowed.contains(&number), "{number}");
        }
    }
}
