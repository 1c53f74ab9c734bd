//! Policies on real connections, and the world beyond the machine.

use crate::world::{World, ask, ask_from, ask_on, command, connect, in_world, serve, serve_on, service, topology};
use network::{Allowance, Allowances, HostNetwork, Peer, PodLink, PodNetwork, PodPolicy, Protocol, Topology};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

const WEB: [u8; 4] = [10, 43, 0, 20];

fn just(address: Ipv4Addr) -> Peer {
    Peer { block: (address, 32), except: vec![] }
}

fn only(peers: Option<Vec<Peer>>, ports: &[(Protocol, u16, u16)]) -> Option<Allowances> {
    Some(Allowances { rules: vec![Allowance { peers, ports: ports.to_vec() }] })
}

async fn three(world: &World) -> [PodLink; 3] {
    let mut pods = Vec::new();
    for name in ["a", "b", "c"] {
        let pod = world.network.attach(name).await.expect(name);
        serve(&pod, 8080, name);
        serve(&pod, 8081, name);
        pods.push(pod);
    }
    pods.try_into().expect("three")
}

fn with(address: Ipv4Addr, policy: PodPolicy, services: Topology) -> Topology {
    Topology { policies: [(address, policy)].into(), ..services }
}

#[test]
fn only_the_allowed_pod_comes_in_also_by_the_service_and_after_a_restart() {
    in_world(|world| async move {
        let [a, b, c] = three(&world).await;
        let services = topology(&[service("b", WEB, 80, Some(32000), &[(b.address, 8080)])]);
        let policy = PodPolicy { ingress: only(Some(vec![just(a.address)]), &[(Protocol::Tcp, 8080, 8080)]), egress: None };
        world.network.apply(with(b.address, policy, services.clone())).await.expect("applied");
        let check = || {
            assert_eq!(ask_from(&a, (b.address, 8080)).expect("allowed").0, "b");
            assert_eq!(ask_from(&a, (WEB, 80)).expect("allowed by the service").0, "b");
            assert_eq!(ask_from(&a, (b.address, 8081)), Err(ErrorKind::TimedOut), "another port");
            assert_eq!(ask_from(&c, (b.address, 8080)), Err(ErrorKind::TimedOut));
            assert_eq!(ask_from(&c, (WEB, 80)), Err(ErrorKind::TimedOut));
            assert_eq!(ask_from(&b, (WEB, 80)).expect("a pod reaches itself").0, "b");
            assert_eq!(ask((b.address.octets(), 8081)).expect("the machine probes its pods").0, "b");
            assert_eq!(ask(([127, 0, 0, 1], 32000)).expect("the machine's node port").0, "b");
            assert_eq!(ask_from(&b, (c.address, 8080)).expect("b may go out, and answers come in").0, "c");
        };
        check();
        let network = HostNetwork::open(world.config.clone()).expect("adopted");
        check();
        network.apply(services).await.expect("applied");
        assert_eq!(ask_from(&c, (b.address, 8081)).expect("no policy any more").0, "b");
    });
}

#[test]
fn what_goes_out_is_held_back_but_names_are_found() {
    in_world(|world| async move {
        let [a, b, c] = three(&world).await;
        serve_on(TcpListener::bind((world.config.dns, 53)).expect("the name service's address"), "dns");
        serve_on(TcpListener::bind((world.config.node, 7000)).expect("the machine's address"), "machine");
        let ports = [(Protocol::Tcp, 8000, 8080), (Protocol::Tcp, 9000, 65535)];
        let peer = Peer { block: (Ipv4Addr::new(10, 42, 0, 0), 16), except: vec![(b.address, 32)] };
        let policy = PodPolicy { ingress: None, egress: only(Some(vec![peer]), &ports) };
        world.network.apply(with(a.address, policy, Topology::default())).await.expect("applied");
        assert_eq!(ask_from(&a, (c.address, 8080)).expect("allowed").0, "c");
        assert_eq!(ask_from(&a, (c.address, 8081)), Err(ErrorKind::TimedOut), "outside of the range");
        assert_eq!(ask_from(&a, (b.address, 8080)), Err(ErrorKind::TimedOut), "excepted");
        assert_eq!(ask_from(&a, (world.config.node, 7000)), Err(ErrorKind::TimedOut), "the machine is a peer as any");
        assert_eq!(ask_from(&a, (world.config.dns, 53)).expect("names").0, "dns");
        assert_eq!(ask_from(&b, (a.address, 8080)).expect("answers go out").0, "a");
        assert_eq!(ask_from(&c, (world.config.node, 7000)).expect("others are free").0, "machine");
    });
}

#[test]
fn what_is_open_outlives_a_new_policy() {
    in_world(|world| async move {
        let [_, b, c] = three(&world).await;
        let open = sys::netns::run_in(&c.netns, || Ok(connect((b.address, 8080)).expect("open"))).expect("entered");
        let nobody = PodPolicy { ingress: Some(Allowances::default()), egress: Some(Allowances::default()) };
        world.network.apply(with(b.address, nobody, Topology::default())).await.expect("applied");
        assert_eq!(ask_from(&c, (b.address, 8080)), Err(ErrorKind::TimedOut));
        assert_eq!(ask_from(&b, (c.address, 8080)), Err(ErrorKind::TimedOut));
        assert_eq!(ask_on(open).expect("still").0, "b");
    });
}

