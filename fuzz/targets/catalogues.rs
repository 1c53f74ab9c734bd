//! Whatever a lock file, a database, a program or another tool's list says is read or refused.
#![no_main]

use scanner::catalogues::{
    apk, cargo_auditable, cargo_lock, dpkg, go_buildinfo, go_mod, npm_installed, npm_lock, pdm_lock, pipfile_lock, pnpm_lock, poetry_lock,
    python_installed, requirements, uv_lock, yarn_lock,
};
use scanner::sbom::purl::Purl;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = (go_buildinfo::of_program(bytes), cargo_auditable::of_program(bytes), cargo_auditable::parse(bytes));
    let _ = scanner::sbom::read(bytes, "x");
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (apk::parse(text), dpkg::parse(text), requirements::parse(text), python_installed::parse(text));
    let _ = (cargo_lock::parse(text), poetry_lock::parse(text), pdm_lock::parse(text), uv_lock::parse(text));
    let _ = (npm_lock::parse(text), npm_installed::parse(text), yarn_lock::parse(text), pnpm_lock::parse(text));
    let _ = (pipfile_lock::parse(text), go_mod::parse(text));
    if let Some(purl) = Purl::parse(text) {
        assert_eq!(Purl::parse(&purl.to_string()).map(|again| again.to_string()), Some(purl.to_string()));
    }
});
