//! What `ADD` names as a git repository, read as BuildKit reads it: an address, and behind it which commit and which folder.

use crate::check::is_remote;

/// A repository as an `ADD` names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// What git is given.
    pub url: String,
    /// A branch, a tag, a whole name such as `refs/heads/main`, or a commit; empty: what the repository has as its own.
    pub reference: String,
    /// The folder that is added; empty for all.
    pub folder: String,
    /// How the commit's id must begin.
    pub commit: String,
    /// `keep-git-dir` behind the address.
    pub keep_git_dir: Option<bool>,
    /// Whether submodules are added too.
    pub submodules: bool,
}

/// What can stand behind a `?`, as BuildKit has it.
const KEYS: &str = "ref, branch, tag, commit, checksum, subdir, keep-git-dir and submodules";

/// Whether a source is a repository.
pub(crate) fn is_repository(source: &str) -> bool {
    let place = source.split(['#', '?']).next().unwrap_or_default();
    let by_scheme = ["git://", "ssh://"].iter().any(|scheme| source.starts_with(scheme));
    by_scheme || is_remote(source) && place.ends_with(".git") || of_secure_shell(place)
}

/// Whether an address is reached by ssh, and so with somebody's key.
pub(crate) fn by_secure_shell(url: &str) -> bool {
    url.starts_with("ssh://") || of_secure_shell(url)
}

/// `user@host:path`.
fn of_secure_shell(place: &str) -> bool {
    let Some((user, rest)) = place.split_once('@') else { return false };
    let word = |text: &str, more: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    word(user, "-_") && rest.split_once(':').is_some_and(|(host, path)| word(host, "-.") && !path.is_empty())
}

/// The host of an address, without its port.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split('/').next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
    place.split(':').next().unwrap_or_default()
}

impl Address {
    /// Reads a source for which [`is_repository`] says so.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let (place, fragment) = source.split_once('#').unwrap_or((source, ""));
        let (url, query) = place.split_once('?').unwrap_or((place, ""));
        let mut address = Self { url: url.to_owned(), submodules: true, ..Self::default() };
        // git takes what begins so for an option.
        if url.starts_with('-') || url.chars().any(char::is_control) {
            return Err("the address cannot be given to git".to_owned());
        }
        let (reference, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
        (address.reference, address.folder) = (reference.to_owned(), folder.to_owned());
        for field in query.split('&').filter(|field| !field.is_empty()) {
            let (key, value) = field.split_once('=').unwrap_or((field, ""));
            address.set(key, value)?;
        }
        let wrong = address.reference.starts_with('-') || address.reference.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c));
        if wrong || address.reference.contains("..") {
            return Err(format!("`{}` is no name of a branch, a tag or a commit", address.reference));
        }
        check_commit(&address.commit)?;
        Ok(address)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let switch = || match value {
            "" | "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("`{key}` takes true or false, and not `{value}`")),
        };
        let mut named = |name: String| {
            if !self.reference.is_empty() && self.reference != name {
                return Err(format!("it names `{}` and `{name}`", self.reference));
            }
            self.reference = name;
            Ok(())
        };
        match key {
            "ref" => named(value.to_owned()),
            "branch" => named(format!("refs/heads/{}", value.trim_start_matches("refs/heads/"))),
            "tag" => named(format!("refs/tags/{}", value.trim_start_matches("refs/tags/"))),
            "subdir" => {
                self.folder = value.to_owned();
                Ok(())
            }
            "commit" | "checksum" => {
                self.commit = value.to_owned();
                Ok(())
            }
            "keep-git-dir" => {
                self.keep_git_dir = Some(switch()?);
                Ok(())
            }
            "submodules" => {
                self.submodules = switch()?;
                Ok(())
            }
            _ => Err(format!("`{key}` is not known behind a `?`: {KEYS} are")),
        }
    }
}

/// The beginning of a commit's id, or all of it.
pub(crate) fn check_commit(text: &str) -> Result<(), String> {
    if text.len() <= 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Ok(());
    }
    Err(format!("`{text}` is no commit: its id, or how that begins, has the digits 0-9 and a-f"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repositories_are_told_from_files_and_addresses() {
        for source in [
            "https://example.com/x.git",
            "HTTP://example.com/x.git#main:sub",
            "https://example.com/x.git?tag=v1",
            "git://example.com/x",
            "ssh://git@example.com/x",
            "git@example.com:me/x.git",
            "me@host:x#main",
        ] {
            assert!(is_repository(source), "{source}");
        }
        for source in ["https://example.com/x.tar.gz", "https://example.com/x#y.git", "x.git", "a/git@x", "@x:y", "x@y", "./git@x:y", ""] {
            assert!(!is_repository(source), "{source}");
        }
        assert!(by_secure_shell("git@h:x") && by_secure_shell("ssh://h/x") && !by_secure_shell("https://h/x.git"));
        assert_eq!([host("https://u:p@h.io:8443/x.git"), host("git@h.io:x"), host("ssh://git@h/x")], ["h.io", "h.io", "h"]);
    }

    #[test]
    fn addresses_are_read_as_buildkit_reads_them() {
        let read = |source: &str| Address::parse(source).map(|read| (read.url, read.reference, read.folder, read.commit));
        let of = |url: &str, reference: &str, folder: &str, commit: &str| Ok((url.into(), reference.into(), folder.into(), commit.into()));
        let url = "https://h/x.git";
        assert_eq!(read(url), of(url, "", "", ""));
        assert_eq!(read("https://h/x.git#v1"), of(url, "v1", "", ""));
        assert_eq!(read("https://h/x.git#v1:a/b"), of(url, "v1", "a/b", ""));
        assert_eq!(read("https://h/x.git#:a"), of(url, "", "a", ""));
        assert_eq!(read("git@h:x.git#main"), of("git@h:x.git", "main", "", ""));
        assert_eq!(read("https://h/x.git?tag=v1&subdir=a&checksum=abc"), of(url, "refs/tags/v1", "a", "abc"));
        assert_eq!(read("https://h/x.git?branch=b"), of(url, "refs/heads/b", "", ""));
        let kept = Address::parse("https://h/x.git?keep-git-dir=true&submodules=false").expect("read");
        assert_eq!((kept.keep_git_dir, kept.submodules), (Some(true), false));
        for (source, why) in [
            ("https://h/x.git#--upload-pack=x", "no name of a branch"),
            ("https://h/x.git#a..b", "no name of a branch"),
            ("https://h/x.git?depth=1", "`depth` is not known"),
            ("https://h/x.git?tag=v1#v2", "it names `v2` and `refs/tags/v1`"),
            ("https://h/x.git?checksum=xyz", "is no commit"),
        ] {
            assert!(read(source).expect_err(source).contains(why), "{source}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_read_is_taken_for_an_option(source in "(-|https://|git@h:)?[-a-z.:/@#?&=~ \\x00-\\x20]{0,40}|.*") {
            let _ = (is_repository(&source), by_secure_shell(&source), host(&source));
            if let Ok(address) = Address::parse(&source) {
                prop_assert!(!address.url.starts_with('-') && !address.reference.starts_with('-'));
            }
        }
    }
}
