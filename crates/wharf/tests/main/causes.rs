//! Releases that cannot serve: the cause in one line, soon after the first event or status that carries it.

#![allow(clippy::print_stdout, reason = "figures and what is skipped")]

use super::place::Place;
use serde_json::Value;
use std::time::{Duration, Instant};

/// What a failed `up` said: the cause, and how many milliseconds after its first sign.
pub fn cause(place: &Place, what: &str) -> (String, u64) {
    let begun = Instant::now();
    let failed = place.wharf(&["up", "--json"]);
    let said = String::from_utf8_lossy(&failed.stdout).into_owned();
    assert_eq!(failed.status.code(), Some(3), "{what}: {said}");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let line = lines.iter().find(|line| line.get("told_after_ms").is_some()).unwrap_or_else(|| panic!("{what}: {said}"));
    let (cause, after) = (line["cause"].as_str().expect("a cause").to_owned(), line["told_after_ms"].as_u64().expect("a time"));
    println!("{what}: told after {after} ms, {:?} in all: {cause}", begun.elapsed());
    assert!(after < 10_000 && !cause.contains('\n'), "{what}: {after} ms: {cause}");
    assert!(line["rolled_back"].is_string(), "{what}: {said}");
    (cause, after)
}

/// Every broken release on a place, one after the other, each on top of one that serves.
pub fn every_cause(place: &Place) {
    let manifest = place.project().join("k8s/web.yaml");
    let good = std::fs::read_to_string(&manifest).expect("read");
    place.well(&["up"]);
    let image = "          image: web\n";
    let with = |text: &str| good.replace(image, &format!("{image}          {text}\n"));
    let pod = |text: &str| good.replace("      containers:\n", &format!("      {text}\n      containers:\n"));
    let quota = "---\napiVersion: v1\nkind: ResourceQuota\nmetadata: { name: few }\nspec: { hard: { pods: \"2\" } }\n";
    let claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data }\nspec: { accessModes: [ReadWriteOnce], storageClassName: fast, resources: { requests: { storage: 1Mi } } }\n";
    let volume = "volumes: [{ name: data, persistentVolumeClaim: { claimName: data } }]";
    let cases = [
        ("missing image", good.replace("image: web\n", "image: localhost/nothing:1\n"), "localhost/nothing:1"),
        ("crash", with("command: [/bin/sh, -c, 'echo no database; exit 3']"), "ended with exit code 3; its last line: no database"),
        ("no such program", with("command: [/bin/nothing]"), "/bin/nothing"),
        ("bad config map", with("envFrom: [{ configMapRef: { name: nowhere } }]"), "nowhere"),
        ("quota", format!("{}{quota}", with("env: [{ name: A, value: b }]")), "exceeded quota"),
        ("unschedulable", good.replace("cpu: 200m", "cpu: 5000"), "Insufficient cpu"),
        (
            "out of memory",
            with("command: [/bin/sh, -c, 'dd if=/dev/zero of=/dev/null bs=200M count=3']"),
            "out of memory (its limit is 32Mi)",
        ),
        ("no storage class", format!("{}{claim}", pod(volume)), "waits for the claim `data`: there is no storage class `fast`"),
        ("no claim", pod(volume.replace("claimName: data", "claimName: nope").as_str()), "nope"),
        ("never ready", good.replace("path: /,", "path: /nope,"), "never became ready"),
    ];
    for (what, text, wanted) in cases {
        std::fs::write(&manifest, text).expect("written");
        let (cause, _) = cause(place, what);
        assert!(cause.contains(wanted), "{what}: {cause}");
        place.well(&["smoke"]);
    }
    let begun = Instant::now();
    std::fs::write(&manifest, good).expect("written");
    place.well(&["up"]);
    assert!(begun.elapsed() < Duration::from_secs(20));
    place.well(&["down", "--volumes"]);
}
