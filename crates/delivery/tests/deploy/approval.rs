//! Approvals beside the program that people have for them.
#![allow(clippy::print_stdout)]

use delivery::approval::{NAMESPACE, sign, take};
use oci::Digest;
use std::io::Write;
use std::process::{Command, Stdio};

fn ssh_keygen(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn ssh_keygen_agrees_both_ways() {
    let folder = std::env::temp_dir().join(format!("wharf-approval-{}", base::ids::suffix(8)));
    base::files::make_folder(&folder, 0o700).expect("made");
    let digest = Digest::of(b"plan");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        base::files::write_atomically(&path, text.as_bytes(), 0o600).expect("written");
        path.display().to_string()
    };
    let key_file = folder.join("key").display().to_string();
    if ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &key_file], "").is_none() {
        println!("skipped: ssh-keygen");
        return;
    }
    let private = String::from_utf8(base::files::read(&folder.join("key")).expect("read")).expect("text");
    let ours = file("ours", &sign(&digest, &private).expect("signed").signature);
    let (good, said) = ssh_keygen(&["-Y", "check-novalidate", "-n", NAMESPACE, "-s", &ours], &digest.to_string()).expect("ran");
    assert!(good, "{said}");
    let (signed, theirs) = ssh_keygen(&["-Y", "sign", "-n", NAMESPACE, "-f", &key_file], &digest.to_string()).expect("ran");
    assert!(signed && take(&digest, &theirs).is_ok(), "{theirs}");
    let (_, other) = ssh_keygen(&["-Y", "sign", "-n", "file", "-f", &key_file], &digest.to_string()).expect("ran");
    assert!(take(&digest, &other).expect_err("another purpose").message.contains("is for `file`"));
    std::fs::remove_dir_all(folder).expect("removed");
}
