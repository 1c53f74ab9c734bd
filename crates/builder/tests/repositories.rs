//! `ADD` of repositories, with a server that is a table.

#[path = "support/home.rs"]
mod home;

use builder::{BuildError, Built, CheckOut, Hidden, Nowhere, Outside, Repositories, Repository, Secret, Unavailable};
use home::{Chroot, Home};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// By reference a commit; what was asked of it.
#[derive(Default)]
struct Server {
    references: BTreeMap<&'static str, String>,
    asked: Mutex<Vec<String>>,
}

impl Server {
    fn new() -> Self {
        let of = |digit: &str| digit.repeat(40);
        Self { references: BTreeMap::from([("", of("1")), ("main", of("1")), ("refs/tags/v2", of("2"))]), asked: Mutex::default() }
    }

    fn note(&self, what: &str, repository: &Repository) {
        let token = repository.token.as_ref().map(|token| String::from_utf8_lossy(&token.0).into_owned()).unwrap_or_default();
        let agent = repository.agent.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        self.asked.lock().expect("asked").push(format!("{what} {} {token}{agent}", repository.url).trim_end().to_owned());
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("asked"))
    }
}

impl Repositories for Server {
    fn commit(&self, repository: &Repository) -> Result<String, Unavailable> {
        self.note("which", repository);
        let missing = || Unavailable { message: "no such name".into(), hint: String::new(), is_unreachable: false };
        self.references.get(repository.reference.as_str()).cloned().ok_or_else(missing)
    }

    fn check_out(&self, repository: &Repository, commit: &str, how: CheckOut, folder: &Path) -> Result<(), Unavailable> {
        self.note("all", repository);
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("written");
        };
        write("a", &commit[..2]);
        write("docs/b", "b");
        if how.keep_git_dir {
            write(".git/HEAD", commit);
        }
        if how.submodules {
            write("part/c", "c");
        }
        Ok(())
    }
}

fn build(home: &Home, server: &Server, add: &str) -> Result<Built, BuildError> {
    let mut request = home.request(&format!("FROM scratch\n{add}\n"));
    request.secrets.insert("GIT_AUTH_TOKEN".into(), Secret::Value(Hidden(b"t1".to_vec())));
    request.secrets.insert("GIT_AUTH_TOKEN.own.io".into(), Secret::Value(Hidden(b"t2".to_vec())));
    request.agents.insert("default".into(), PathBuf::from("/run/agent"));
    let outside = Outside { isolate: &Chroot, bases: &Nowhere, fetch: &Nowhere, repositories: server, remembered: &Nowhere };
    builder::build(&request, &home.store, &outside, &|_| {})
}

fn listing(home: &Home, built: &Built) -> Vec<String> {
    home.listing(&home.store.images().get(&built.image).expect("image"))
}

#[test]
fn a_repository_is_added_like_a_folder_and_known_by_its_commit() {
    let (home, server) = (Home::new(), Server::new());
    let made = |add: &str| build(&home, &server, add).unwrap_or_else(|error| panic!("{add}: {error}"));
    let first = made("ADD https://h.io/x.git /src");
    assert_eq!(
        listing(&home, &first),
        ["755 0:0 src/", "644 0:0 src/a 11", "755 0:0 src/docs/", "644 0:0 src/docs/b b", "755 0:0 src/part/", "644 0:0 src/part/c c"]
    );
    assert_eq!(server.asked(), ["which https://h.io/x.git t1/run/agent", "all https://h.io/x.git t1/run/agent"]);
    // The same commit by another name, and from another server; nothing is fetched.
    for (add, asked) in [
        ("ADD https://h.io/x.git#main /src", "which https://h.io/x.git t1/run/agent"),
        ("ADD https://own.io/y.git /src", "which https://own.io/y.git t2/run/agent"),
        ("ADD git@h.io:x.git /src", "which git@h.io:x.git t1/run/agent"),
        ("ADD --checksum=1111 https://h.io/x.git /src", "which https://h.io/x.git t1/run/agent"),
    ] {
        let again = made(add);
        assert_eq!((listing(&home, &again), again.cached), (listing(&home, &first), 1), "{add}");
        assert_eq!(server.asked(), [asked], "{add}");
    }
    // Of a whole commit nobody is asked what it is.
    made(&format!("ADD https://h.io/x.git#{} /src", "1".repeat(40)));
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn parts_of_a_repository_are_chosen() {
    let (home, server) = (Home::new(), Server::new());
    let made = |add: &str| listing(&home, &build(&home, &server, add).unwrap_or_else(|error| panic!("{add}: {error}")));
    assert_eq!(made("ADD https://h.io/x.git#main:docs /d/"), ["755 0:0 d/", "644 0:0 d/b b"]);
    assert_eq!(
        made("ADD --chown=5:6 --chmod=u=rX,go= https://h.io/x.git?tag=v2&subdir=docs&submodules=false /d/"),
        ["755 5:6 d/", "400 5:6 d/b b"]
    );
    assert_eq!(made("ADD https://h.io/x.git?submodules=false /").len(), 3);
    assert_eq!(made("ADD --exclude=docs https://h.io/x.git?submodules=false /"), ["644 0:0 a 11"]);
    let kept = made("ADD --keep-git-dir https://h.io/x.git?submodules=false /");
    assert!(kept.iter().any(|line| line.starts_with("644 0:0 .git/HEAD 1111")), "{kept:?}");
    assert_eq!(made("ADD --keep-git-dir=false https://h.io/x.git?keep-git-dir=true&submodules=false /").len(), 3);
}

#[test]
fn what_a_repository_has_not_is_an_error() {
    let (home, server) = (Home::new(), Server::new());
    for (add, why) in [
        ("ADD https://h.io/x.git#other /", "no such name"),
        ("ADD https://h.io/x.git#main:none /", "has no `none` at 1111"),
        ("ADD https://h.io/x.git#main:../../../etc /", "has no `../../../etc`"),
        ("ADD --checksum=22 https://h.io/x.git /", "has the commit 1111111111111111111111111111111111111111 there; expected 22"),
        ("ADD https://h.io/x.git?checksum=2 /", "expected 2"),
    ] {
        let error = build(&home, &server, add).expect_err(add).to_string();
        assert!(error.contains(why), "{add}: {error}");
    }
}
