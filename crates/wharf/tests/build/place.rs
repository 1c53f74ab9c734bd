//! Where a build is tried: a home, a context and a network of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A home, a context and a network of its own.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(test: &str) -> Option<Self> {
        let Some(bases) = std::env::var_os("WHARF_TEST_BASES") else {
            println!("skipped: WHARF_TEST_BASES");
            return None;
        };
        if !rustix::process::geteuid().is_root() {
            println!("skipped: root");
            return None;
        }
        let path = std::env::temp_dir().join(format!("wharf-build-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("context")).expect("folder");
        let place = Self(path);
        // Of its own: sandboxes of several homes would be in each other's way.
        sys::netns::create(&place.netns()).expect("network namespace");
        let up = Command::new("nsenter").arg(place.inside()).args(["ip", "link", "set", "lo", "up"]).status();
        if !up.is_ok_and(|status| status.success()) {
            println!("skipped: nsenter and ip");
            return None;
        }
        place.ok(&["image", "load", &Path::new(&bases).join("busybox_stable.tar").display().to_string()]);
        Some(place)
    }

    pub fn netns(&self) -> PathBuf {
        self.0.join("netns")
    }

    pub fn inside(&self) -> String {
        format!("--net={}", self.netns().display())
    }

    pub fn write(&self, path: &str, content: &str) {
        let path = self.0.join("context").join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, content).expect("written");
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("nsenter");
        command.arg(self.inside()).arg(env!("CARGO_BIN_EXE_wharf"));
        command
            .current_dir(&self.0)
            .env_remove("SSH_AUTH_SOCK")
            .env("WHARF_HOME", self.0.join("home"))
            .env("TOKEN", "s3cret-value-17")
            .args(args);
        command.output().expect("started")
    }

    /// Standard output and error of a command that must succeed.
    pub fn ok(&self, args: &[&str]) -> (String, String) {
        let out = self.run(args);
        let said = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned());
        assert!(out.status.success(), "{args:?}: {}", said.1);
        said
    }

    /// What commands wrote, and the image's id.
    pub fn build(&self, dockerfile: &str, args: &[&str]) -> (Vec<String>, String) {
        self.write("Dockerfile", dockerfile);
        let (id, said) = self.ok(&[&["build", "context"], args].concat());
        (said.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect(), id.trim().to_owned())
    }

    /// The error of a build that must fail, and its exit code.
    pub fn fail(&self, dockerfile: &str, args: &[&str]) -> (String, i32) {
        self.write("Dockerfile", dockerfile);
        let out = self.run(&[&["build", "context"], args].concat());
        assert!(!out.status.success(), "{dockerfile}");
        (String::from_utf8_lossy(&out.stderr).into_owned(), out.status.code().expect("code"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = sys::netns::remove(&self.netns());
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a step wrote a line.
pub fn said(lines: &[String], text: &str) -> bool {
    lines.iter().any(|line| line == text)
}
