//! Every reader of foreign text takes or refuses whatever it is given.

use proptest::prelude::*;
use scanner::catalogues::{
    apk, cargo_auditable, cargo_lock, dpkg, go_buildinfo, go_mod, npm_installed, npm_lock, pdm_lock, pipfile_lock, pnpm_lock, poetry_lock,
    python_installed, requirements, uv_lock, yarn_lock,
};
use scanner::sbom::purl::Purl;

fn read_all(text: &str) {
    let _ = (apk::parse(text), dpkg::parse(text), requirements::parse(text), python_installed::parse(text));
    let _ = (cargo_lock::parse(text), poetry_lock::parse(text), pdm_lock::parse(text), uv_lock::parse(text));
    let _ = (npm_lock::parse(text), npm_installed::parse(text), yarn_lock::parse(text), pnpm_lock::parse(text));
    let _ = (pipfile_lock::parse(text), go_mod::parse(text), cargo_auditable::parse(text.as_bytes()));
    let _ = (go_buildinfo::of_program(text.as_bytes()), cargo_auditable::of_program(text.as_bytes()));
}

/// Words that the formats know, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("[[package]]\n".to_owned()),
        Just("name = \"a\"\n".to_owned()),
        Just("version = \"1\"\n".to_owned()),
        Just("{\"packages\": {\"node_modules/a\": ".to_owned()),
        Just("{\"default\": {\"a\": {\"version\": \"==1\"}}}".to_owned()),
        Just("lockfileVersion: 9\npackages:\n  a@1:\n".to_owned()),
        Just("# yarn lockfile v1\n\"@a@npm:@b@1\":\n  version \"1\"\n".to_owned()),
        Just("Package: a\nVersion: 1\nSource: b (\n\n".to_owned()),
        Just("P:a\nV:1\no:b\n\n".to_owned()),
        Just("a[x==1.0;\\\n -r \n".to_owned()),
        Just("require (\nreplace a => b\nmodule x\n".to_owned()),
        "[ -~]{0,6}",
        "\\PC{0,3}",
        Just("\n".to_owned()),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn words_of_all_formats_are_taken_or_refused(text in words()) {
        read_all(&text);
    }

    #[test]
    fn package_urls_are_read_back_as_they_are_written(text in "(pkg:)?[a-z]{0,4}/[ -~]{0,20}") {
        if let Some(purl) = Purl::parse(&text) {
            let written = purl.to_string();
            prop_assert_eq!(Purl::parse(&written).map(|again| again.to_string()), Some(written));
        }
    }
}
