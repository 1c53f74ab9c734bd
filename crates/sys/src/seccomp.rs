//! Installs compiled system call filters.

use crate::check;
use std::io;

/// One instruction of a classic BPF program, in memory as the kernel wants it (linux/filter.h).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump if true.
    pub jt: u8,
    /// Jump if false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

impl Instruction {
    /// The eight bytes of an instruction, little end first.
    pub fn to_bytes(self) -> [u8; 8] {
        let ([a, b], [e, f, g, h]) = (self.code.to_le_bytes(), self.k.to_le_bytes());
        [a, b, self.jt, self.jf, e, f, g, h]
    }

    /// From [`Instruction::to_bytes`].
    pub fn from_bytes([a, b, jt, jf, e, f, g, h]: [u8; 8]) -> Self {
        Self { code: u16::from_le_bytes([a, b]), jt, jf, k: u32::from_le_bytes([e, f, g, h]) }
    }
}

/// Adds a filter to those of this thread. Kept across exec; can never be taken off.
///
/// # Errors
/// `EACCES` with neither `no_new_privs` nor `CAP_SYS_ADMIN`; `EINVAL` for a program that the kernel refuses.
pub fn install(program: &[Instruction]) -> io::Result<()> {
    #[repr(C)]
    struct Program {
        length: u16,
        first: *const Instruction,
    }
    let length = u16::try_from(program.len()).map_err(|_| rustix::io::Errno::INVAL)?;
    let program = Program { length, first: program.as_ptr() };
    // SAFETY: the structure is the kernel's sock_fprog; both it and the instructions outlive the call, which copies them.
    check(unsafe { libc::syscall(libc::SYS_seccomp, 1_u32, 0_u32, &raw const program) }).map(drop)
}
