//! What this process knows of links and rules, and the steps that change them.

use super::journal::{self, HostRecord, LinkRecord, RulesRecord};
use super::{conntrack, docker, failed, links, settings};
use crate::config::Config;
use crate::netlink::{Refused, Socket};
use crate::nft::{self, Batch, Data};
use crate::rules::{NetOp, Rules, difference};
use crate::ruleset::{self, MARK, VERSION};
use crate::topology::{Names, NetworkError, PodLink, Topology};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;

const FORWARDING: &str = "net/ipv4/ip_forward";

#[derive(Debug)]
pub(crate) struct State {
    socket: Socket,
    host: HostRecord,
    rules: RulesRecord,
    /// What is in the kernel.
    seen: Rules,
    names: Option<Names>,
    links: BTreeMap<String, LinkRecord>,
    cursor: Ipv4Addr,
}

/// An address that is a pod's from now on.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// As it was written down.
    pub record: LinkRecord,
    /// The link, where it is there already.
    pub link: Option<PodLink>,
}

impl State {
    pub fn open(config: &Config) -> Result<Self, NetworkError> {
        let socket = rules_socket()?;
        journal::prepare(config)?;
        let mut state = Self {
            socket,
            host: journal::read(&journal::host_file(config))?.unwrap_or_default(),
            rules: journal::read(&journal::rules_file(config))?.unwrap_or_default(),
            seen: Rules::default(),
            names: journal::read(&journal::names_file(config))?,
            links: BTreeMap::new(),
            cursor: journal::read(&journal::cursor_file(config))?.unwrap_or(config.node),
        };
        state.adopt_links(config)?;
        state.prepare_host(config)?;
        state.adopt_rules(config)?;
        state.forward(config)?;
        state.open_docker(config)?;
        Ok(state)
    }

    fn adopt_links(&mut self, config: &Config) -> Result<(), NetworkError> {
        for record in journal::link_records(config)? {
            if record.whole && links::exists(config, &record) {
                self.links.insert(record.pod.clone(), record);
            } else {
                links::remove(config, &record)?;
                record.remove(config)?;
            }
        }
        Ok(())
    }

    fn prepare_host(&mut self, config: &Config) -> Result<(), NetworkError> {
        if !self.host.node_link {
            links::check_free(config).map_err(|error| failed("choose the addresses of pods and services", &error))?;
        }
        self.host.node_link = true;
        self.host.table = true;
        journal::write(&journal::host_file(config), &self.host)?;
        links::make_node(config).map_err(|error| failed("prepare the machine's network", &error))
    }

    /// Others on this machine switch forwarding too, on and off: asked at every link.
    fn forward(&mut self, config: &Config) -> Result<(), NetworkError> {
        let error = |error| failed("let the machine forward packets", &error);
        let off = settings::get(FORWARDING).map_err(error)? == "0";
        let recorded = self.host.settings.contains_key(FORWARDING);
        // Where it is on for another network of ours, it was off before: the last to leave puts it back.
        if !recorded && (off || ruleset::others_forward(&mut self.socket, config).map_err(error)?) {
            self.host.settings.insert(FORWARDING.to_owned(), "0".to_owned());
            journal::write(&journal::host_file(config), &self.host)?;
            let mut batch = Batch::new(&config.table);
            ruleset::note_forwarding(&mut batch);
            batch.commit(&mut self.socket).map_err(|refused| error(refused.error))?;
        }
        if off { settings::set(FORWARDING, "1").map_err(error) } else { Ok(()) }
    }

    fn adopt_rules(&mut self, config: &Config) -> Result<(), NetworkError> {
        let found = nft::keys(&mut self.socket, &config.table, MARK).map_err(|error| failed("read the rules", &error))?;
        let effective = self.effective(config);
        if !self.rules.nonce.is_empty() && found == Some(vec![mark(config, &self.rules.nonce)]) {
            self.seen = Rules::of(&effective);
            return Ok(());
        }
        self.turn(config, effective)
    }

    /// Docker may start after us: asked at every link.
    fn open_docker(&mut self, config: &Config) -> Result<(), NetworkError> {
        let error = |error| failed("let pods pass Docker's firewall", &error);
        if !docker::wanted(&mut self.socket, config).map_err(error)? {
            return Ok(());
        }
        self.host.docker = true;
        journal::write(&journal::host_file(config), &self.host)?;
        docker::open(&mut self.socket, config).map_err(error)
    }

