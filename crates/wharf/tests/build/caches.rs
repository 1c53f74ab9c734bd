//! What builds remember for others.

use super::place::Place;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A registry in the place's own network, ended when dropped.
struct Registry(std::process::Child);

impl Registry {
    fn start(place: &Place) -> Self {
        let mut command = Command::new("nsenter");
        command.arg(place.inside()).arg(env!("CARGO_BIN_EXE_wharf")).args(["registry", "serve", "--listen", "127.0.0.1:5000"]);
        let child = command.env("WHARF_HOME", place.0.join("registry")).stderr(std::process::Stdio::null()).spawn().expect("registry");
        for _ in 0..1000 {
            if sys::netns::run_in(&place.netns(), || std::net::TcpStream::connect("127.0.0.1:5000")).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self(child)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn what_one_machine_has_built_another_one_needs_not() {
    let Some(place) = Place::new("cache") else { return };
    let _registry = Registry::start(&place);
    place.write("a", "1");
    place.write("Dockerfile", "FROM busybox:stable AS tools\nRUN echo tool > /tool; echo x > /other\nFROM busybox:stable\nRUN echo made > /made\nCOPY a /a\nWORKDIR /\nCOPY --from=tools /tool /tool\nRUN cat /tool > /seen\n");
    let base = PathBuf::from(std::env::var_os("WHARF_TEST_BASES").expect("bases")).join("busybox_stable.tar").display().to_string();
    let homes = std::cell::Cell::new(0);
    // Each on a machine that has never built anything: what was cached, and what was said.
    let fresh = |args: &[&str]| {
        homes.set(homes.get() + 1);
        let home = place.0.join(format!("home-{}", homes.get())).display().to_string();
        place.ok(&["--home", &home, "image", "load", &base]);
        let (out, said) = place.ok(&[&["--home", &home, "--json", "build", "context"], args].concat());
        let last = out.lines().rfind(|line| line.contains("\"steps\"")).unwrap_or_default().to_owned();
        let facts: serde_json::Value = serde_json::from_str(&last).unwrap_or_else(|error| panic!("{error}: {out}"));
        (facts["cached"].as_u64().expect("cached"), facts["image"].as_str().expect("image").to_owned(), said)
    };
    let (cached, image, _) =
        fresh(&["--cache-to", "type=registry,ref=127.0.0.1:5000/app:cache,mode=max", "--cache-to", "type=local,dest=kept,mode=max"]);
    assert_eq!(cached, 0);
    for from in ["type=registry,ref=127.0.0.1:5000/app:cache", "127.0.0.1:5000/app:cache", "type=local,src=kept"] {
        let (cached, again, said) = fresh(&["--cache-from", from]);
        assert_eq!((cached, &again), (6, &image), "{from}: {said}");
    }
    // The layers of other stages are not kept; what the image has, is.
    fresh(&["--cache-to", "type=local,dest=less"]);
    let (cached, again, _) = fresh(&["--cache-from", "type=local,src=less"]);
    assert_eq!((cached, &again), (5, &image), "the stage's own step is done again");
    // One file changed: only what stands on it is done.
    place.write("a", "2");
    let (cached, _, _) = fresh(&["--cache-from", "type=local,src=kept"]);
    assert_eq!(cached, 2);
    place.write("a", "1");
    let (cached, _, said) = fresh(&["--cache-from", "type=local,src=none", "--cache-from", "127.0.0.1:5000/none"]);
    assert!(cached == 0 && said.matches("is not used").count() == 2, "{said}");
    let damage = "for f in kept/blobs/sha256/*; do [ $(head -c2 $f | od -An -tx1 | tr -d ' ') = 1f8b ] && echo x > $f; done; true";
    assert!(Command::new("sh").current_dir(&place.0).args(["-ec", damage]).status().expect("sh").success());
    let (cached, again, said) = fresh(&["--cache-from", "type=local,src=kept"]);
    assert!(cached < 6 && again == image && said.contains("warning"), "what is damaged is done again: {cached} {said}");
    let (error, code) = {
        let out = place.run(&["build", "context", "--cache-to", "type=local,dest=context"]);
        (String::from_utf8_lossy(&out.stderr).into_owned(), out.status.code())
    };
    assert_eq!(code, Some(0), "{error}");
    fs::write(place.0.join("context/index.json"), "{}").expect("written");
    let out = place.run(&["build", "context", "--cache-to", "type=local,dest=context"]);
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("something else than a cache"), "{out:?}");
}
