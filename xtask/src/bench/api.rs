//! Writes and reads of the API, on disk.

use super::Bench;
use super::site::{self, Site};

pub(super) const BENCH: Bench = Bench {
    name: "api",
    about: "creates and updates of 1 KiB ConfigMaps at 1 and 16 writers over TLS, every one fsynced before it is answered; LIST of\n\
        5,000; start (crates/apiserver/benches/requests.rs). The peer, kube-apiserver with etcd, is not run",
    run,
};

fn run(_: &Site) -> Result<(), String> {
    site::cargo_bench("apiserver", "requests", &[])?;
    println!("kube-apiserver + etcd: not built here");
    Ok(())
}