/// A link sends only a moment after both ends are up.
fn await_up(link: &str) {
    while !command("ip", &["link", "show", link]).is_some_and(|text| text.contains("state UP")) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Joins a namespace to the machine that plays the network beyond it.
fn outside(world: &World) -> Option<PodLink> {
    let netns = world.config.home.join("outside");
    sys::netns::create(&netns).expect("made");
    let path = netns.display().to_string();
    command("ip", &["link", "add", "lan0", "type", "veth", "peer", "name", "lan1"])?;
    command("ip", &["link", "set", "lan1", "netns", &path])?;
    command("ip", &["address", "add", "192.0.2.1/24", "dev", "lan0"])?;
    command("ip", &["link", "set", "lan0", "up"])?;
    let link = PodLink { address: Ipv4Addr::new(192, 0, 2, 2), netns };
    sys::netns::run_in(&link.netns, || {
        command("ip", &["address", "add", "192.0.2.2/24", "dev", "lan1"]);
        command("ip", &["link", "set", "lan1", "up"]);
        command("ip", &["route", "add", "10.0.0.0/8", "via", "192.0.2.1"]);
        await_up("lan1");
        Ok(())
    })
    .expect("set up");
    await_up("lan0");
    Some(link)
}

#[test]
fn the_world_outside_sees_the_machine_and_comes_in_by_node_ports_only() {
    in_world(|world| async move {
        let [a, b, _] = three(&world).await;
        let Some(lan) = outside(&world) else { return };
        serve(&lan, 9000, "lan");
        let web = service("a", WEB, 80, Some(32000), &[(a.address, 8080)]);
        let mut elsewhere = service("lan", [10, 43, 0, 21], 80, None, &[(lan.address, 9000)]);
        elsewhere.external = [Ipv4Addr::new(203, 0, 113, 9)].into();
        let gone = service("gone", [10, 43, 0, 22], 80, Some(32002), &[]);
        world.network.apply(topology(&[web, elsewhere, gone])).await.expect("applied");
        let machine = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(ask_from(&b, (lan.address, 9000)), Ok(("lan".to_owned(), machine)), "out by the machine's address");
        assert_eq!(ask_from(&b, ([10, 43, 0, 21], 80)), Ok(("lan".to_owned(), machine)), "an endpoint beyond the machine");
        assert_eq!(ask_from(&b, ([203, 0, 113, 9], 80)), Ok(("lan".to_owned(), machine)), "by an external address");
        assert_eq!(ask(([10, 43, 0, 21], 80)), Ok(("lan".to_owned(), machine)));
        assert_eq!(ask_from(&lan, (machine, 32000)), Ok(("a".to_owned(), lan.address)), "a client keeps its address");
        assert_eq!(ask_from(&lan, (machine, 32002)), Err(ErrorKind::ConnectionRefused));
        assert_eq!(ask_from(&lan, (a.address, 8080)), Err(ErrorKind::TimedOut), "pods are not routed to from outside");
        assert_eq!(ask_from(&lan, (WEB, 80)), Err(ErrorKind::TimedOut), "nor are services");
        // A policy sees the client of a node port.
        let block = Peer { block: (Ipv4Addr::new(192, 0, 2, 0), 24), except: vec![] };
        let policy = |peers| PodPolicy { ingress: only(Some(peers), &[]), egress: None };
        let web = topology(&[service("a", WEB, 80, Some(32000), &[(a.address, 8080)])]);
        world.network.apply(with(a.address, policy(vec![block]), web.clone())).await.expect("applied");
        assert_eq!(ask_from(&lan, (machine, 32000)).expect("allowed").0, "a");
        world.network.apply(with(a.address, policy(vec![just(b.address)]), web)).await.expect("applied");
        assert_eq!(ask_from(&lan, (machine, 32000)), Err(ErrorKind::TimedOut));
        command("ip", &["link", "del", "lan0"]);
        sys::netns::remove(&lan.netns).expect("removed");
    });
}

#[test]
fn dockers_firewall_is_passed_and_left_as_it_was() {
    in_world(|world| async move {
        let rules = "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER-USER; }; chain DOCKER-USER { return; }; }";
        if command("nft", &[rules]).is_none() {
            return;
        }
        let filter = || command("nft", &["list", "table", "ip", "filter"]).expect("listed");
        let before = filter();
        let [a, b, _] = three(&world).await;
        assert_eq!(ask_from(&a, (b.address, 8080)).expect("passes").0, "b");
        assert_ne!(filter(), before);
        HostNetwork::open(world.config.clone()).expect("adopted").teardown().await.expect("undone");
        assert_eq!(filter(), before);
        command("nft", &["delete", "table", "ip", "filter"]);
    });
}
