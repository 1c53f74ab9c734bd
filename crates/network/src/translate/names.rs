//! Names of services, endpoints and pods, by the Kubernetes DNS specification (version 1.1.0).

use super::services::{Conditions, Slices, addresses, cluster_address, number, protocol};
use super::{DOMAIN, Objects, Pod, key};
use crate::topology::{Names, Protocol};
use k8s::{Fields, Value};
use std::net::Ipv4Addr;

/// All names in the cluster's domain.
pub(super) fn of(objects: &Objects, slices: &Slices<'_>, pods: &[Pod<'_>]) -> Names {
    let mut names = Names::default();
    for service in &objects.services {
        let slices = slices.get(&key(service)).map_or(&[][..], Vec::as_slice);
        let name = format!("{}.{}.svc.{DOMAIN}", service.name(), service.namespace());
        match (service.text("spec.type"), cluster_address(service)) {
            ("ExternalName", _) => {
                let target = service.text("spec.externalName").trim_end_matches('.').to_ascii_lowercase();
                names.aliases.insert(name, target);
            }
            // Specification 2.3.1 and 2.3.2.
            (_, Some(address)) => {
                for port in service.items("spec.ports") {
                    port_name(&mut names, port, &name, (number(port, "port"), &name));
                }
                endpoints(&mut names, slices, &name, false);
                names.reverse.insert(address, vec![name.clone()]);
                names.addresses.insert(name, vec![address]);
            }
            // Specification 2.4.1 and 2.4.2.
            (_, None) => endpoints(&mut names, slices, &name, true),
        }
    }
    for pod in pods {
        names.addresses.insert(format!("{}.{}.pod.{DOMAIN}", dashed(pod.address), pod.object.namespace()), vec![pod.address]);
    }
    tidied(names)
}

/// Names of the endpoints of a service; of a headless one also the service's own name and ports.
fn endpoints(names: &mut Names, slices: &[&Value], service: &str, headless: bool) {
    for slice in slices {
        for endpoint in slice.items("endpoints").iter().filter(|endpoint| Conditions::of(endpoint).ready) {
            for address in addresses(endpoint) {
                let host = Some(endpoint.text("hostname")).filter(|host| !host.is_empty()).map_or_else(|| dashed(address), str::to_owned);
                let name = format!("{host}.{service}");
                names.addresses.entry(name.clone()).or_default().push(address);
                if headless {
                    names.addresses.entry(service.to_owned()).or_default().push(address);
                    for port in slice.items("ports") {
                        port_name(names, port, service, (number(port, "port"), &name));
                    }
                }
                names.reverse.entry(address).or_default().push(name);
            }
        }
    }
}

fn port_name(names: &mut Names, port: &Value, service: &str, (number, target): (Option<u16>, &str)) {
    let protocol = match protocol(port) {
        Some(Protocol::Tcp) => "tcp",
        Some(Protocol::Udp) => "udp",
        None => return,
    };
    if let Some(number) = number.filter(|_| !port.text("name").is_empty()) {
        names.ports.entry(format!("_{}._{protocol}.{service}", port.text("name"))).or_default().push((number, target.to_owned()));
    }
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

// Objects come in any order: equal objects must give equal names.
fn tidied(mut names: Names) -> Names {
    for list in names.addresses.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    for list in names.ports.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    for list in names.reverse.values_mut() {
        list.sort_unstable();
        list.dedup();
    }
    names
}