    /// Gives a pod its address, and writes down that its link is about to be made.
    pub fn reserve(&mut self, config: &Config, pod: &str) -> Result<Reserved, NetworkError> {
        self.forward(config)?;
        self.open_docker(config)?;
        if let Some(record) = self.links.get(pod) {
            let link = (record.whole && links::exists(config, record)).then(|| link_of(config, record));
            return Ok(Reserved { record: record.clone(), link });
        }
        let address = self.next_address(config).ok_or_else(|| failed(format!("attach pod {pod}"), &"all pod addresses are in use"))?;
        let record = LinkRecord { pod: pod.to_owned(), address, whole: false };
        journal::write(&journal::cursor_file(config), &address)?;
        record.write(config)?;
        self.cursor = address;
        self.links.insert(pod.to_owned(), record.clone());
        Ok(Reserved { record, link: None })
    }

    // Ever onwards, so that an address that was just given back is not at once another pod's.
    fn next_address(&self, config: &Config) -> Option<Ipv4Addr> {
        let used: BTreeSet<Ipv4Addr> = self.links.values().map(|record| record.address).collect();
        let (first, last) = crate::ranges::of_block(config.pods);
        let free = |address: &Ipv4Addr| {
            *address != config.node && !used.contains(address) && !address.octets().ends_with(&[0]) && !address.octets().ends_with(&[255])
        };
        let from = u32::from(self.cursor).clamp(first, last);
        (from.saturating_add(1)..last).chain(first.saturating_add(1)..=from).map(Ipv4Addr::from).find(free)
    }

    /// Remembers that a link is whole.
    pub fn attached(&mut self, config: &Config, mut record: LinkRecord) -> Result<PodLink, NetworkError> {
        record.whole = true;
        record.write(config)?;
        if self.rules.withdrawn.remove(&record.address).is_some() {
            self.settle(config)?;
        }
        let link = link_of(config, &record);
        self.links.insert(record.pod.clone(), record);
        Ok(link)
    }

    /// Removes a pod's link; its address leaves every service first, in case it is still in one.
    pub fn detach(&mut self, config: &Config, pod: &str) -> Result<(), NetworkError> {
        let Some(record) = self.links.get(pod).cloned() else { return Ok(()) };
        if self.rules.withdrawn.insert(record.address, true) != Some(true) {
            self.settle(config)?;
        }
        links::remove(config, &record)?;
        record.remove(config)?;
        self.links.remove(pod);
        Ok(())
    }

    /// Takes an address out of every service.
    pub fn withdraw(&mut self, config: &Config, address: Ipv4Addr) -> Result<(), NetworkError> {
        self.rules.withdrawn.entry(address).or_insert(false);
        self.settle(config)
    }

    /// Makes rules and names be as given.
    pub fn apply(&mut self, config: &Config, topology: Topology) -> Result<(), NetworkError> {
        let mentioned: BTreeSet<Ipv4Addr> = endpoints(&topology).collect();
        let before = self.rules.withdrawn.len();
        self.rules.withdrawn.retain(|address, gone| !*gone || mentioned.contains(address));
        let changed = before != self.rules.withdrawn.len() || topology != self.rules.topology;
        if changed {
            self.rules.topology = topology;
            self.settle(config)?;
        }
        self.publish(config)
    }

    fn publish(&mut self, config: &Config) -> Result<(), NetworkError> {
        let names = &self.rules.topology.names;
        if self.names.as_ref() != Some(names) {
            journal::write(&journal::names_file(config), names)?;
            self.names = Some(names.clone());
        }
        Ok(())
    }

    /// The links by pod.
    pub fn links(&self, config: &Config) -> BTreeMap<String, PodLink> {
        let whole = self.links.iter().filter(|(_, record)| record.whole);
        whole.map(|(pod, record)| (pod.clone(), link_of(config, record))).collect()
    }

    /// Undoes everything, and puts settings back.
    pub fn teardown(&mut self, config: &Config) -> Result<(), NetworkError> {
        let doing = "undo the machine's network";
        for record in self.links.values() {
            links::remove(config, record)?;
            record.remove(config)?;
        }
        self.links.clear();
        docker::close(&mut self.socket, config).map_err(|error| failed(doing, &error))?;
        let mut batch = Batch::new(&config.table);
        batch.add_table();
        batch.delete_table();
        batch.commit(&mut self.socket).map_err(|refused| failed(doing, &refused.error))?;
        links::remove_node(config).map_err(|error| failed(doing, &error))?;
        let others = ruleset::others_forward(&mut self.socket, config).map_err(|error| failed(doing, &error))?;
        for (name, value) in self.host.settings.iter().filter(|(name, _)| *name != FORWARDING || !others) {
            settings::set(name, value).map_err(|error| failed(doing, &error))?;
        }
        for file in [journal::host_file(config), journal::rules_file(config), journal::names_file(config)] {
            journal::remove(&file)?;
        }
        self.host = HostRecord::default();
        self.rules = RulesRecord::default();
        self.seen = Rules::default();
        self.names = None;
        Ok(())
    }

