//! A pod's link: a pair of virtual ends, one in the pod's namespace, routed and without broadcast.
//!
//! Neither side ever asks for a hardware address: both know the other's. The pod has one address of its own (/32) and a
//! gateway that is no machine's; the machine has a route to each pod.

use super::journal::LinkRecord;
use super::{failed, settings};
use crate::config::{Block, Config};
use crate::netlink::{self, ACK, CREATE, EXCLUSIVE, Message, Refused, Socket, attribute};
use crate::ranges::of_block;
use crate::topology::NetworkError;
use rtnetlink::packet_core::NetlinkSerializable;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::RouteNetlinkMessage as Route;
use rtnetlink::packet_route::address::AddressMessage;
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth};
use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use rtnetlink::packet_route::route::{RouteMessage, RouteScope, RouteType};
use rtnetlink::{AddressMessageBuilder, LinkMessageBuilder, LinkUnspec, RouteMessageBuilder};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;
use sys::netns;

/// Where pods send everything.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// Hardware address of the machine's end of every link.
const MACHINE: [u8; 6] = [0x02, b'w', b'h', 0, 0, 1];
/// Index of a pod's end: asked for, so that it need not be looked up.
const POD_INDEX: u32 = 10;

const NEW: u16 = ACK | CREATE | EXCLUSIVE;

/// Makes namespace and link of a record.
///
/// # Errors
/// What the kernel said, with the step.
pub(crate) fn make(config: &Config, record: &LinkRecord) -> Result<(), NetworkError> {
    let doing = || format!("make the link of pod {}", record.pod);
    // What a killed process left of the same record goes first.
    remove(config, record)?;
    let file = record.netns(config);
    let inside = || {
        netns::create(&file)
            .and_then(|()| File::open("/proc/thread-self/ns/net"))
            .and_then(|here| netns::run_in(&file, || inside(config, record, &here)))
    };
    let settled = || netns::run_in(&file, settled);
    inside().and_then(|()| outside(config, record)).and_then(|()| settled()).map_err(|error| failed(doing(), &error))
}

/// Makes a namespace that reaches nothing but itself.
///
/// # Errors
/// What the kernel said.
pub(crate) fn alone(path: &Path) -> Result<(), NetworkError> {
    let up = || run(&[("bring lo up", ACK, Route::SetLink(LinkUnspec::new_with_index(1).up().build()))]);
    netns::create(path).and_then(|()| netns::run_in(path, up)).map_err(|error| failed("make a network of its own", &error))
}

/// Removes link and namespace of a record; gone already is success.
///
/// # Errors
/// What the kernel said.
pub(crate) fn remove(config: &Config, record: &LinkRecord) -> Result<(), NetworkError> {
    let doing = || format!("remove the link of pod {}", record.pod);
    delete(&record.link(config)).map_err(|error| failed(doing(), &error))?;
    netns::remove(&record.netns(config)).map_err(|error| failed(doing(), &error))
}

/// Whether link and namespace of a record are there.
pub(crate) fn exists(config: &Config, record: &LinkRecord) -> bool {
    is_namespace(&record.netns(config)) && index_of(&record.link(config)).is_ok()
}

fn is_namespace(file: &Path) -> bool {
    const NAMESPACES: i64 = 0x6e73_6673;
    rustix::fs::statfs(file).is_ok_and(|found| found.f_type == NAMESPACES)
}

fn pod_hardware(address: Ipv4Addr) -> Vec<u8> {
    [&[0x02, b'w'][..], &address.octets()].concat()
}

