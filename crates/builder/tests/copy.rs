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

/// `COPY --link` knows of what it stands on only the folders that lead to its destination.
#[test]
fn a_linked_copy_is_the_same_on_another_base() {
    let home = Home::new();
    home.write("app/a", "1");
    home.write("app/sub/b", "2");
    let cached = |base: &str, linked: &str| {
        home.write("base", base);
        let dockerfile = format!("FROM scratch AS files\nCOPY app /app\nFROM scratch\nCOPY base /base/file\n{linked}\n");
        let (built, image) = home.build(&dockerfile);
        let step = built.steps.last().expect("a step");
        (step.cached, home.layer(image.layers.last().expect("a layer")))
    };
    let copies = [
        (
            "COPY --link app /opt/app/",
            vec!["755 0:0 opt/", "755 0:0 opt/app/", "644 0:0 opt/app/a 1", "755 0:0 opt/app/sub/", "644 0:0 opt/app/sub/b 2"],
        ),
        ("COPY --link app/a /opt/a", vec!["755 0:0 opt/", "644 0:0 opt/a 1"]),
        ("COPY --link --chown=5:6 app/a /base/", vec!["755 0:0 base/", "644 5:6 base/a 1"]),
        ("COPY --link --from=files /app /base", vec!["755 0:0 base/", "644 0:0 base/a 1", "755 0:0 base/sub/", "644 0:0 base/sub/b 2"]),
        ("ADD --link app/sub /new", vec!["755 0:0 new/", "644 0:0 new/b 2"]),
    ];
    for (linked, expected) in copies {
        let (first, listed) = cached("one", linked);
        assert_eq!((first, listed), (false, expected.iter().map(|line| (*line).to_owned()).collect()), "{linked}");
        assert!(cached("two", linked).0, "{linked}: another base");
        let plain = linked.replace("--link ", "");
        cached("three", &plain);
        assert!(!cached("four", &plain).0, "{plain}: stands on all of its base");
    }
}

#[test]
fn a_linked_copy_leaves_the_folders_that_it_goes_through_as_they_are() {
    let home = Home::new();
    home.write("app/a", "1");
    fs::create_dir(home.path.join("context/spare")).expect("folder");
    home.write("links/x", "");
    symlink("/spare", home.path.join("context/links/way")).expect("link");
    let build = |mode: &str, more: &str| {
        let dockerfile = format!("FROM scratch\nCOPY --chmod={mode} --chown=7:8 spare /spare\n{more}COPY --link app/a /spare/x/a\n");
        let (built, image) = home.build(&dockerfile);
        (built.steps.last().expect("a step").cached, home.layer(image.layers.last().expect("a layer")))
    };
    let lines = |mode: &str| vec![format!("{mode} 7:8 spare/"), "755 0:0 spare/x/".to_owned(), "644 0:0 spare/x/a 1".to_owned()];
    assert_eq!(build("1777", ""), (false, lines("1777")));
    assert_eq!(build("1777", "COPY app /other\n"), (true, lines("1777")));
    assert_eq!(build("700", ""), (false, lines("700")), "a folder on its way is another one");
    let error = home.fail("FROM scratch\nCOPY spare /spare\nCOPY links /\nCOPY --link app/a /way/a\n");
    assert!(error.contains("leads through a link to `/spare`"), "{error}");
}
