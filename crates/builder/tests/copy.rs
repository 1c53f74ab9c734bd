//! The options of COPY: folders kept, modes by letters, files left out.

#[path = "support/home.rs"]
mod home;

use home::Home;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn names(home: &Home, dockerfile: &str) -> Vec<String> {
    let (_, image) = home.build(dockerfile);
    let last = home.layer(image.layers.last().expect("layer"));
    last.iter().map(|line| line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned()).collect()
}

fn tree() -> Home {
    let home = Home::new();
    for (path, content) in [
        ("x/a.txt", "1"),
        ("x/b.md", "2"),
        ("x/deep/er/c.txt", "3"),
        ("y/a.txt", "4"),
        ("y/a-b/d.txt", "5"),
        ("y/a/e.txt", "6"),
        ("top.txt", "7"),
    ] {
        home.write(path, content);
    }
    fs::set_permissions(home.path.join("context/x/deep"), fs::Permissions::from_mode(0o700)).expect("mode");
    symlink("a.txt", home.path.join("context/y/link")).expect("link");
    home
}

/// The examples of the Dockerfile reference, COPY --parents.
#[test]
fn parents_keeps_the_folders_of_sources() {
    let home = tree();
    assert_eq!(
        names(&home, "FROM scratch\nCOPY --parents ./x/a.txt ./y/a.txt /parents/\n"),
        ["parents/", "parents/x/", "parents/x/a.txt 1", "parents/y/", "parents/y/a.txt 4"]
    );
    assert_eq!(names(&home, "FROM scratch\nCOPY --parents x/./deep/er/*.txt /p/\n"), ["p/", "p/deep/", "p/deep/er/", "p/deep/er/c.txt 3"]);
    assert_eq!(
        names(&home, "FROM scratch\nCOPY --parents **/*.txt /p\n"),
        [
            "p/",
            "p/top.txt 7",
            "p/x/",
            "p/x/a.txt 1",
            "p/x/deep/",
            "p/x/deep/er/",
            "p/x/deep/er/c.txt 3",
            "p/y/",
            "p/y/a/",
            "p/y/a/e.txt 6",
            "p/y/a-b/",
            "p/y/a-b/d.txt 5",
            "p/y/a.txt 4"
        ]
    );
    assert_eq!(
        names(&home, "FROM scratch\nCOPY --parents x/deep y/link /p/\n"),
        ["p/", "p/x/", "p/x/deep/", "p/x/deep/er/", "p/x/deep/er/c.txt 3", "p/y/", "p/y/link -> a.txt"]
    );
    assert_eq!(
        names(&home, "FROM scratch\nCOPY --parents --exclude=**/er y/a* x/./ /p/\n"),
        ["p/", "p/a.txt 1", "p/b.md 2", "p/deep/", "p/y/", "p/y/a/", "p/y/a/e.txt 6", "p/y/a-b/", "p/y/a-b/d.txt 5", "p/y/a.txt 4"]
    );
    let (_, image) =
        home.build("FROM scratch AS s\nCOPY . /src\nFROM scratch\nCOPY --parents --from=s --chown=3:4 /src/./x/deep/*/c* /q/\n");
    assert_eq!(
        home.listing(&image),
        ["755 3:4 q/", "755 3:4 q/x/", "700 3:4 q/x/deep/", "755 3:4 q/x/deep/er/", "644 3:4 q/x/deep/er/c.txt 3"]
    );
}

#[test]
fn parents_is_in_the_key_and_sees_no_ignored_file() {
    let home = tree();
    home.write(".dockerignore", "**/*.md\n");
    let all = "FROM scratch\nCOPY --parents **/a* **/*.md /p/\n";
    assert!(home.fail(all).contains("nothing matches `**/*.md`"));
    let dockerfile = "FROM scratch\nCOPY --parents x/a.txt /p/\n";
    home.build(dockerfile);
    assert_eq!(home.build(dockerfile).0.cached, 1);
    assert_eq!(home.build(&dockerfile.replace("--parents ", "")).0.cached, 0);
    home.write("x/a.txt", "changed");
    assert_eq!(home.build(dockerfile).0.cached, 0);
    // Links lead nowhere out of the context.
    symlink("/etc", home.path.join("context/out")).expect("link");
    assert!(home.fail("FROM scratch\nCOPY --parents out/passwd /p/\n").contains("`out/passwd` is not in the context"));
}

#[test]
fn modes_by_letters_change_what_files_have() {
    let home = tree();
    fs::set_permissions(home.path.join("context/x/a.txt"), fs::Permissions::from_mode(0o4750)).expect("mode");
    let (_, image) = home.build("FROM scratch\nCOPY --chmod=u-s,go=rX x /x/\nCOPY --chmod=+x top.txt /\nADD --chmod=a=r top.txt /a/\nCOPY --chmod=u=rwx,go= <<EOF /h\nx\nEOF\n");
    assert_eq!(
        home.listing(&image),
        [
            "755 0:0 x/",
            "755 0:0 x/a.txt 1",
            "644 0:0 x/b.md 2",
            "755 0:0 x/deep/",
            "755 0:0 x/deep/er/",
            "644 0:0 x/deep/er/c.txt 3",
            "755 0:0 top.txt 7",
            "755 0:0 a/",
            "444 0:0 a/top.txt 7",
            "700 0:0 h x"
        ]
    );
}
