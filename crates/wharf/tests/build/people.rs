//! What people have beside a Dockerfile: a terminal, and a project.

use super::place::Place;
use std::io::{Read, Write};
use std::process::Command;

#[test]
fn a_failed_step_has_a_shell_and_keeps_nothing_of_it() {
    let Some(place) = Place::new("shell") else { return };
    let dockerfile = "FROM busybox:stable\nWORKDIR /here\nRUN --mount=type=secret,id=TOKEN --mount=type=tmpfs,target=/mem V=1 && export V && touch made && exit 3\n";
    place.write("Dockerfile", dockerfile);
    let wharf = format!("nsenter {} {} build context --secret id=TOKEN --shell", place.inside(), env!("CARGO_BIN_EXE_wharf"));
    let mut command = Command::new("script");
    command
        .args(["-qec", &wharf, "/dev/null"])
        .current_dir(&place.0)
        .env("WHARF_HOME", place.0.join("home"))
        .env("TOKEN", "s3cret-value-17");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: script");
        return;
    };
    // Typed when the prompt is there; `script` ends the session when nobody can type any more.
    let (mut input, mut output) = (child.stdin.take().expect("input"), child.stdout.take().expect("output"));
    let (mut seen, mut buffer, mut typed) = (String::new(), [0; 4096], false);
    while let Ok(got @ 1..) = output.read(&mut buffer) {
        seen.push_str(&String::from_utf8_lossy(&buffer[..got]));
        if !typed && seen.contains("# ") {
            input.write_all(b"echo $(pwd) $(ls) $(stat -c %a /run/secrets/TOKEN) $(grep -c ' /mem tmpfs' /proc/mounts) $TERM:$((40+2)); touch left-behind; exit\n").expect("typed");
            typed = true;
        }
    }
    let status = child.wait().expect("ended");
    assert!(typed && status.code() == Some(1), "{status:?}: {seen}");
    assert!(seen.contains("the command ended with exit code 3; this shell stands where it did"), "{seen}");
    assert!(seen.contains("/here made 400 1 ") && seen.contains(":42"), "{seen}");
    let found = Command::new("find").arg(place.0.join("home")).args(["-name", "left-behind"]).output().expect("find");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    let (error, code) = place.fail(dockerfile, &["--shell"]);
    assert!(code == 2 && error.contains("for a person at a terminal"), "{error}");
}

#[test]
fn a_projects_images_get_their_secrets() {
    let Some(place) = Place::new("project") else { return };
    place.write("Dockerfile", "FROM busybox:stable\nRUN --mount=type=secret,id=a --mount=type=secret,id=b --mount=type=secret,id=c cat /run/secrets/a /run/secrets/b | md5sum > /sum; ls /run/secrets > /seen\n");
    place.write(
        "wharf.yaml",
        "project: secretive\nimages: { app: { secrets: { a: { env: TOKEN }, b: { file: key }, c: { env: NOT_SET_AT_ALL } } } }\n",
    );
    place.write("key", "file-secret-18\n");
    place.write(".dockerignore", "key\n");
    let git = "git init -q . && git -c user.name=a -c user.email=a@b commit -qm x --allow-empty";
    let _ = Command::new("sh").current_dir(place.0.join("context")).args(["-c", git]).status();
    let (_, said) = place.ok(&["build", "--project", "context"]);
    assert!(said.contains("the secret `c` is not here: the variable `NOT_SET_AT_ALL` is not set"), "{said}");
    let files = |name: &str| {
        Command::new("find")
            .arg(place.0.join("home/blobs/layers"))
            .args(["-name", name, "-exec", "cat", "{}", "+"])
            .output()
            .expect("find")
            .stdout
    };
    assert_eq!(String::from_utf8_lossy(&files("seen")), "a\nb\n");
    assert_eq!(String::from_utf8_lossy(&files("sum")), "d9965e3e94b748d4b7aa3a0ea6487444  -\n");
    let (error, code) = {
        let out = place.run(&["build", "--project", "context", "--tag", "x"]);
        (String::from_utf8_lossy(&out.stderr).into_owned(), out.status.code())
    };
    assert!(code == Some(2) && error.contains("`--tag` is for the build of one context"), "{error}");
}
