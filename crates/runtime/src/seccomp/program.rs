//! The filter as a program: a search in halves over ranges of numbers, and a few calls whose arguments count.

use std::io;
use sys::seccomp::Instruction;

/// The newest call that the lists were made from (mseal); past it a program is to fall back, as on an older kernel.
pub const NEWEST: u32 = 462;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
pub const EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGE | BPF_K`.
const AT_LEAST: u16 = 0x35;
/// `BPF_JMP | BPF_JSET | BPF_K`.
const ANY_OF: u16 = 0x45;
/// `BPF_JMP | BPF_JA`.
const SKIP: u16 = 0x05;
/// `BPF_LD | BPF_W | BPF_ABS`.
const LOAD: u16 = 0x20;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

/// Where things are in `struct seccomp_data`: little end first, so the low half of an argument comes first.
const AT_NUMBER: u32 = 0;
const AT_ARCHITECTURE: u32 = 4;
const AT_FIRST_ARGUMENT: u32 = 16;

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const NOT_PERMITTED: u32 = 0x0005_0001;
const NOT_IMPLEMENTED: u32 = 0x0005_0026;

/// Namespace flags that `clone` must not carry: all but the one for time, which shares its bit with the exit signal.
const CLONE_NAMESPACES: u32 = 0x7e02_0000;
/// A family that leads to the host of a virtual machine: AF_VSOCK.
const VSOCK: u32 = 40;
/// personality(2): Linux, Linux with 32 bit names, both without address randomisation, and asking.
const PERSONALITIES: [u32; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// What the program is to say. Numbers of calls.
pub struct Rules {
    /// `AUDIT_ARCH_*`.
    pub architecture: u32,
    /// Allowed whatever their arguments, sorted.
    pub allowed: Vec<u32>,
    /// Allowed for [`PERSONALITIES`].
    pub personality: u32,
    /// Allowed but for [`VSOCK`].
    pub socket: u32,
    /// Allowed without [`CLONE_NAMESPACES`]; `None` where it is in `allowed`.
    pub clone: Option<u32>,
    /// Not implemented, as its flags cannot be seen; `None` where it is in `allowed`.
    pub clone3: Option<u32>,
}

fn step(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// Builds the program.
///
/// # Errors
/// When it grows past what jumps can reach, which it does not.
pub fn build(rules: &Rules) -> io::Result<Vec<Instruction>> {
    let mut program = vec![
        step(LOAD, 0, 0, AT_ARCHITECTURE),
        step(EQUAL, 1, 0, rules.architecture),
        step(RETURN, 0, 0, KILL),
        step(LOAD, 0, 0, AT_NUMBER),
    ];
    if let Some(clone3) = rules.clone3 {
        program.extend([step(EQUAL, 0, 1, clone3), step(RETURN, 0, 0, NOT_IMPLEMENTED)]);
    }
    // Each is passed over whole by any other call.
    let personalities = PERSONALITIES.iter().flat_map(|&value| [step(EQUAL, 0, 1, value), step(RETURN, 0, 0, ALLOW)]);
    block(&mut program, rules.personality, personalities.chain([step(RETURN, 0, 0, NOT_PERMITTED)]).collect())?;
    block(&mut program, rules.socket, vec![step(EQUAL, 0, 1, VSOCK), step(RETURN, 0, 0, NOT_PERMITTED), step(RETURN, 0, 0, ALLOW)])?;
    if let Some(clone) = rules.clone {
        let flags = vec![step(ANY_OF, 0, 1, CLONE_NAMESPACES), step(RETURN, 0, 0, NOT_PERMITTED), step(RETURN, 0, 0, ALLOW)];
        block(&mut program, clone, flags)?;
    }
    program.extend(search(&ranges(&rules.allowed)));
    Ok(program)
}

fn block(program: &mut Vec<Instruction>, number: u32, body: Vec<Instruction>) -> io::Result<()> {
    let past = u8::try_from(body.len() + 1).map_err(io::Error::other)?;
    program.extend([step(EQUAL, 0, past, number), step(LOAD, 0, 0, AT_FIRST_ARGUMENT)]);
    program.extend(body);
    Ok(())
}

/// Where the answer changes: first numbers of ranges, with the answer that holds from there on.
fn ranges(allowed: &[u32]) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in 0..=NEWEST {
        let answer = if allowed.binary_search(&number).is_ok() { ALLOW } else { NOT_PERMITTED };
        if ranges.last().is_none_or(|&(_, last)| last != answer) {
            ranges.push((number, answer));
        }
    }
    ranges.push((NEWEST + 1, NOT_IMPLEMENTED));
    ranges
}

// Halves are at most nine deep: there are fewer than 512 numbers.
fn search(ranges: &[(u32, u32)]) -> Vec<Instruction> {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let Some(&(middle, answer)) = high.first() else { return Vec::new() };
    if low.is_empty() {
        return vec![step(RETURN, 0, 0, answer)];
    }
    let (low, high) = (search(low), search(high));
    // A conditional jump reaches 255 steps, a plain one any number.
    let mut program = match u8::try_from(low.len()) {
        Ok(length) => vec![step(AT_LEAST, length, 0, middle)],
        Err(_) => vec![step(AT_LEAST, 0, 1, middle), step(SKIP, 0, 0, u32::try_from(low.len()).unwrap_or(u32::MAX))],
    };
    program.extend(low);
    program.extend(high);
    program
}

/// What a program answers: for tests.
#[cfg(test)]
pub fn interpret(program: &[Instruction], architecture: u32, number: u32, args: [u64; 2]) -> u32 {
    let (mut at, mut value) = (0_usize, 0_u32);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let jump = |yes: bool| usize::from(if yes { jt } else { jf });
        match code {
            LOAD if k == AT_NUMBER => value = number,
            LOAD if k == AT_ARCHITECTURE => value = architecture,
            LOAD if k == AT_FIRST_ARGUMENT => value = args[0] as u32,
            EQUAL => at += jump(value == k),
            AT_LEAST => at += jump(value >= k),
            ANY_OF => at += jump(value & k != 0),
            SKIP => at += k as usize,
            RETURN => return k,
            other => panic!("unknown {other:#x}"),
        }
    }
}
