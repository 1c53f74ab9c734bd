//! Licences as packages write them, and as SPDX expressions where they are such (SPDX 2.3, annex D).

/// The identifiers in common use (spdx.org/licenses).
const KNOWN: &[&str] = &[
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "CPL-1.0",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "FTL",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "Libpng",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Python-2.0.1",
    "Ruby",
    "SGI-B-2.0",
    "SSLeay-standalone",
    "TCL",
    "UPL-1.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "Zlib",
    "ZPL-2.1",
    "bzip2-1.0.6",
    "curl",
    "libtiff",
    "zlib-acknowledgement",
];

const EXCEPTIONS: &[&str] = &[
    "Autoconf-exception-3.0",
    "Bison-exception-2.2",
    "Classpath-exception-2.0",
    "GCC-exception-3.1",
    "LLVM-exception",
    "OpenSSL-exception",
];

/// What a licence's text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum License {
    /// One identifier.
    Id(&'static str),
    /// Several, joined as SPDX does.
    Expression(String),
    /// Words of the author's own.
    Named(String),
}

pub(super) fn read(text: &str) -> License {
    if let Some(id) = known(text.trim()) {
        return License::Id(id);
    }
    expression(text).map_or_else(|| License::Named(text.trim().to_owned()), License::Expression)
}

fn known(word: &str) -> Option<&'static str> {
    KNOWN.iter().find(|id| id.eq_ignore_ascii_case(word)).copied()
}

/// Licences and `AND` or `OR` by turns, parentheses balanced, `WITH` an exception.
fn expression(text: &str) -> Option<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut out, mut open, mut wants_license, mut wants_exception) = (Vec::new(), 0u32, true, false);
    for word in spaced.split_whitespace() {
        match word {
            "(" if wants_license => open = open.checked_add(1)?,
            ")" if !wants_license && !wants_exception => open = open.checked_sub(1)?,
            "AND" | "OR" if !wants_license && !wants_exception => wants_license = true,
            "WITH" if !wants_license && !wants_exception => wants_exception = true,
            word if wants_exception => {
                out.push(*EXCEPTIONS.iter().find(|id| id.eq_ignore_ascii_case(word))?);
                wants_exception = false;
                continue;
            }
            word if wants_license => {
                out.push(known(word)?);
                wants_license = false;
                continue;
            }
            _ => return None,
        }
        out.push(match word {
            "(" => "(",
            ")" => ")",
            "AND" => "AND",
            "OR" => "OR",
            _ => "WITH",
        });
    }
    (open == 0 && !wants_license && !wants_exception).then(|| out.join(" ").replace("( ", "(").replace(" )", ")"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_from_words() {
        assert_eq!(read("mit"), License::Id("MIT"));
        assert_eq!(read("(MIT OR apache-2.0) AND BSD-3-Clause"), License::Expression("(MIT OR Apache-2.0) AND BSD-3-Clause".into()));
        assert_eq!(read("Apache-2.0 WITH LLVM-exception"), License::Expression("Apache-2.0 WITH LLVM-exception".into()));
        for words in ["BSD License", "MIT AND", "(MIT", "MIT)", "MIT MIT", "MIT WITH", "AND", "", "SEE LICENSE IN x"] {
            assert_eq!(read(words), License::Named(words.into()), "{words}");
        }
    }
}