fn inside(config: &Config, record: &LinkRecord, outside: &File) -> io::Result<()> {
    settings::set_if_there("net/ipv6/conf/default/disable_ipv6", "1")?;
    settings::set("net/ipv4/conf/all/accept_redirects", "0")?;
    settings::set("net/ipv4/conf/default/accept_redirects", "0")?;
    // As container runtimes do for Kubernetes: any user may use ports below 1024 and send pings, in its own namespace.
    settings::set("net/ipv4/ip_unprivileged_port_start", "0")?;
    settings::set("net/ipv4/ping_group_range", "0 2147483647")?;
    let peer = LinkUnspec::new_with_name(&record.link(config)).address(MACHINE.to_vec()).setns_by_fd(outside.as_raw_fd()).build();
    let pair = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::Veth)
        .name("eth0".to_owned())
        .index(POD_INDEX)
        .address(pod_hardware(record.address))
        .up()
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
    let on_link =
        RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(GATEWAY, 32).output_interface(POD_INDEX).scope(RouteScope::Link);
    let default =
        RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(Ipv4Addr::UNSPECIFIED, 0).gateway(GATEWAY).output_interface(POD_INDEX);
    run(&[
        ("bring lo up", ACK, Route::SetLink(LinkUnspec::new_with_index(1).up().build())),
        ("make the pair", NEW, Route::NewLink(pair.build())),
        ("set the pod's address", NEW, Route::NewAddress(address(POD_INDEX, record.address))),
        ("set the way to the gateway", NEW, Route::NewRoute(on_link.build())),
        ("set the gateway's hardware address", NEW, Route::NewNeighbour(neighbour(POD_INDEX, GATEWAY, &MACHINE))),
        ("set the way out", NEW, Route::NewRoute(default.build())),
    ])
}

fn outside(config: &Config, record: &LinkRecord) -> io::Result<()> {
    let link = record.link(config);
    let index = index_of(&link)?;
    settings::set_if_there(&format!("net/ipv6/conf/{link}/disable_ipv6"), "1")?;
    // 127.0.0.1:NODEPORT leaves by this link; what may not come in by it is dropped by the rules.
    settings::set(&format!("net/ipv4/conf/{link}/route_localnet"), "1")?;
    // A pod sends from its own address or not at all.
    settings::set(&format!("net/ipv4/conf/{link}/rp_filter"), "1")?;
    let way = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(record.address, 32).output_interface(index).scope(RouteScope::Link);
    run(&[
        ("bring the link up", ACK, Route::SetLink(LinkUnspec::new_with_index(index).up().build())),
        ("set the way to the pod", NEW, Route::NewRoute(way.pref_source(config.node).build())),
        ("set the pod's hardware address", NEW, Route::NewNeighbour(neighbour(index, record.address, &pod_hardware(record.address)))),
    ])
}

/// Waits until the pod's end sends: the kernel gets a link going a moment after both ends are up, and drops what is sent before.
fn settled() -> io::Result<()> {
    const GET_LINK: u16 = 18;
    const RUNNING: u8 = 0x40;
    let mut socket = Socket::route()?;
    for _ in 0..500 {
        let mut header = [0; 16];
        header[4..8].copy_from_slice(&POD_INDEX.to_ne_bytes());
        let answers = socket.get(Message::new(GET_LINK, 0, &header))?;
        if answers.get(8).is_some_and(|flags| flags & RUNNING != 0) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the pod's link does not come up"))
}

/// Refuses blocks of addresses that the machine already has a way into, as another cluster on it would have: ours would cut it.
///
/// # Errors
/// Which way; what the kernel said.
pub(crate) fn check_free(config: &Config) -> io::Result<()> {
    const GET_ROUTE: u16 = 26;
    const LOCAL_TABLE: u8 = 255;
    let mut header = [0; 12];
    header[0] = 2;
    for route in Socket::route()?.list(Message::new(GET_ROUTE, netlink::DUMP, &header))? {
        let (Some(&length), Some(&table), Some(attributes)) = (route.get(1), route.get(4), route.get(12..)) else { continue };
        let Some(to) = attribute(attributes, 1).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()) else { continue };
        let inside = |block: &Block| length >= block.1 && of_block((to.into(), block.1)).0 == of_block(*block).0;
        if table == LOCAL_TABLE || ![config.pods, config.services].iter().any(inside) {
            continue;
        }
        let index = attribute(attributes, 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
        let link = index.and_then(|index| name_of(index).ok()).unwrap_or_default();
        // What is left of a network of the same name is taken over.
        if !link.is_empty() && link != config.node_link && !link.starts_with(&config.link_prefix) {
            let way = format!("{}/{length} by link `{link}`", Ipv4Addr::from(to));
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("this machine already reaches {way}: stop what uses it (another cluster?)"),
            ));
        }
    }
    Ok(())
}

