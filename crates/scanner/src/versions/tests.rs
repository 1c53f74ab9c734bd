//! A few pairs of each rule, and that nothing makes a reader fall over. `xtask long versions` asks the ecosystems' own programs.

use super::*;
use proptest::prelude::*;

fn holds(ecosystem: &Ecosystem, rows: &[&str]) {
    for row in rows {
        let [left, sign, right] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let expected = match sign {
            "<" => Ordering::Less,
            "=" => Ordering::Equal,
            _ => Ordering::Greater,
        };
        assert_eq!(compare(ecosystem, left, right), Ok(expected), "{row}");
        assert_eq!(compare(ecosystem, right, left), Ok(expected.reverse()), "{row}, the other way round");
    }
}

#[test]
fn debian_knows_epochs_tildes_and_revisions() {
    let debian = Ecosystem::Debian("12".to_owned());
    holds(&debian, &["1:0.1 > 2.0", "1.0~rc1 < 1.0", "1.0-1 < 1.0-1+deb12u1", "1.0a < 1.0+b", "1.0 = 1.0-0", "1.09 = 1.9", "1.0~~ < 1.0~"]);
    assert!(["", ":1", "a:1", "1.0_2", "1.0\u{e4}"].iter().all(|wrong| !is_version(&debian, wrong)));
}

#[test]
fn alpine_knows_suffixes_and_fractions() {
    let alpine = Ecosystem::Alpine("v3.20".to_owned());
    holds(
        &alpine,
        &["1.2_alpha < 1.2", "1.2 < 1.2_p1", "1.2_rc1 > 1.2_beta9", "1.2b > 1.2", "1.01 < 1.1", "1.2.3-r1 > 1.2.3-r0", "1.0 < 1.0.0"],
    );
    assert!(["", "1.", "a", "1_foo", "1-r", "1~", "1.2_"].iter().all(|wrong| !is_version(&alpine, wrong)));
}

#[test]
fn semantic_versions_of_cargo_and_npm() {
    let rows = ["1.2.3-alpha.1 < 1.2.3", "1.2.3+a = 1.2.3+b", "1.0.0-alpha.9 < 1.0.0-alpha.10", "1.0.0-1 < 1.0.0-a", "1.10.0 > 1.9.99"];
    holds(&Ecosystem::Cargo, &rows);
    holds(&Ecosystem::Npm, &rows);
    holds(&Ecosystem::Npm, &["v1.2.3 = 1.2.3"]);
    assert!(["1.2", "01.2.3", "1.2.3.4", "1.2.3-01", "v1.2.3", ""].iter().all(|wrong| !is_version(&Ecosystem::Cargo, wrong)));
}

#[test]
fn go_knows_modules_and_releases() {
    holds(
        &Ecosystem::Go,
        &[
            "v1.2.3+incompatible = 1.2.3",
            "v0.0.0-20200101000000-abcdefabcdef < 0.0.1",
            "go1.21rc2 < 1.21.0",
            "go1.21rc2 > 1.21.0-0",
            "1.21rc2 = go1.21rc2",
            "1.21rc2 < 1.21",
            "1.22beta1-vendor < 1.22rc1",
            "go1.22.1 = 1.22.1",
            "go1.22.1-vendor = 1.22.1",
            "go1.9 < go1.10",
        ],
    );
    assert!(
        ["(devel)", "", "godevel", "go1.2.3.4rc1", "0v9", "1v0.0", "1.21rc2x", "1.21rc"]
            .iter()
            .all(|wrong| !is_version(&Ecosystem::Go, wrong))
    );
}

#[test]
fn pypi_knows_its_phases_and_says_what_it_cannot_read() {
    holds(
        &Ecosystem::PyPi,
        &["1.0.dev1 < 1.0a1", "1.0a1 < 1.0", "1.0 < 1.0.post1", "1.0 = 1.0.0", "1!0.1 > 9.9", "1.0+local > 1.0", "1.0-1 = 1.0.post1"],
    );
    let error = compare(&Ecosystem::PyPi, "1.0", "2004d").expect_err("a legacy version");
    assert_eq!(error.to_string(), "`2004d` is no version of PyPI");
}

const ALL: [fn() -> Ecosystem; 7] = [
    || Ecosystem::Debian(String::new()),
    || Ecosystem::Ubuntu(String::new()),
    || Ecosystem::Alpine(String::new()),
    || Ecosystem::Cargo,
    || Ecosystem::PyPi,
    || Ecosystem::Npm,
    || Ecosystem::Go,
];

proptest! {
    #[test]
    fn no_text_makes_an_order_fall_over(left in ".{0,40}", right in "[0-9a-z.:~+_-]{0,40}") {
        for ecosystem in ALL.map(|make| make()) {
            let there = compare(&ecosystem, &left, &right);
            let back = compare(&ecosystem, &right, &left);
            prop_assert_eq!(there.ok(), back.ok().map(Ordering::reverse));
        }
    }
}
