//! Protections that tests switch off, to see that what they test would otherwise go wrong. Without the feature `weakened`
//! (which no binary that is shipped has) nothing can be switched off, and the questions below are constants.

use std::sync::atomic::{AtomicU32, Ordering};

static OFF: AtomicU32 = AtomicU32::new(0);

/// A protection, by the attack that it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Weakness {
    /// CVE-2019-5736: the shim's program may be opened for writing.
    WritableProgram = 1,
    /// CVE-2021-30465, CVE-2021-25741, CVE-2017-1002101: paths are resolved by the host's rules.
    PlainPaths = 2,
    /// CVE-2024-21626: descriptors stay open across exec, and the working directory is not checked.
    LeakedFiles = 4,
    /// CVE-2025-31133: `/dev/null` is taken from the image's view for masking.
    MaskFromRoot = 8,
    /// CVE-2025-52565: `/dev/console` is bound by the name of the terminal.
    ConsoleByName = 16,
    /// CVE-2025-52881: mounts may cover `/proc`, and what is written there is not verified.
    CoveredProc = 32,
}

/// Switches protections off for this process, as far as this build lets anybody.
pub fn switch_off(bits: u32) {
    if cfg!(feature = "weakened") {
        OFF.store(bits, Ordering::Relaxed);
    }
}

/// Whether a protection is off.
pub fn is(weakness: Weakness) -> bool {
    cfg!(feature = "weakened") && OFF.load(Ordering::Relaxed) & weakness as u32 != 0
}