/// Makes the node's link with its addresses, and the ways to what has no link; what is there already stays.
///
/// # Errors
/// What the kernel said, with the step.
pub(crate) fn make_node(config: &Config) -> io::Result<()> {
    if index_of(&config.node_link).is_err() {
        let link = |kind| LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(kind).name(config.node_link.clone()).build();
        let make = |kind| run(&[("make the node's link", NEW, Route::NewLink(link(kind)))]);
        // A bridge without ports serves as well where the kernel has no dummy links.
        make(InfoKind::Dummy).or_else(|error| make(InfoKind::Bridge).map_err(|_| error))?;
    }
    let index = index_of(&config.node_link)?;
    settings::set_if_there(&format!("net/ipv6/conf/{}/disable_ipv6", config.node_link), "1")?;
    let services = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(config.services.0, config.services.1).output_interface(index);
    // A pod that is gone is told so at once, rather than sought beyond this machine.
    let gone = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(config.pods.0, config.pods.1).kind(RouteType::Unreachable);
    let steps = [
        ("bring the node's link up", ACK, Route::SetLink(LinkUnspec::new_with_index(index).up().build())),
        ("set the node's address", NEW, Route::NewAddress(address(index, config.node))),
        ("set the name service's address", NEW, Route::NewAddress(address(index, config.dns))),
        ("set the way to services", NEW, Route::NewRoute(services.scope(RouteScope::Link).pref_source(config.node).build())),
        ("set the way to pods that are gone", NEW, Route::NewRoute(gone.build())),
    ];
    for step in steps {
        match run(std::slice::from_ref(&step)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result?,
        }
    }
    Ok(())
}

/// Removes what [`make_node`] made.
///
/// # Errors
/// What the kernel said.
pub(crate) fn remove_node(config: &Config) -> io::Result<()> {
    let gone = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(config.pods.0, config.pods.1).kind(RouteType::Unreachable);
    let route: RouteMessage = gone.build();
    match run(&[("remove the way to pods that are gone", ACK, Route::DelRoute(route))]) {
        Err(error)
            if error.raw_os_error() != Some(3) && error.kind() != io::ErrorKind::NotFound && !error.to_string().contains("os error 3)") =>
        {
            return Err(error);
        }
        _ => {}
    }
    delete(&config.node_link)
}

fn delete(link: &str) -> io::Result<()> {
    let Ok(index) = index_of(link) else { return Ok(()) };
    match run(&[("remove the link", ACK, Route::DelLink(LinkUnspec::new_with_index(index).build()))]) {
        // The pod's namespace may have gone in between, and the link with it.
        Err(_) if index_of(link).is_err() => Ok(()),
        result => result,
    }
}

fn name_of(index: u32) -> io::Result<String> {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    Ok(rustix::net::netdevice::index_to_name(&socket, index)?)
}

fn index_of(link: &str) -> io::Result<u32> {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    Ok(rustix::net::netdevice::name_to_index(&socket, link)?)
}

fn address(index: u32, address: Ipv4Addr) -> AddressMessage {
    AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(address, 32).build()
}

fn neighbour(index: u32, address: Ipv4Addr, hardware: &[u8]) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes =
        vec![NeighbourAttribute::Destination(NeighbourAddress::Inet(address)), NeighbourAttribute::LinkLayerAddress(hardware.to_vec())];
    message
}

fn run(steps: &[(&str, u16, Route)]) -> io::Result<()> {
    let encoded = steps.iter().map(|(_, flags, step)| {
        let mut body = vec![0; step.buffer_len()];
        step.serialize(&mut body);
        Message::new(step.message_type(), *flags, &body)
    });
    let mut messages: Vec<Message> = encoded.collect();
    Socket::route()?.send(&mut messages).map_err(|Refused { index, error }| {
        let step = steps.get(index).map_or("change the network", |(step, ..)| step);
        io::Error::new(error.kind(), format!("{step}: {error}"))
    })
}
