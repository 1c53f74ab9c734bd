//! Builds that give the same twice, and such as do not.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use builder::{Difference, Nowhere, Outside};
use home::{Chroot, Home};

fn verify(home: &Home, dockerfile: &str) -> Vec<Difference> {
    let outside = Outside { isolate: &Chroot, bases: &Nowhere, fetch: &Nowhere, repositories: &Nowhere, remembered: &Nowhere };
    let mut request = home.request(dockerfile);
    request.tags.push("kept".parse().expect("name"));
    let (built, found) = builder::verify(&request, &home.store, &outside, &|_| {}).expect("built");
    assert_eq!(home.store.images().resolve("kept").expect("named").id, built.image, "the first one has the name");
    found
}

#[test]
fn what_differs_is_named() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return;
    }
    let Some(home) = Home::with_bases(&["busybox_stable.tar"]) else { return };
    home.write("a", "1");
    assert_eq!(verify(&home, "FROM busybox:stable\nCOPY a /a\nRUN echo x > /x && mkdir /d\n"), []);
    let found = verify(
        &home,
        "FROM busybox:stable\nRUN echo same > /same\nRUN cat /proc/sys/kernel/random/uuid > /id; mkdir /d-$(cat /id); touch -d @1$(tr -dc 0-9 < /dev/urandom | head -c 6) /same\n",
    );
    let shown: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.what.split(':').next().unwrap_or_default())).collect();
    assert!(found.iter().all(|one| one.instruction.starts_with("RUN cat /proc")), "{found:?}");
    assert!(shown.contains(&("id", "its content")) && shown.contains(&("same", "its time")), "{shown:?}");
    assert!(found.iter().any(|one| one.path.starts_with("d-") && one.what == "only the first build made it"), "{found:?}");
    assert!(found.iter().any(|one| one.path.starts_with("d-") && one.what == "only the second build made it"), "{found:?}");
}