    /// What the rules should be: as asked for, without what was withdrawn, and without the name service's own address.
    fn effective(&self, config: &Config) -> Topology {
        let mut topology = self.rules.topology.clone();
        topology.names = Names::default();
        topology.host_ports.retain(|port| !self.rules.withdrawn.contains_key(&port.to.0));
        topology.services.retain(|_, service| service.address != config.dns);
        for port in topology.services.values_mut().flat_map(|service| &mut service.ports) {
            port.endpoints.retain(|(address, _)| !self.rules.withdrawn.contains_key(address));
        }
        topology
    }

    fn settle(&mut self, config: &Config) -> Result<(), NetworkError> {
        let effective = self.effective(config);
        self.turn(config, effective)
    }

    /// Brings the kernel from `seen` to `want`: what has changed, or everything where that is refused or not known.
    fn turn(&mut self, config: &Config, want: Topology) -> Result<(), NetworkError> {
        let want = Rules::of(&want);
        let ops = difference(&want, &self.seen);
        let known = !self.rules.nonce.is_empty();
        if known && ops.is_empty() {
            // The kernel is as it should be, but a new process must know what it was asked for.
            return journal::write(&journal::rules_file(config), &self.rules);
        }
        let old = std::mem::replace(&mut self.rules.nonce, base::ids::suffix(16));
        journal::write(&journal::rules_file(config), &self.rules)?;
        let committed = if known && self.commit(config, &ops, false).is_ok() {
            Ok(())
        } else {
            self.commit(config, &difference(&want, &Rules::default()), true)
        };
        if let Err(refused) = committed {
            self.rules.nonce = old;
            return Err(failed("change the rules", &refused.error));
        }
        self.seen = want;
        let gone: BTreeSet<_> =
            ops.iter().filter_map(|op| if let NetOp::ForgetFlows(endpoint) = op { Some(*endpoint) } else { None }).collect();
        conntrack::forget(&mut self.socket, &gone).map_err(|error| failed("forget flows to endpoints that are gone", &error))
    }

    fn commit(&mut self, config: &Config, ops: &[NetOp], all: bool) -> Result<(), Refused> {
        let mut batch = Batch::new(&config.table);
        if all {
            ruleset::replace_all(&mut batch, config);
            if self.host.settings.contains_key(FORWARDING) {
                ruleset::note_forwarding(&mut batch);
            }
        } else {
            batch.flush_elements(MARK);
        }
        ruleset::encode(&mut batch, ops);
        batch.add_elements(MARK, &[(mark(config, &self.rules.nonce), Data::None)]);
        batch.commit(&mut self.socket)
    }
}

fn link_of(config: &Config, record: &LinkRecord) -> PodLink {
    PodLink { address: record.address, netns: record.netns(config) }
}

fn endpoints(topology: &Topology) -> impl Iterator<Item = Ipv4Addr> {
    let services = topology.services.values().flat_map(|service| &service.ports).flat_map(|port| &port.endpoints);
    services.chain(topology.host_ports.iter().map(|port| &port.to)).map(|(address, _)| *address)
}

fn mark(config: &Config, nonce: &str) -> Vec<u8> {
    Sha256::digest(format!("{VERSION} {config:?} {nonce}")).iter().take(16).copied().collect()
}

/// A socket to the kernel's packet rules, which have answered.
///
/// # Errors
/// What is missing, with the next step.
pub(crate) fn rules_socket() -> Result<Socket, NetworkError> {
    let mut socket = open_socket()?;
    nft::probe(&mut socket).map_err(|error| no_rules(&error))?;
    Ok(socket)
}

fn open_socket() -> Result<Socket, NetworkError> {
    Socket::netfilter().map_err(|error| no_rules(&error))
}

fn no_rules(error: &io::Error) -> NetworkError {
    let next = match error.kind() {
        io::ErrorKind::PermissionDenied => "changing the network needs root: run it with `sudo`",
        _ => "the kernel has no nf_tables: load it with `modprobe nf_tables`, or use a kernel with CONFIG_NF_TABLES and CONFIG_NFT_NAT",
    };
    failed("use the kernel's packet rules", &format!("{error}; {next}"))
}
