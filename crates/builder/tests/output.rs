//! An image's files out of the store.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use home::Home;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

fn image(home: &Home) -> blobs::Image {
    home.write("a", "1");
    home.write("b/c", "2");
    symlink("/a", home.path.join("context/b/link")).expect("link");
    let dockerfile = "FROM scratch AS first\nCOPY --chown=5:6 --chmod=750 a /x/a\nCOPY a /gone\nFROM first\nCOPY b /x/b/\nCOPY a /x/a\n";
    home.build(dockerfile).1
}

#[test]
fn the_files_of_an_image_come_into_a_folder() {
    let home = Home::new();
    let image = image(&home);
    let out = home.path.join("out");
    fs::create_dir_all(out.join("x/a")).expect("a folder where a file comes");
    fs::write(out.join("kept"), "kept").expect("written");
    fs::write(out.join("gone"), "old").expect("written");
    builder::export_folder(&image, &out).expect("exported");
    let read = |path: &str| fs::read_to_string(out.join(path)).expect(path);
    assert_eq!([read("x/a"), read("x/b/c"), read("gone"), read("kept")], ["1", "2", "1", "kept"]);
    assert_eq!(fs::read_link(out.join("x/b/link")).expect("link").to_str(), Some("/a"), "as it is, and not followed");
    let stat = fs::metadata(out.join("x/a")).expect("stat");
    assert_eq!((stat.permissions().mode() & 0o7777, stat.uid()), (0o644, rustix::process::geteuid().as_raw()));
    let mut names: Vec<_> = fs::read_dir(&out).expect("list").map(|entry| entry.expect("entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["gone", "kept", "x"], "nothing else is left");
}

#[test]
fn the_files_of_an_image_come_as_an_archive() {
    let home = Home::new();
    let image = image(&home);
    let path = home.path.join("out.tar");
    builder::export_tar(&image, &mut fs::File::create(&path).expect("file")).expect("exported");
    let listed = Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(&path).output().expect("tar");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let shown: Vec<String> = lines.iter().map(|words| format!("{} {} {}", words[0], words[1], words[5..].join(" "))).collect();
    assert_eq!(
        shown,
        [
            "-rw-r--r-- 0/0 gone",
            "drwxr-xr-x 5/6 x/",
            "-rw-r--r-- 0/0 x/a",
            "drwxr-xr-x 0/0 x/b/",
            "-rw-r--r-- 0/0 x/b/c",
            "lrwxrwxrwx 0/0 x/b/link -> /a"
        ]
    );
    let mut again = Vec::new();
    builder::export_tar(&image, &mut again).expect("exported");
    assert_eq!(again, fs::read(&path).expect("read"), "the same each time");
}

#[test]
fn real_images_come_out_as_their_containers_see_them() {
    let Some(home) = Home::with_bases(&["busybox_stable.tar"]) else { return };
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return;
    }
    let (_, image) = home.build("FROM busybox:stable\nRUN rm /bin/wget && ln /bin/busybox /bin/again && mknod /dev/x c 1 3; touch /f\n");
    let (folder, path) = (home.path.join("out"), home.path.join("out.tar"));
    builder::export_folder(&image, &folder).expect("exported");
    assert!(!folder.join("bin/wget").exists() && folder.join("bin/sh").exists() && !folder.join("dev/x").exists());
    let ids = |name: &str| fs::metadata(folder.join(name)).expect(name).ino();
    assert_eq!(ids("bin/again"), ids("bin/busybox"));
    builder::export_tar(&image, &mut fs::File::create(&path).expect("file")).expect("exported");
    let other = home.path.join("other");
    fs::create_dir_all(&other).expect("folder");
    assert!(Command::new("tar").arg("-xpf").arg(&path).arg("-C").arg(&other).status().expect("tar").success());
    let differs = Command::new("diff").args(["-r", "--no-dereference", "--exclude=dev"]).arg(&folder).arg(&other).output().expect("diff");
    assert_eq!(String::from_utf8_lossy(&differs.stdout), "");
}
