//! The NodePort path beside the pod itself.

use super::Bench;
use super::project::Project;
use super::site::{self, Site};
use std::process::Command;
use std::time::{Duration, Instant};

pub(super) const BENCH: Bench = Bench {
    name: "nodeport",
    about: "wrk against `app-a` of examples/jobs, one pod: its NodePort on 127.0.0.1 and its own address take turns, eleven times 3 s;\n\
        requests a second and p99, each the median",
    run,
};

const ROUNDS: usize = 11;

fn run(site: &Site) -> Result<(), String> {
    site::need(&["wrk"])?;
    let project = Project::up(site)?;
    let (port, pod) = (node_port(&project)?, only_pod(&project)?);
    let paths = [format!("http://127.0.0.1:{port}/hello"), format!("http://{pod}/hello")];
    let mut seen = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        // Who is first may find the cores warmer, or not.
        for which in [round % 2, 1 - round % 2] {
            seen[which].push(wrk(&paths[which])?);
        }
    }
    let middle = |which: usize, of: fn(&(f64, f64)) -> f64| site::median(seen[which].iter().map(of).collect());
    let ratio = |of: fn(&(f64, f64)) -> f64| site::median(seen[0].iter().zip(&seen[1]).map(|(ours, other)| of(ours) / of(other)).collect());
    println!("NodePort {:>9.0} requests/s, p99 {:.2} ms", middle(0, |one| one.0), middle(0, |one| one.1));
    println!("direct   {:>9.0} requests/s, p99 {:.2} ms", middle(1, |one| one.0), middle(1, |one| one.1));
    println!(
        "NodePort/direct: {:.2} of the rate, {:.2} times the p99, each the median of the rounds' ratios",
        ratio(|one| one.0),
        ratio(|one| one.1)
    );
    Ok(())
}

fn node_port(project: &Project) -> Result<u64, String> {
    let services = project.list("services")?;
    let service = services.iter().find(|service| service["metadata"]["name"] == "app-a");
    service.and_then(|service| service["spec"]["ports"][0]["nodePort"].as_u64()).ok_or_else(|| "app-a has no NodePort".to_owned())
}

/// Leaves one pod of app-a, so that both paths end at it, and tells where it listens.
fn only_pod(project: &Project) -> Result<String, String> {
    let services = project.list("services")?;
    let service = services.iter().find(|service| service["metadata"]["name"] == "app-a").ok_or("there is no app-a")?;
    let namespace = service["metadata"]["namespace"].as_str().unwrap_or("default");
    project.kubectl(&["scale", "deployment/app-a", "--replicas=1", "--namespace", namespace])?;
    let begun = Instant::now();
    loop {
        let pods = project.list("pods")?;
        let ours: Vec<_> = pods.iter().filter(|pod| pod["metadata"]["labels"]["app"] == "app-a").collect();
        if let ([pod], Some(address)) = (ours.as_slice(), ours.first().and_then(|pod| pod["status"]["podIP"].as_str())) {
            let port = pod["spec"]["containers"][0]["ports"][0]["containerPort"].as_u64().unwrap_or(5000);
            return Ok(format!("{address}:{port}"));
        }
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("{} pods of app-a after a minute", ours.len()));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Requests a second, and the p99 in milliseconds.
fn wrk(url: &str) -> Result<(f64, f64), String> {
    let told = site::said(Command::new("wrk").args(["--threads", "1", "--connections", "32", "--duration", "3s", "--latency", url]))?;
    if told.contains("Non-2xx") || told.contains("Socket errors") {
        return Err(format!("not every request was served:\n{told}"));
    }
    let after = |word: &str| told.lines().find_map(|line| line.trim().strip_prefix(word)).map(str::trim);
    let rate = after("Requests/sec:").and_then(|rate| rate.parse().ok());
    let tail = after("99%").and_then(milliseconds);
    rate.zip(tail).ok_or_else(|| format!("wrk says something else:\n{told}"))
}

/// A time as wrk writes it: `812.00us`, `3.10ms`, `1.02s`.
fn milliseconds(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().ok().map(|number| number * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn reads_times_of_wrk() {
        for (text, wanted) in [("812.00us", 0.812), ("3.10ms", 3.1), ("1.02s", 1020.0)] {
            assert!(milliseconds(text).is_some_and(|found| (found - wanted).abs() < 1e-9), "{text}");
        }
        assert_eq!(milliseconds("3 parsecs"), None);
    }
}
