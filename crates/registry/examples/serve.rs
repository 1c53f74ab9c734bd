//! A registry without the rest of Wharf: `cargo run -p registry --example serve -- FOLDER ADDRESS`.
#![allow(clippy::print_stdout)]

use registry::{Options, Registry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(address)) = (arguments.next(), arguments.next()) else { return Err("expected FOLDER ADDRESS".into()) };
    let registry = Registry::open(folder.as_ref(), Options::default())?;
    let serving = registry.serve(tokio::net::TcpListener::bind(address).await?, None)?;
    println!("{}", serving.address);
    std::future::pending::<()>().await;
    Ok(())
}
