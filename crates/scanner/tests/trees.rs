//! Which files of layers and folders count, and which layer brought a package.

#[path = "support/layers.rs"]
mod layers;

use layers::{Temp, is_root, target};
use proptest::prelude::*;
use scanner::{Inventory, SavedError, TargetKind, Tree, inventory};

fn dpkg(packages: &[(&str, &str)]) -> String {
    let stanza = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(stanza).collect()
}

fn found(inventory: &Inventory) -> Vec<(String, String, String)> {
    let told = |package: &scanner::Package| (package.name.clone(), package.version.clone(), package.layer.clone().unwrap_or_default());
    inventory.packages.iter().map(told).collect()
}

fn triple(name: &str, version: &str, layer: &str) -> (String, String, String) {
    (name.to_owned(), version.to_owned(), layer.to_owned())
}

#[test]
fn a_package_is_of_the_layer_whose_database_has_it_first() {
    let temp = Temp::new();
    temp.file(0, "usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    temp.file(0, "var/lib/dpkg/status", &dpkg(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]));
    temp.file(1, "var/lib/dpkg/status", &dpkg(&[("a", "1"), ("b", "2"), ("c", "1"), ("e", "1")]));
    temp.file(2, "var/lib/dpkg/status", &dpkg(&[("a", "1"), ("b", "2"), ("d", "1"), ("e", "1")]));
    temp.file(3, "etc/hostname", "x");
    let seen = temp.image(4);
    let expected = [("a", "1", "layer-0"), ("b", "2", "layer-1"), ("d", "1", "layer-2"), ("e", "1", "layer-1")];
    assert_eq!(found(&seen), expected.map(|(name, version, layer)| triple(name, version, layer)));
    assert_eq!(seen.packages.first().map(|package| package.ecosystem.osv()).as_deref(), Some("Debian:12"));
    assert_eq!(seen.unread, []);
}

#[test]
fn what_a_higher_layer_removed_is_gone() {
    if !is_root() {
        return;
    }
    let temp = Temp::new();
    let metadata = |name: &str| format!("Name: {name}\nVersion: 1\n\n");
    for name in ["kept", "whiteout", "replaced"] {
        temp.file(0, &format!("lib/{name}-1.dist-info/METADATA"), &metadata(name));
    }
    temp.file(0, "opaque/lib/x-1.dist-info/METADATA", &metadata("x"));
    temp.hide(1, "lib/whiteout-1.dist-info");
    temp.file(1, "lib/replaced-1.dist-info", "now a file");
    temp.opaque(1, "opaque/lib");
    temp.file(1, "opaque/lib/y-1.dist-info/METADATA", &metadata("y"));
    // A folder above what is no folder does not join the one further down.
    temp.file(0, "odd/z-1.dist-info/METADATA", &metadata("z"));
    temp.file(1, "odd", "a file");
    temp.file(2, "odd/w-1.dist-info/METADATA", &metadata("w"));
    let expected = [("kept", "layer-0"), ("w", "layer-2"), ("y", "layer-1")];
    assert_eq!(found(&temp.image(3)), expected.map(|(name, layer)| triple(name, "1", layer)));
}

#[test]
fn the_distribution_answers_for_its_own_files_only() {
    let temp = Temp::new();
    let metadata = |name: &str| format!("Name: {name}\nVersion: 1\n\n");
    let place = |name: &str| format!("usr/lib/python3/dist-packages/{name}-1.dist-info/METADATA");
    for name in ["debian", "upgraded"] {
        temp.file(0, &place(name), &metadata(name));
        temp.file(0, &format!("var/lib/dpkg/info/python3-{name}.list"), &format!("/.\n/usr\n/{}\n", place(name)));
    }
    temp.file(0, "usr/lib/x/merged-1.egg-info", &metadata("merged"));
    temp.file(0, "var/lib/dpkg/info/merged.list", "/lib/x/merged-1.egg-info\n");
    temp.file(0, "usr/local/lib/pip-1.dist-info/METADATA", &metadata("pip"));
    temp.file(0, "lib/apk/db/installed", "P:py3-apk\nV:1-r0\nF:usr/lib/python3.12/site-packages/apk-1.dist-info\nR:METADATA\n");
    temp.file(0, "usr/lib/python3.12/site-packages/apk-1.dist-info/METADATA", &metadata("apk"));
    // pip wrote it anew.
    temp.file(1, &place("upgraded"), &metadata("upgraded"));
    let seen = temp.image(2);
    let owned: Vec<_> =
        seen.packages.iter().filter(|package| !package.ecosystem.is_distribution()).map(|one| (one.name.as_str(), one.owned)).collect();
    assert_eq!(owned, [("apk", true), ("debian", true), ("merged", true), ("pip", false), ("upgraded", false)]);
}

#[test]
fn links_lead_nowhere_and_pipes_are_not_waited_for() {
    let temp = Temp::new();
    std::fs::create_dir_all(temp.path().join("outside")).expect("a folder");
    let lock = "[[package]]\nname = \"time\"\nversion = \"0.1.0\"\nsource = \"registry+x\"\n";
    std::fs::write(temp.path().join("outside/Cargo.lock"), lock).expect("written");
    std::os::unix::fs::symlink(temp.path().join("outside"), temp.place(0, "folder")).expect("a link");
    std::os::unix::fs::symlink("../../outside/Cargo.lock", temp.place(0, "x/Cargo.lock")).expect("a link");
    rustix::fs::mknodat(rustix::fs::CWD, temp.place(0, "y/Cargo.lock"), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    temp.file(0, "z/requirements.txt", "-r ../../outside/else.in\nflask==1\n");
    let seen = temp.sources();
    assert_eq!(found(&seen), [triple("flask", "1", "")]);
    assert_eq!(seen.unread.len(), 1, "{:?}", seen.unread);
    // The same in an image.
    temp.file(0, "usr/lib/os-release", "ID=debian\nVERSION_ID=12\n");
    std::os::unix::fs::symlink("../../../outside/Cargo.lock", temp.place(0, "var/lib/dpkg/status")).expect("a link");
    assert_eq!(found(&temp.image(1)), []);
}

#[test]
fn of_sources_only_what_people_wrote_counts() {
    let temp = Temp::new();
    let lock = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\nsource = \"registry+x\"\n");
    std::fs::create_dir_all(temp.place(0, ".git/objects")).expect("a repository");
    temp.file(0, ".git/HEAD", "ref: refs/heads/main\n");
    temp.file(0, ".gitignore", "ignored/\n");
    temp.file(0, "Cargo.lock", &lock("own"));
    temp.file(0, "sub/Cargo.lock", &lock("sub"));
    temp.file(0, "ignored/Cargo.lock", &lock("ignored"));
    temp.file(0, "node_modules/x/Cargo.lock", &lock("module"));
    temp.file(0, "target/Cargo.lock", &lock("made"));
    temp.file(0, "target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    temp.file(0, "vendor/x/Cargo.lock", &lock("vendored"));
    temp.file(0, "vendor/x/.cargo-checksum.json", "{}");
    temp.file(0, "venv/pyvenv.cfg", "");
    temp.file(0, "venv/requirements.txt", "flask==1\n");
    // Of a folder that is only called so.
    temp.file(0, "src/target/Cargo.lock", &lock("named"));
    let names: Vec<_> = temp.sources().packages.into_iter().map(|package| package.name).collect();
    assert_eq!(names, ["named", "own", "sub"]);
}

#[test]
fn what_cannot_be_read_is_told() {
    let temp = Temp::new();
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    temp.file(0, "Cargo.lock", &format!("x = {deep}"));
    temp.file(0, "package-lock.json", &format!("{{\"packages\": {deep}}}"));
    temp.file(0, "Pipfile.lock", &format!("{{\"default\": {{\"a\": {deep}}}}}"));
    temp.file(0, "pnpm-lock.yaml", &format!("lockfileVersion: 9\npackages: {deep}"));
    temp.file(0, "uv.lock", "version = 1\n[[package]]\n");
    temp.file(0, "poetry.lock", &format!("[[package]]\nname = \"a\"\nversion = \"1\"\nx = {deep}"));
    temp.file(0, "go.mod", "nothing");
    temp.file(0, "yarn.lock", "nothing");
    let seen = temp.sources();
    assert_eq!(found(&seen), []);
    let files: Vec<_> = seen.unread.iter().filter_map(|finding| finding.place.file.as_deref()).collect();
    assert_eq!(
        files,
        ["Cargo.lock", "Pipfile.lock", "go.mod", "package-lock.json", "pnpm-lock.yaml", "poetry.lock", "uv.lock", "yarn.lock"]
    );
}

#[test]
fn a_file_may_be_named_by_itself() {
    let temp = Temp::new();
    temp.file(0, "Cargo.lock", "[[package]]\nname = \"time\"\nversion = \"0.1.0\"\nsource = \"registry+x\"\n");
    temp.file(0, "go.mod", "module x\ngo 1.22\n");
    let tree = Tree::of_file(&temp.place(0, "Cargo.lock")).expect("opened");
    assert_eq!(found(&inventory(&tree, target(TargetKind::Folder))), [triple("time", "0.1.0", "")]);
}

#[test]
fn requirements_of_requirements_are_followed_whatever_their_names() {
    let temp = Temp::new();
    temp.file(0, "requirements-prod.txt", "-r requirements.txt\n-r base.in\n");
    temp.file(0, "requirements.txt", "flask==1.0\nloose\n-r requirements-prod.txt\n");
    temp.file(0, "base.in", "click==7.0\n");
    let tree = Tree::of_file(&temp.place(0, "requirements-prod.txt")).expect("opened");
    let alone = inventory(&tree, target(TargetKind::Folder));
    assert_eq!(found(&alone), [triple("click", "7.0", ""), triple("flask", "1.0", "")]);
    // In a folder that has both they are read twice and told once.
    let both = temp.sources();
    assert_eq!((found(&both), both.unread.len()), (found(&alone), 1), "{:?}", both.unread);
    // What git ignores is read where it is asked for.
    std::fs::create_dir_all(temp.place(0, ".git/objects")).expect("a repository");
    temp.file(0, ".git/HEAD", "ref: refs/heads/main\n");
    temp.file(0, ".gitignore", "requirements.txt\n");
    assert_eq!(found(&temp.sources()), found(&alone));
}

#[test]
fn an_archive_is_read_where_it_lies_and_a_changed_byte_is_told() {
    let temp = Temp::new();
    temp.file(0, "usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    temp.file(0, "var/lib/dpkg/status", &dpkg(&[("a", "1")]));
    temp.file(1, "var/lib/dpkg/status", &dpkg(&[("a", "1"), ("b", "2")]));
    temp.file(1, "lib/c-1.dist-info/METADATA", "Name: c\nVersion: 3\n");
    std::fs::hard_link(temp.place(1, "lib/c-1.dist-info/METADATA"), temp.place(1, "opt/d-1.dist-info/METADATA")).expect("a link");
    let path = temp.saved(2);
    let saved = Tree::of_saved(&path).expect("read");
    let seen = inventory(&saved.tree, target(TargetKind::Image));
    let of = |at: usize| saved.layers.get(at).map(String::as_str).unwrap_or_default();
    let expected = [("a", "1", of(0)), ("b", "2", of(1)), ("c", "3", of(1)), ("c", "3", of(1))];
    assert_eq!(found(&seen), expected.map(|(name, version, layer)| triple(name, version, layer)));
    let mut bytes = std::fs::read(&path).expect("read");
    let at = bytes.windows(10).position(|part| part == b"Name: c\nVe").expect("there");
    *bytes.get_mut(at + 6).expect("a byte") = b'x';
    std::fs::write(&path, &bytes).expect("written");
    assert!(matches!(Tree::of_saved(&path), Err(SavedError::Damaged(_))));
    std::fs::write(&path, b"no archive at all").expect("written");
    assert!(matches!(Tree::of_saved(&path), Err(SavedError::Other)));
}

/// One change of a layer: which path, and what happens there.
#[derive(Clone, Debug)]
enum Change {
    File(String),
    Hide(String),
    Opaque(String),
}

fn change() -> impl Strategy<Value = Change> {
    let path = proptest::collection::vec(prop_oneof!["a", "b", "c"], 1..4).prop_map(|parts| parts.join("/"));
    (path, 0..4u8).prop_map(|(path, kind)| match kind {
        0 => Change::Hide(path),
        1 => Change::Opaque(path),
        _ => Change::File(path),
    })
}

/// All files that the store's own view of the layers has.
fn view_files(temp: &Temp, layers: usize) -> Vec<String> {
    let trees: Vec<_> = (0..layers).rev().map(|at| temp.path().join(at.to_string())).collect();
    let view = blobs::View::open(&trees).expect("opened");
    let (mut files, mut left) = (Vec::new(), vec![oci::tar::EntryPath::default()]);
    while let Some(folder) = left.pop() {
        for name in view.list(&folder).expect("listed") {
            let path = folder.join(&name).expect("a name");
            let node = view.node(&path).expect("seen").expect("there");
            if node.is_folder() { left.push(path) } else { files.push(path.to_string()) }
        }
    }
    files.sort();
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn layers_are_seen_as_the_store_sees_them(changes in proptest::collection::vec((0..4usize, change()), 0..24)) {
        if !is_root() {
            return Ok(());
        }
        let temp = Temp::new();
        for (layer, change) in &changes {
            // What contradicts an earlier change of the same layer is left out.
            let path = match change { Change::File(path) | Change::Hide(path) | Change::Opaque(path) => path };
            let root = temp.path().join(layer.to_string());
            let ancestors = std::path::Path::new(path).ancestors().skip(1).any(|above| root.join(above).symlink_metadata().is_ok_and(|meta| !meta.is_dir()));
            let there = root.join(path).symlink_metadata();
            match change {
                Change::Opaque(path) if !ancestors && there.as_ref().map_or(true, std::fs::Metadata::is_dir) => temp.opaque(*layer, path),
                Change::File(path) if !ancestors && there.is_err() => temp.file(*layer, path, "x"),
                Change::Hide(path) if !ancestors && there.is_err() => temp.hide(*layer, path),
                _ => {}
            }
        }
        let tree = temp.tree(4);
        let mut files = Vec::new();
        let unread = tree.walk(&mut |entry| files.push(entry.path));
        files.sort();
        prop_assert_eq!(unread, vec![]);
        prop_assert_eq!(&files, &view_files(&temp, 4));
        let saved = Tree::of_saved(&temp.saved(4)).expect("read");
        let mut archived = Vec::new();
        saved.tree.walk(&mut |entry| archived.push(entry.path));
        archived.sort();
        prop_assert_eq!(archived, files);
    }
}
