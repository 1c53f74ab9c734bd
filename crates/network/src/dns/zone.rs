//! The cluster's names and what they answer: the Kubernetes DNS specification, version 1.1.0. Pure.

use crate::config::Block;
use crate::ranges::of_block;
use crate::topology::Names;
use crate::translate::DOMAIN;
use hickory_server::proto::rr::rdata::{A, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Seconds for which an answer may be kept, as CoreDNS gives for Kubernetes.
const TTL: u32 = 5;
/// Steps of aliases that are followed inside of the cluster.
const ALIASES: usize = 8;

/// The names that this process answers for.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    names: Names,
    /// Names that are not there but have names below them: they exist, with no records (RFC 8020).
    parents: BTreeSet<String>,
    server: Ipv4Addr,
    blocks: Vec<Block>,
}

/// What a zone says to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub answers: Vec<Record>,
    pub additionals: Vec<Record>,
    /// Whether the name exists.
    pub exists: bool,
    /// A name outside that must be asked for as well.
    pub elsewhere: Option<Name>,
}

impl Zone {
    pub fn new(names: Names, server: Ipv4Addr, blocks: Vec<Block>) -> Self {
        let mut parents = BTreeSet::new();
        for name in names.addresses.keys().chain(names.aliases.keys()).chain(names.ports.keys()) {
            let mut rest = name.as_str();
            while let Some((_, parent)) = rest.split_once('.') {
                if parent.len() <= DOMAIN.len() || !parents.insert(parent.to_owned()) {
                    break;
                }
                rest = parent;
            }
        }
        Self { names, parents, server, blocks }
    }

    /// Whether a name (lower case, without the last dot) is one that this zone decides about.
    pub fn owns(&self, name: &str) -> bool {
        name == DOMAIN || is_below(name, DOMAIN) || reversed(name).is_some_and(|address| self.is_ours(address))
    }

    /// Answers a question about a name that it [owns](Self::owns).
    pub fn answer(&self, name: &str, wanted: RecordType) -> Answer {
        let mut answer = match reversed(name) {
            Some(address) => self.reverse(name, address, wanted),
            None => self.forward(name, wanted),
        };
        // Clients take the first: each shall have its turn.
        let turn = usize::from(base::ids::random::<1>()[0]);
        if answer.answers.len() > 1 && answer.answers.iter().all(|record| record.record_type() == RecordType::A) {
            let count = answer.answers.len();
            answer.answers.rotate_left(turn % count);
        }
        answer
    }

    /// The start of authority, for answers that say no.
    pub fn authority(&self, name: &str) -> Option<Record> {
        let apex = if reversed(name).is_some() { "in-addr.arpa" } else { DOMAIN };
        let soa = SOA::new(full(&format!("ns.dns.{DOMAIN}"))?, full(&format!("hostmaster.{DOMAIN}"))?, 1, 7200, 1800, 86_400, TTL);
        Some(Record::from_rdata(full(apex)?, TTL, RData::SOA(soa)))
    }

    fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.blocks.iter().any(|block| (of_block(*block).0..=of_block(*block).1).contains(&u32::from(address)))
    }

    fn reverse(&self, name: &str, address: Ipv4Addr, wanted: RecordType) -> Answer {
        let Some(targets) = self.names.reverse.get(&address) else { return Answer::default() };
        let records =
            targets.iter().filter(|_| is_wanted(RecordType::PTR, wanted)).filter_map(|target| record(name, RData::PTR(PTR(full(target)?))));
        Answer { answers: records.collect(), exists: true, ..Answer::default() }
    }

    fn forward(&self, asked: &str, wanted: RecordType) -> Answer {
        let mut answer = Answer::default();
        let mut name = asked.to_owned();
        for _ in 0..ALIASES {
            let Some(target) = self.names.aliases.get(&name) else { break };
            answer.exists = true;
            let Some(to) = full(target) else { return answer };
            answer.answers.extend(record(&name, RData::CNAME(CNAME(to.clone()))));
            if wanted == RecordType::CNAME {
                return answer;
            }
            if !self.owns(target) {
                answer.elsewhere = Some(to);
                return answer;
            }
            name.clone_from(target);
        }
        let addresses = self.addresses(&name);
        let ports = self.names.ports.get(&name).map_or(&[][..], Vec::as_slice);
        answer.exists |= addresses.is_some() || !ports.is_empty() || self.parents.contains(&name) || is_apex(&name);
        if is_wanted(RecordType::A, wanted) {
            answer.answers.extend(addresses.unwrap_or_default().into_iter().filter_map(|address| record(&name, RData::A(A(address)))));
        }
        if is_wanted(RecordType::SRV, wanted) {
            self.services(&name, ports, &mut answer);
        }
        answer.answers.extend(self.apex(&name, wanted));
        answer
    }

    fn addresses(&self, name: &str) -> Option<Vec<Ipv4Addr>> {
        if name == format!("ns.dns.{DOMAIN}") { Some(vec![self.server]) } else { self.names.addresses.get(name).cloned() }
    }

    fn services(&self, name: &str, ports: &[(u16, String)], answer: &mut Answer) {
        let weight = 100 / u16::try_from(ports.len().clamp(1, 100)).unwrap_or(1);
        let mut told = BTreeSet::new();
        for (port, target) in ports {
            answer.answers.extend(full(target).and_then(|to| record(name, RData::SRV(SRV::new(0, weight, *port, to)))));
            if told.insert(target) {
                let addresses = self.names.addresses.get(target).into_iter().flatten();
                answer.additionals.extend(addresses.filter_map(|address| record(target, RData::A(A(*address)))));
            }
        }
    }

    fn apex(&self, name: &str, wanted: RecordType) -> Option<Record> {
        if name == DOMAIN && is_wanted(RecordType::SOA, wanted) {
            return self.authority(name);
        }
        if name == DOMAIN && wanted == RecordType::NS {
            return record(name, RData::NS(NS(full(&format!("ns.dns.{DOMAIN}"))?)));
        }
        // Specification 2.2.
        let version = name == format!("dns-version.{DOMAIN}") && is_wanted(RecordType::TXT, wanted);
        version.then(|| record(name, RData::TXT(TXT::new(vec!["1.1.0".to_owned()]))))?
    }
}

