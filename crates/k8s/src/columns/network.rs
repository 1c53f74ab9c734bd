//! Services, Endpoints, EndpointSlices, NetworkPolicies, IngressClasses.

use super::cells::{age, first_three, joined, labels, or_none, selector_or_none, strings};
use super::{AGE, Column, NAME, Printer, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

const PORTS: Column = text("Ports", "Ports that its endpoints answer on.");

pub(super) static SERVICE: Printer = Printer {
    kind: kinds::SERVICE,
    columns: &[
        NAME,
        text("Type", "How it is reached."),
        text("Cluster-IP", "Its address inside the cluster."),
        text("External-IP", "Its addresses outside."),
        text("Port(s)", "Its ports, with the node's where there is one."),
        AGE,
        wide("Selector", "Which pods answer."),
    ],
    cells: service,
};

pub(super) static ENDPOINTS: Printer = Printer {
    kind: kinds::ENDPOINTS,
    columns: &[NAME, text("Endpoints", "Addresses that are ready."), AGE],
    cells: |object, now| vec![json!(object.name()), json!(subsets(object)), age(object, now)],
};

pub(super) static ENDPOINT_SLICE: Printer = Printer {
    kind: kinds::ENDPOINT_SLICE,
    columns: &[NAME, text("AddressType", "What its addresses are."), PORTS, text("Endpoints", "Its addresses."), AGE],
    cells: endpoint_slice,
};

pub(super) static NETWORK_POLICY: Printer = Printer {
    kind: kinds::NETWORK_POLICY,
    columns: &[NAME, text("Pod-Selector", "Which pods it is about."), AGE],
    cells: |object, now| vec![json!(object.name()), selector_or_none(object, "spec.podSelector"), age(object, now)],
};

pub(super) static INGRESS_CLASS: Printer = Printer {
    kind: kinds::INGRESS_CLASS,
    columns: &[NAME, text("Controller", "What serves its ingresses."), text("Parameters", "The object with its settings."), AGE],
    cells: ingress_class,
};

fn ingress_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let parameters = object.at("spec.parameters").map(|parameters| {
        let group = parameters.text("apiGroup");
        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
        format!("{}{group}/{}", parameters.text("kind"), parameters.text("name"))
    });
    vec![json!(object.name()), json!(object.text("spec.controller")), or_none(&parameters.unwrap_or_default()), age(object, now)]
}

fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let cluster_ip = strings(object, "spec.clusterIPs").next().unwrap_or(object.text("spec.clusterIP"));
    let ports = object.items("spec.ports").iter().map(|port| {
        let (number, protocol) = (port.int("port").unwrap_or(0), port.text("protocol"));
        let protocol = if protocol.is_empty() { "TCP" } else { protocol };
        match port.int("nodePort") {
            Some(node_port) if node_port > 0 => format!("{number}:{node_port}/{protocol}"),
            _ => format!("{number}/{protocol}"),
        }
    });
    vec![
        json!(object.name()),
        json!(service_type(object)),
        or_none(cluster_ip),
        json!(external(object)),
        or_none(&ports.collect::<Vec<_>>().join(",")),
        age(object, now),
        labels(object, "spec.selector"),
    ]
}

fn service_type(object: &Value) -> &str {
    match object.text("spec.type") {
        "" => "ClusterIP",
        other => other,
    }
}

fn external(object: &Value) -> String {
    let given = joined(strings(object, "spec.externalIPs"), ",");
    match service_type(object) {
        "ClusterIP" | "NodePort" if given.is_empty() => "<none>".to_owned(),
        "ClusterIP" | "NodePort" => given,
        "ExternalName" => object.text("spec.externalName").to_owned(),
        "LoadBalancer" => {
            let ingress = object.items("status.loadBalancer.ingress").iter();
            let mut all: Vec<&str> = ingress
                .map(|at| [at.text("ip"), at.text("hostname")].into_iter().find(|text| !text.is_empty()).unwrap_or_default())
                .collect();
            all.retain(|address| !address.is_empty());
            all.sort_unstable();
            all.dedup();
            all.extend(strings(object, "spec.externalIPs"));
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        _ => "<unknown>".to_owned(),
    }
}

fn with_port(ip: &str, port: i64) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

fn subsets(object: &Value) -> String {
    let subsets = object.items("subsets");
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut all = Vec::new();
    for subset in subsets {
        let ips = || subset.items("addresses").iter().map(|address| address.text("ip"));
        let ports = subset.items("ports");
        if ports.is_empty() {
            all.extend(ips().map(str::to_owned));
        }
        for port in ports {
            all.extend(ips().map(|ip| with_port(ip, port.int("port").unwrap_or(0))));
        }
    }
    if all.is_empty() { String::new() } else { first_three(&all) }
}

fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let port = |port: &Value| match (port.int("port"), port.text("name")) {
        (Some(number), _) => number.to_string(),
        (None, "") => "*".to_owned(),
        (None, name) => name.to_owned(),
    };
    let ports: Vec<String> = object.items("ports").iter().map(port).collect();
    let addresses: Vec<String> =
        object.items("endpoints").iter().flat_map(|endpoint| strings(endpoint, "addresses")).map(str::to_owned).collect();
    vec![
        json!(object.name()),
        json!(object.text("addressType")),
        json!(first_three(&ports)),
        json!(first_three(&addresses)),
        age(object, now),
    ]
}
