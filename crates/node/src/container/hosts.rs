//! `/etc/hosts` and the host name of a pod. Source: kubelet `kubelet_pods.go`.

use crate::config::NodeConfig;
use crate::pod::Pod;
use k8s::{Fields, Value};
use std::fmt::Write;
use std::net::IpAddr;

/// The pod's host name: its own, or the pod's name; the machine's with the host's network.
pub fn hostname(pod: &Pod, node: &NodeConfig) -> String {
    let overriding = pod.object.text("spec.hostnameOverride");
    if !overriding.is_empty() {
        return overriding.to_owned();
    }
    if pod.host_network {
        return node.hostname.clone();
    }
    let own = match pod.object.text("spec.hostname") {
        "" => pod.name.as_str(),
        own => own,
    };
    let short: String = own.chars().take(63).collect();
    let short = short.trim_end_matches(['-', '.']).to_owned();
    match domain(pod, node) {
        Some(domain) if pod.object.flag("spec.setHostnameAsFQDN") => format!("{short}.{domain}"),
        _ => short,
    }
}

fn domain(pod: &Pod, node: &NodeConfig) -> Option<String> {
    let subdomain = pod.object.text("spec.subdomain");
    (!subdomain.is_empty()).then(|| format!("{subdomain}.{}.svc.{}", pod.namespace, node.cluster_domain))
}

/// The content of `/etc/hosts`; `host` is the machine's own, used with the host's network.
pub fn hosts_file(pod: &Pod, node: &NodeConfig, ip: Option<IpAddr>, host: &str) -> String {
    let mut text = String::new();
    if pod.host_network {
        text.push_str("# Kubernetes-managed hosts file (host network).\n");
        text.push_str(host);
    } else {
        text.push_str("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        text.push_str("fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        if let Some(ip) = ip {
            let name = hostname(pod, node);
            let short = name.split('.').next().unwrap_or_default();
            let _ = match domain(pod, node) {
                Some(domain) => writeln!(text, "{ip}\t{short}.{domain}\t{short}"),
                None => writeln!(text, "{ip}\t{name}"),
            };
        }
    }
    let aliases = pod.object.items("spec.hostAliases");
    if !aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let names: Vec<&str> = alias.items("hostnames").iter().filter_map(Value::as_str).collect();
            let _ = writeln!(text, "{}\t{}", alias.text("ip"), names.join("\t"));
        }
    }
    text
}