fn is_apex(name: &str) -> bool {
    name == DOMAIN || ["dns", "dns-version", "svc", "pod"].iter().any(|label| name == format!("{label}.{DOMAIN}"))
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn is_wanted(kind: RecordType, wanted: RecordType) -> bool {
    wanted == kind || wanted == RecordType::ANY
}

/// The address that a name of `in-addr.arpa` asks about.
fn reversed(name: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut labels = name.strip_suffix(".in-addr.arpa")?.split('.');
    for octet in octets.iter_mut().rev() {
        *octet = labels.next()?.parse().ok()?;
    }
    labels.next().is_none().then(|| octets.into())
}

fn full(name: &str) -> Option<Name> {
    Name::from_ascii(format!("{name}.")).ok()
}

fn record(name: &str, data: RData) -> Option<Record> {
    Some(Record::from_rdata(full(name)?, TTL, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        let mut names = Names::default();
        let web = format!("web.shop.svc.{DOMAIN}");
        let address = Ipv4Addr::new(10, 43, 0, 20);
        names.addresses.insert(web.clone(), vec![address]);
        names.addresses.insert(format!("db.shop.svc.{DOMAIN}"), vec![[10, 42, 0, 2].into(), [10, 42, 0, 3].into()]);
        names.ports.insert(format!("_http._tcp.{web}"), vec![(80, web.clone())]);
        names.aliases.insert(format!("else.shop.svc.{DOMAIN}"), "example.com".to_owned());
        names.aliases.insert(format!("same.shop.svc.{DOMAIN}"), web.clone());
        names.aliases.insert(format!("loop.shop.svc.{DOMAIN}"), format!("loop.shop.svc.{DOMAIN}"));
        names.reverse.insert(address, vec![web]);
        Zone::new(names, Ipv4Addr::new(10, 43, 0, 10), vec![([10, 42, 0, 0].into(), 16), ([10, 43, 0, 0].into(), 16)])
    }

    fn told(answer: &Answer) -> Vec<String> {
        let mut told: Vec<String> = answer.answers.iter().map(|record| format!("{} {}", record.record_type(), record.data)).collect();
        told.sort();
        told
    }

    #[test]
    fn names_answer_with_their_records() {
        for (name, wanted, expected) in [
            ("web.shop.svc", RecordType::A, &["A 10.43.0.20"][..]),
            ("web.shop.svc", RecordType::AAAA, &[]),
            ("db.shop.svc", RecordType::A, &["A 10.42.0.2", "A 10.42.0.3"]),
            ("_http._tcp.web.shop.svc", RecordType::SRV, &["SRV 0 100 80 web.shop.svc.cluster.local."]),
            ("same.shop.svc", RecordType::A, &["A 10.43.0.20", "CNAME web.shop.svc.cluster.local."]),
            ("ns.dns", RecordType::A, &["A 10.43.0.10"]),
            ("dns-version", RecordType::TXT, &["TXT 1.1.0"]),
        ] {
            let answer = zone().answer(&format!("{name}.{DOMAIN}"), wanted);
            assert_eq!(
                (told(&answer).as_slice(), answer.exists),
                (expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>().as_slice(), true),
                "{name}"
            );
        }
        let answer = zone().answer(&format!("_http._tcp.web.shop.svc.{DOMAIN}"), RecordType::SRV);
        assert_eq!(answer.additionals.len(), 1);
        assert_eq!(told(&zone().answer("20.0.43.10.in-addr.arpa", RecordType::PTR)), ["PTR web.shop.svc.cluster.local."]);
    }

    #[test]
    fn what_is_not_there_is_told_from_what_has_no_such_record() {
        for (name, exists) in
            [("none.shop.svc", false), ("shop.svc", true), ("svc", true), ("_tcp.web.shop.svc", true), ("nowhere.svc", false)]
        {
            let answer = zone().answer(&format!("{name}.{DOMAIN}"), RecordType::A);
            assert_eq!((answer.exists, answer.answers.len()), (exists, 0), "{name}");
        }
        assert!(zone().answer(DOMAIN, RecordType::A).exists);
        assert!(!zone().answer("9.0.43.10.in-addr.arpa", RecordType::PTR).exists);
    }

    #[test]
    fn it_owns_the_cluster_and_nothing_else() {
        for (name, owned) in [
            (DOMAIN, true),
            ("a.cluster.local", true),
            ("xcluster.local", false),
            ("local", false),
            ("example.com", false),
            ("1.0.42.10.in-addr.arpa", true),
            ("1.0.44.10.in-addr.arpa", false),
            ("0.42.10.in-addr.arpa", false),
        ] {
            assert_eq!(zone().owns(name), owned, "{name}");
        }
    }

    #[test]
    fn aliases_lead_elsewhere_or_end() {
        let answer = zone().answer(&format!("else.shop.svc.{DOMAIN}"), RecordType::A);
        assert_eq!(answer.elsewhere, full("example.com"));
        assert_eq!(zone().answer(&format!("loop.shop.svc.{DOMAIN}"), RecordType::A).answers.len(), ALIASES);
    }
}
