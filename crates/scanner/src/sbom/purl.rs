//! Package URLs (ECMA-427): `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.
//!
//! Go's module paths keep their case against the rule of their type: they differ by it (go.dev/ref/mod, "Module paths"), and whoever reads
//! the URL could not find the module otherwise.

use crate::catalogues::python_installed::normal;
use crate::os;
use crate::package::{Ecosystem, Os, Package, Source};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::collections::BTreeMap;
use std::fmt;

/// All but letters, digits and `.-_~:` is encoded ("Character encoding").
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b':');

/// A package URL, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purl {
    /// The type, in lower case.
    pub kind: String,
    /// What stands before the name, its parts joined by `/`; empty where there is none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The version; empty where there is none.
    pub version: String,
    /// Further facts.
    pub qualifiers: BTreeMap<String, String>,
    /// A path within the package; empty where there is none.
    pub subpath: String,
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        write!(f, "pkg:{}/", self.kind)?;
        for part in self.namespace.split('/').filter(|part| !part.is_empty()) {
            write!(f, "{}/", encoded(part))?;
        }
        write!(f, "{}", encoded(&self.name))?;
        if !self.version.is_empty() {
            write!(f, "@{}", encoded(&self.version))?;
        }
        let mut separator = '?';
        for (key, value) in self.qualifiers.iter().filter(|(_, value)| !value.is_empty()) {
            write!(f, "{separator}{key}={}", encoded(value))?;
            separator = '&';
        }
        let mut separator = '#';
        for part in self.subpath.split('/').filter(|part| !part.is_empty()) {
            write!(f, "{separator}{}", encoded(part))?;
            separator = '/';
        }
        Ok(())
    }
}

impl Purl {
    /// Reads one, as "How to parse" says, from the right.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim();
        let rest = rest.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("pkg:")).and_then(|_| rest.get(4..))?;
        let (rest, subpath) = rest.rsplit_once('#').unwrap_or((rest, ""));
        let (rest, qualifiers) = rest.rsplit_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.trim_start_matches('/').split_once('/')?;
        let rest = rest.trim_matches('/');
        // A scope's `@` may stand unencoded before the last slash.
        let at = rest.rfind('@').filter(|at| *at > rest.rfind('/').map_or(0, |slash| slash + 1));
        let (path, version) = at.and_then(|at| Some((rest.get(..at)?, rest.get(at + 1..)?))).unwrap_or((rest, ""));
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let valid = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        if !valid || name.is_empty() {
            return None;
        }
        let pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('=')).filter(|(_, value)| !value.is_empty());
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            namespace: joined(namespace, |_| true)?,
            name: decoded(name)?,
            version: decoded(version)?,
            qualifiers: pairs.map(|(key, value)| Some((key.to_ascii_lowercase(), decoded(value)?))).collect::<Option<_>>()?,
            subpath: joined(subpath, |part| !matches!(part, "." | ".."))?,
        })
    }

    /// A package's.
    pub fn of(package: &Package, os: Option<&Os>) -> Self {
        let plain = |kind: &str, name: &str| Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            version: package.version.clone(),
            ..Self::default()
        };
        let split = |kind: &str| match package.name.rsplit_once('/') {
            Some((namespace, name)) => Self { namespace: namespace.to_owned(), ..plain(kind, name) },
            None => plain(kind, &package.name),
        };
        match &package.ecosystem {
            Ecosystem::Debian(release) => distribution(package, os, "debian", release, plain("deb", &package.name)),
            Ecosystem::Ubuntu(release) => distribution(package, os, "ubuntu", release, plain("deb", &package.name)),
            Ecosystem::Alpine(release) => distribution(package, os, "alpine", release.trim_start_matches('v'), plain("apk", &package.name)),
            Ecosystem::Cargo => plain("cargo", &package.name),
            Ecosystem::PyPi => plain("pypi", &package.name),
            Ecosystem::Npm => split("npm"),
            Ecosystem::Go => split("golang"),
        }
    }

    /// The package that it names; none of a type that is not known here, or without a version.
    pub fn package(&self, file: &str) -> Option<Package> {
        let whole = || if self.namespace.is_empty() { self.name.clone() } else { format!("{}/{}", self.namespace, self.name) };
        let distribution = self.qualifiers.get("distro").map(|distro| distro.rsplit_once('-').unwrap_or((distro, ""))).unwrap_or_default();
        let os = Os { id: self.namespace.clone(), version: distribution.1.to_owned(), name: String::new() };
        let (ecosystem, name) = match self.kind.as_str() {
            "deb" => (os::dpkg(Some(&os)), self.name.clone()),
            "apk" => (os::apk(Some(&os)), self.name.clone()),
            "cargo" => (Ecosystem::Cargo, self.name.clone()),
            "pypi" => (Ecosystem::PyPi, normal(&self.name)),
            "npm" => (Ecosystem::Npm, whole()),
            "golang" => (Ecosystem::Go, whole()),
            _ => return None,
        };
        if self.version.is_empty() {
            return None;
        }
        Some(Package {
            source: self.source().filter(|source| (&source.name, &source.version) != (&name, &self.version)),
            architecture: self.qualifiers.get("arch").filter(|_| ecosystem.is_distribution()).cloned(),
            ecosystem,
            name,
            version: self.version.clone(),
            licenses: Vec::new(),
            file: file.to_owned(),
            line: None,
            layer: None,
            development: false,
            owned: false,
        })
    }

    /// The source package: `upstream=NAME@VERSION`, or `source=NAME` with `sourceversion=VERSION`.
    fn source(&self) -> Option<Source> {
        let (name, version) = match (self.qualifiers.get("upstream"), self.qualifiers.get("source")) {
            (Some(upstream), _) => upstream.rsplit_once('@').unwrap_or((upstream, &self.version)),
            (None, Some(name)) => (name.as_str(), self.qualifiers.get("sourceversion").map_or(self.version.as_str(), String::as_str)),
            (None, None) => return None,
        };
        (!name.is_empty()).then(|| Source { name: name.to_owned(), version: version.to_owned() })
    }
}

