//! A load with the letters of `wharf load` that benchmarks use; prints the report as JSON.
//! `load [-c N] [-n N | -z SECONDS] [--rate R] [--h2] [--streams N] [--disable-keepalive] [--threads N] [--insecure] URL`
#![expect(clippy::print_stdout, reason = "it is a program")]

use loadgen::{Amount, Config, Pace, Trust};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::new("");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "-c" => config.concurrency = value()?.parse()?,
            "-n" => config.amount = Amount::Requests(value()?.parse()?),
            "-z" => config.amount = Amount::Time(Duration::from_secs_f64(value()?.trim_end_matches('s').parse()?)),
            "--rate" => config.pace = Pace::Arrivals(value()?.parse()?),
            "--streams" => config.streams = value()?.parse()?,
            "--threads" => config.threads = Some(value()?.parse()?),
            "--h2" => config.http2 = true,
            "--disable-keepalive" => config.keep_alive = false,
            "--insecure" => config.trust = Trust::Anybody,
            "--json" => {}
            url => config.url = url.to_owned(),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(loadgen::run(config, |_| {}))?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
