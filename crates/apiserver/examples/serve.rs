//! Serves the API alone, without controllers or a node, until standard input ends: `cargo run -p apiserver --example serve FOLDER [ADDRESS]`.
//! The administrator's kubeconfig is written to `FOLDER/kubeconfig`.
#![allow(clippy::print_stdout)]

use apiserver::{Config, NoNode, Server};
use base::SystemClock;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let home = PathBuf::from(args.next().expect("a folder is named"));
    let listen = args.next().as_deref().unwrap_or("127.0.0.1:0").parse().expect("an address");
    let begin = Instant::now();
    let config = Config {
        home: home.clone(),
        listen,
        addresses: Vec::new(),
        clock: Arc::new(SystemClock),
        node: Arc::new(NoNode),
        limits: net::Limits::default(),
    };
    let server = Server::start(config).await.expect("starts");
    println!("ready on {} after {:.1} ms, {:?}", server.address(), begin.elapsed().as_secs_f64() * 1e3, server.store_report());
    std::fs::write(home.join("kubeconfig"), server.kubeconfig().expect("a certificate")).expect("written");
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    server.drain(Duration::from_secs(5)).await;
}