fn distribution(package: &Package, os: Option<&Os>, vendor: &str, release: &str, purl: Purl) -> Purl {
    let vendor = os.map_or(vendor, |os| os.id.as_str());
    let version = os.map_or(release, |os| os.version.as_str());
    let mut qualifiers = BTreeMap::new();
    if let Some(architecture) = &package.architecture {
        qualifiers.insert("arch".to_owned(), architecture.clone());
    }
    if !version.is_empty() {
        qualifiers.insert("distro".to_owned(), format!("{vendor}-{version}"));
    }
    if let Some(source) = &package.source {
        let same = source.version == package.version;
        qualifiers.insert("upstream".to_owned(), if same { source.name.clone() } else { format!("{}@{}", source.name, source.version) });
    }
    Purl { namespace: vendor.to_lowercase(), qualifiers, ..purl }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

fn joined(path: &str, keep: impl Fn(&str) -> bool) -> Option<String> {
    let parts = path.split('/').filter(|part| !part.is_empty() && keep(part));
    Some(parts.map(decoded).collect::<Option<Vec<_>>>()?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the specification's own examples ("Some purl examples") and its test suite.
    #[test]
    fn examples_of_the_specification_are_read_and_written() {
        for text in [
            "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
            "pkg:deb/debian/attr@1:2.4.47-2?arch=source",
            "pkg:golang/google.golang.org/genproto#googleapis/api/annotations",
            "pkg:golang/github.com/gorilla/context@234fd47e07d1004f0aed9c",
            "pkg:npm/%40angular/animation@12.3.1",
            "pkg:npm/foobar@12.3.1",
            "pkg:pypi/django@1.11.1",
            "pkg:cargo/rand@0.7.2",
            "pkg:apk/alpine/curl@7.83.0-r0?arch=x86",
            "pkg:cargo/structopt@0.3.11",
        ] {
            assert_eq!(Purl::parse(text).expect(text).to_string(), text);
        }
        let odd = Purl::parse("PKG:NPM/@angular/animation@12.3.1").expect("an unencoded scope");
        assert_eq!(odd.to_string(), "pkg:npm/%40angular/animation@12.3.1");
        for text in ["", "pkg:", "pkg:npm", "pkg:npm/", "npm/x", "pkg:np m/x", "pkg:npm/%ff"] {
            assert_eq!(Purl::parse(text), None, "{text}");
        }
        assert_eq!(Purl::parse("pkg://npm//x/").map(|purl| purl.to_string()).as_deref(), Some("pkg:npm/x"));
    }

    #[test]
    fn packages_survive_the_way_there_and_back() {
        let debian = Os { id: "debian".into(), version: "12".into(), name: String::new() };
        let alpine = Os { id: "alpine".into(), version: "3.20.3".into(), name: String::new() };
        let source = Some(Source { name: "util-linux".into(), version: "2.38.1-5".into() });
        let package = |ecosystem, name: &str, version: &str, source, architecture: Option<&str>| Package {
            ecosystem,
            name: name.into(),
            version: version.into(),
            source,
            architecture: architecture.map(str::to_owned),
            licenses: vec![],
            file: "x".into(),
            line: None,
            layer: None,
            development: false,
            owned: false,
        };
        for (package, os, text) in [
            (
                package(Ecosystem::Debian("12".into()), "bsdutils", "1:2.38.1-5", source, Some("amd64")),
                Some(&debian),
                "pkg:deb/debian/bsdutils@1:2.38.1-5?arch=amd64&distro=debian-12&upstream=util-linux%402.38.1-5",
            ),
            (
                package(Ecosystem::Alpine("v3.20".into()), "musl", "1.2.5-r0", None, Some("x86_64")),
                Some(&alpine),
                "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.3",
            ),
            (
                package(Ecosystem::Go, "github.com/BurntSushi/toml", "v1.0.0+incompatible", None, None),
                None,
                "pkg:golang/github.com/BurntSushi/toml@v1.0.0%2Bincompatible",
            ),
            (package(Ecosystem::Npm, "@s/a", "1.0.0", None, None), None, "pkg:npm/%40s/a@1.0.0"),
            (package(Ecosystem::Debian(String::new()), "libstdc++6", "1~rc", None, None), None, "pkg:deb/debian/libstdc%2B%2B6@1~rc"),
        ] {
            assert_eq!(Purl::of(&package, os).to_string(), text);
            assert_eq!(Purl::parse(text).and_then(|purl| purl.package("x")), Some(package));
        }
    }
}
