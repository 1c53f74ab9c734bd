//! The pages over a world that is made up: `cargo run -p dashboard --example demo -- 127.0.0.1:8090`, and log in with `operator` or `reader`.

#[path = "demo/life.rs"]
mod life;
#[path = "demo/runs.rs"]
mod runs;
#[path = "demo/things.rs"]
mod things;
#[path = "demo/world.rs"]
mod world;

use dashboard::{Options, Pages};
use std::io::Write;
use std::sync::Arc;
use world::World;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let world = World::rich();
    let pages = Pages::new(world.clone(), Options::default());
    let serving = net::serve(listener, None, net::Limits::default(), Arc::new(pages.clone()))?;
    writeln!(std::io::stderr(), "http://{}/, token `operator` or `reader`; Ctrl-C ends it", serving.address)?;
    tokio::spawn(life::go_on(world));
    tokio::signal::ctrl_c().await?;
    pages.close();
    serving.drain(std::time::Duration::from_secs(2)).await;
    Ok(())
}
