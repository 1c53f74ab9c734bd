//! The default system call filter: docker's rules as facts, compiled once for each set of capabilities.

use seccompiler::TargetArch;
use std::io;
use std::os::fd::OwnedFd;
use sys::seccomp::Instruction;

/// Calls that are always allowed, one or more a line.
const ALLOWED: &str = include_str!("seccomp/allowed.txt");
/// `CAPABILITY: calls`: allowed to who has it.
const BY_CAPABILITY: &str = include_str!("seccomp/capabilities.txt");
/// Namespace flags that `clone` must not carry without `SYS_ADMIN`.
const CLONE_NAMESPACES: u64 = 0x7E02_0000;
/// Socket families that are no business of a container: AF_VSOCK.
const VSOCK: u64 = 40;
/// Numbers that are the same on all machines: clone3, and the newest call that the lists were made from (mseal).
const CLONE3: u32 = 435;
const NEWEST: u32 = 462;

/// The set of capabilities that makes a difference: the key of a cache.
pub fn relevant(capabilities: u64) -> u64 {
    by_capability().map(|(bit, _)| bit).fold(0, |all, bit| all | bit) & capabilities
}

/// Compiles the filter for a process with these capabilities.
///
/// # Errors
/// When this architecture is not supported.
pub fn compile(capabilities: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Of two filters that answer with an error the one installed later is heard.
    let mut filters = vec![main(capabilities)?];
    filters.push(not_implemented(capabilities & sys_admin() == 0));
    for filter in filters {
        bytes.extend_from_slice(&u32::try_from(filter.len()).unwrap_or(u32::MAX).to_le_bytes());
        filter.iter().for_each(|instruction| bytes.extend_from_slice(&instruction.to_bytes()));
    }
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

fn main(capabilities: u64) -> io::Result<Vec<Instruction>> {
    let json = format!(r#"{{"f": {{"mismatch_action": {{"errno": 1}}, "match_action": "allow", "filter": [{}]}}}}"#, rules(capabilities));
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let mut compiled = seccompiler::compile_from_json(json.as_bytes(), arch).map_err(io::Error::other)?;
    let program = compiled.remove("f").ok_or_else(|| io::Error::other("the compiler returned no filter"))?;
    Ok(program.into_iter().map(|seccompiler::sock_filter { code, jt, jf, k }| Instruction { code, jt, jf, k }).collect())
}

// ENOSYS where a program is expected to fall back: clone3, whose flags a filter cannot see, and calls newer than the lists.
fn not_implemented(clone3: bool) -> Vec<Instruction> {
    let insn = |code: u16, jt: u8, jf: u8, k: u32| Instruction { code, jt, jf, k };
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS; the number is the first word
    const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
    const RETURN: u16 = 0x06;
    let hidden = if clone3 { CLONE3 } else { u32::MAX };
    vec![
        insn(LOAD, 0, 0, 0),
        insn(EQUAL, 2, 0, hidden),
        insn(ABOVE, 1, 0, NEWEST),
        insn(RETURN, 0, 0, 0x7fff_0000),
        insn(RETURN, 0, 0, 0x0005_0000 | 38),
    ]
}

fn rules(capabilities: u64) -> String {
    let mut rules: Vec<String> = words(ALLOWED).map(plain).collect();
    for (_, calls) in by_capability().filter(|(bit, _)| capabilities & bit != 0) {
        rules.extend(words(calls).map(plain));
    }
    // personality(2): Linux, Linux 32 bit, their variants without address randomisation, and asking.
    for value in [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff_u64] {
        rules.push(format!(r#"{{"syscall": "personality", "args": [{{"index": 0, "type": "dword", "op": "eq", "val": {value}}}]}}"#));
    }
    rules.push(format!(r#"{{"syscall": "socket", "args": [{{"index": 0, "type": "dword", "op": "ne", "val": {VSOCK}}}]}}"#));
    if capabilities & sys_admin() == 0 {
        rules.push(format!(
            r#"{{"syscall": "clone", "args": [{{"index": 0, "type": "qword", "op": {{"masked_eq": {CLONE_NAMESPACES}}}, "val": 0}}]}}"#
        ));
    }
    rules.join(",")
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
            assert_eq!(filters.len(), 2);
            assert!(filters.iter().all(|filter| !filter.is_empty() && filter.len() < 4096));
        }
        assert!(decode(&[9, 0, 0, 0, 1]).is_err());
        assert_eq!(by_capability().count(), BY_CAPABILITY.lines().count(), "every line names a capability");
    }
}
