//! `/etc/resolv.conf` of a pod. Source: kubelet `pkg/kubelet/network/dns`.

use crate::config::NodeConfig;
use crate::pod::Pod;
use k8s::{Fields, Value};

/// Resolver settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolv {
    /// Name servers, at most three.
    pub servers: Vec<String>,
    /// Search domains, at most 32.
    pub search: Vec<String>,
    /// Options such as `ndots:5`.
    pub options: Vec<String>,
}

impl Resolv {
    /// Reads resolv.conf(5); lines that it does not know are left out.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let rest = |words: std::str::SplitWhitespace<'_>| words.map(str::to_owned).collect();
            match words.next() {
                Some("nameserver") => found.servers.extend(words.next().map(str::to_owned)),
                Some("search") => found.search = rest(words),
                Some("options") => found.options = rest(words),
                _ => {}
            }
        }
        found.search.retain(|domain| domain != ".");
        found
    }

    /// As a file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.search.is_empty() {
            text.push_str(&format!("search {}\n", self.search.join(" ")));
        }
        for server in &self.servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}

/// A pod's settings; `host` are the machine's own.
pub fn of_pod(pod: &Pod, node: &NodeConfig, host: &Resolv) -> Resolv {
    let cluster = || {
        let (namespace, domain) = (&pod.namespace, &node.cluster_domain);
        let mut search = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.clone()];
        search.extend(host.search.iter().cloned());
        Resolv { servers: vec![node.cluster_dns.to_string()], search, options: vec!["ndots:5".into()] }
    };
    let mut resolv = match pod.object.text("spec.dnsPolicy") {
        "None" => Resolv::default(),
        "Default" => host.clone(),
        "ClusterFirstWithHostNet" => cluster(),
        _ if pod.host_network => host.clone(),
        _ => cluster(),
    };
    if let Some(config) = pod.object.at("spec.dnsConfig") {
        merge(&mut resolv, config);
    }
    dedup(&mut resolv.servers, 3);
    dedup(&mut resolv.search, 32);
    resolv
}

fn merge(resolv: &mut Resolv, config: &Value) {
    let texts = |field| config.items(field).iter().filter_map(Value::as_str).map(str::to_owned);
    resolv.servers.extend(texts("nameservers"));
    resolv.search.extend(texts("searches"));
    for option in config.items("options") {
        let (name, value) = (option.text("name"), option.at("value").and_then(Value::as_str));
        resolv.options.retain(|old| old.split(':').next() != Some(name));
        resolv.options.push(value.map_or_else(|| name.to_owned(), |value| format!("{name}:{value}")));
    }
}

fn dedup(list: &mut Vec<String>, most: usize) {
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|entry| seen.insert(entry.clone()));
    list.truncate(most);
}
