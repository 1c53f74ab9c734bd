//! Services lead where they should, at once, and never break what is open.

use crate::world::{ask, ask_from, ask_on, command, connect, in_machine, in_world, serve, serve_udp, service, topology};
use network::{HostNetwork, HostPort, PodNetwork, Protocol, ServiceRule};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const WEB: [u8; 4] = [10, 43, 0, 20];

#[test]
fn cluster_address_and_node_port_lead_to_every_endpoint() {
    in_world(|world| async move {
        let (a, b, c) = (
            world.network.attach("a").await.expect("a"),
            world.network.attach("b").await.expect("b"),
            world.network.attach("c").await.expect("c"),
        );
        serve(&a, 8080, "a");
        serve(&b, 8081, "b");
        let web = service("web", WEB, 80, Some(32000), &[(a.address, 8080), (b.address, 8081)]);
        world.network.apply(topology(&[web])).await.expect("applied");
        let mut counts = BTreeMap::<String, u32>::new();
        for _ in 0..100 {
            *counts.entry(ask_from(&c, (WEB, 80)).expect("by the cluster address").0).or_default() += 1;
            *counts.entry(ask((WEB, 80)).expect("from the machine").0).or_default() += 1;
            *counts.entry(ask(([127, 0, 0, 1], 32000)).expect("by the loopback's node port").0).or_default() += 1;
            *counts.entry(ask((world.config.node.octets(), 32000)).expect("by the machine's node port").0).or_default() += 1;
            *counts.entry(ask_from(&c, (world.config.node, 32000)).expect("by the node port from a pod").0).or_default() += 1;
        }
        assert_eq!(counts.len(), 2, "{counts:?}");
        assert!(counts.values().all(|count| (150..350).contains(count)), "{counts:?}");
        // A pod may come to itself; it then sees the machine.
        let mut itself = (0..40).map(|_| ask_from(&a, (WEB, 80)).expect("hairpin"));
        assert!(itself.any(|(word, seen)| word == "a" && seen == world.config.node));
        assert_eq!(ask_from(&c, (WEB, 81)), Err(ErrorKind::ConnectionRefused), "a port that no service has");
    });
}

#[test]
fn host_ports_lead_to_their_pods_by_address_and_protocol() {
    in_world(|world| async move {
        let attach = async |name: &str| world.network.attach(name).await.expect("attached");
        let (a, b, c, d) = (attach("a").await, attach("b").await, attach("c").await, attach("d").await);
        serve(&a, 8080, "a");
        serve(&b, 8081, "b");
        serve_udp(&c, 8082, "c");
        let node = world.config.node;
        let port = |protocol, address: Option<[u8; 4]>, port, to: &network::PodLink, inner| HostPort {
            protocol,
            address: address.map(Into::into),
            port,
            to: (to.address, inner),
        };
        let foreign = [192, 0, 2, 77];
        let host_ports = [
            port(Protocol::Tcp, Some([127, 0, 0, 1]), 5000, &a, 8080),
            port(Protocol::Tcp, Some(node.octets()), 5000, &b, 8081),
            port(Protocol::Udp, Some(node.octets()), 5000, &c, 8082),
            port(Protocol::Tcp, None, 5001, &a, 8080),
            port(Protocol::Tcp, Some(foreign), 5002, &a, 8080),
        ];
        let wanted = network::Topology { host_ports: host_ports.into(), ..topology(&[]) };
        world.network.apply(wanted.clone()).await.expect("applied");
        let word = |answer: Result<(String, std::net::Ipv4Addr), ErrorKind>| answer.map(|(word, _)| word);
        assert_eq!(word(ask(([127, 0, 0, 1], 5000))).as_deref(), Ok("a"));
        assert_eq!(word(ask((node.octets(), 5000))).as_deref(), Ok("b"));
        assert_eq!(word(ask_from(&d, (node, 5000))).as_deref(), Ok("b"), "from another pod");
        assert_eq!(word(ask_from(&b, (node, 5000))).as_deref(), Ok("b"), "from the pod itself");
        let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("set");
        socket.send_to(b"?", (node, 5000)).expect("sent");
        let mut buffer = [0; 8];
        assert_eq!(socket.recv(&mut buffer).map(|length| buffer[..length].to_vec()).ok(), Some(b"c".to_vec()));
        assert_eq!(word(ask(([127, 0, 0, 1], 5001))).as_deref(), Ok("a"));
        assert_eq!(word(ask((node.octets(), 5001))).as_deref(), Ok("a"));
        assert!(ask_from(&d, (foreign, 5002)).is_err(), "an address that is not the machine's is nobody's to take");
        // A pod that is about to end gets nothing new, and what is gone is gone.
        world.network.withdraw(a.address).await.expect("withdrawn");
        assert_eq!(ask(([127, 0, 0, 1], 5000)), Err(ErrorKind::ConnectionRefused));
        world.network.apply(topology(&[])).await.expect("applied");
        assert_eq!(ask((node.octets(), 5000)), Err(ErrorKind::ConnectionRefused));
    });
}

#[test]
fn without_endpoints_connections_are_refused_at_once() {
    in_world(|world| async move {
        let c = world.network.attach("c").await.expect("c");
        world.network.apply(topology(&[service("web", WEB, 80, Some(32000), &[])])).await.expect("applied");
        let from = Instant::now();
        for result in [
            ask_from(&c, (WEB, 80)),
            ask((WEB, 80)),
            ask(([127, 0, 0, 1], 32000)),
            ask((world.config.node.octets(), 32000)),
            ask_from(&c, (world.config.node, 32000)),
        ] {
            assert_eq!(result, Err(ErrorKind::ConnectionRefused));
        }
        assert!(from.elapsed() < Duration::from_millis(500));
        // So is a pod that is gone.
        let gone = world.network.attach("gone").await.expect("gone");
        world.network.detach("gone").await.expect("detached");
        let from = Instant::now();
        assert_eq!(ask_from(&c, (gone.address, 80)), Err(ErrorKind::HostUnreachable));
        assert_eq!(ask((gone.address.octets(), 80)), Err(ErrorKind::HostUnreachable));
        assert!(from.elapsed() < Duration::from_millis(500));
    });
}

#[test]
fn a_withdrawn_address_gets_nothing_new_and_loses_nothing_open() {
    in_world(|world| async move {
        let (a, b) = (world.network.attach("a").await.expect("a"), world.network.attach("b").await.expect("b"));
        serve(&a, 8080, "a");
        serve(&b, 8080, "b");
        let both = topology(&[service("web", WEB, 80, Some(32000), &[(a.address, 8080), (b.address, 8080)])]);
        world.network.apply(both.clone()).await.expect("applied");
        let open: Vec<_> = (0..20).map(|_| connect(([127, 0, 0, 1], 32000)).expect("open")).collect();
        let from = Instant::now();
        world.network.withdraw(a.address).await.expect("withdrawn");
        println!("withdraw: {} us", from.elapsed().as_micros());
        world.network.apply(both.clone()).await.expect("applied again");
        assert!((0..50).all(|_| ask(([127, 0, 0, 1], 32000)).expect("answered").0 == "b"));
        // A new process knows it too.
        let network = HostNetwork::open(world.config.clone()).expect("adopted");
        network.apply(both.clone()).await.expect("applied by the next");
        assert!((0..50).all(|_| ask(([127, 0, 0, 1], 32000)).expect("answered").0 == "b"));
        let words: Vec<String> = open.into_iter().map(|stream| ask_on(stream).expect("what was open goes on").0).collect();
        assert!(words.contains(&"a".to_owned()) && words.contains(&"b".to_owned()), "{words:?}");
        // Still mentioned after it is gone: nothing goes there. Attached again: it is back.
        network.detach("a").await.expect("detached");
        network.apply(both.clone()).await.expect("applied");
        assert!((0..50).all(|_| ask(([127, 0, 0, 1], 32000)).expect("answered").0 == "b"));
    });
}

#[test]
fn adoption_changes_nothing_in_the_kernel_and_repairs_what_is_missing() {
    in_world(|world| async move {
        let a = world.network.attach("a").await.expect("a");
        serve(&a, 8080, "a");
        world.network.apply(topology(&[service("web", WEB, 80, Some(32000), &[(a.address, 8080)])])).await.expect("applied");
        let handles = || command("nft", &["-a", "list", "table", "ip", "wharf"]);
        let before = handles();
        let network = HostNetwork::open(world.config.clone()).expect("adopted");
        assert_eq!(handles(), before, "the very same rules, not equal ones");
        if command("nft", &["flush", "ruleset"]).is_some() {
            let network = HostNetwork::open(world.config.clone()).expect("opened");
            assert_eq!(ask(([127, 0, 0, 1], 32000)).expect("made again").0, "a");
            command("nft", &["flush", "ruleset"]);
            network.withdraw([10, 42, 200, 200].into()).await.expect("nothing to change");
            network.apply(topology(&[])).await.expect("all replaced where a change is refused");
            assert!(ask(([127, 0, 0, 1], 32000)).is_err());
        }
        drop(network);
    });
}

#[test]
fn a_client_stays_with_its_endpoint_for_its_time() {
    in_world(|world| async move {
        let mut pods = Vec::new();
        for name in ["a", "b", "c"] {
            let pod = world.network.attach(name).await.expect(name);
            serve(&pod, 8080, name);
            pods.push(pod);
        }
        let sticky = |count: usize| {
            let endpoints: Vec<_> = pods.iter().take(count).map(|pod| (pod.address, 8080)).collect();
            topology(&[ServiceRule { affinity_seconds: Some(2), ..service("web", WEB, 80, Some(32000), &endpoints) }])
        };
        world.network.apply(sticky(2)).await.expect("applied");
        let first = ask((WEB, 80)).expect("answered").0;
        assert!((0..30).all(|_| ask((WEB, 80)).expect("answered").0 == first));
        world.network.apply(sticky(3)).await.expect("one more endpoint");
        assert!((0..30).all(|_| ask((WEB, 80)).expect("answered").0 == first), "it stays when others come");
        let elsewhere = (0..20).any(|_| {
            std::thread::sleep(Duration::from_millis(2300));
            ask((WEB, 80)).expect("answered").0 != first
        });
        assert!(elsewhere, "after its time it is as likely to go anywhere");
    });
}

#[test]
fn udp_clients_leave_an_endpoint_that_is_gone() {
    in_world(|world| async move {
        let (a, b, c) = (
            world.network.attach("a").await.expect("a"),
            world.network.attach("b").await.expect("b"),
            world.network.attach("c").await.expect("c"),
        );
        serve_udp(&a, 53, "a");
        serve_udp(&b, 53, "b");
        let udp = |endpoints: &[(std::net::Ipv4Addr, u16)]| {
            let mut rule = service("dns", WEB, 53, None, endpoints);
            rule.ports[0].protocol = Protocol::Udp;
            topology(&[rule])
        };
        world.network.apply(udp(&[(a.address, 53)])).await.expect("applied");
        let socket = sys::netns::run_in(&c.netns, || UdpSocket::bind("0.0.0.0:0")).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("set");
        let word = || {
            socket.send_to(b"?", "10.43.0.20:53").expect("sent");
            let mut buffer = [0; 8];
            socket.recv(&mut buffer).map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        assert_eq!(word().expect("answered"), "a");
        world.network.apply(udp(&[(b.address, 53)])).await.expect("applied");
        assert_eq!(word().expect("the same socket is answered by the other"), "b");
    });
}

#[test]
fn many_services_are_quick_to_change() {
    in_world(|world| async move {
        let all = |changed: u8| {
            let services: Vec<_> = (0..500u16)
                .map(|id| {
                    let [high, low] = id.to_be_bytes();
                    let last = if id == 7 { changed } else { 1 };
                    service(
                        &id.to_string(),
                        [10, 43, 1 + high, low],
                        80,
                        Some(30000 + id),
                        &[([10, 42, 1, last].into(), 80), ([10, 42, 2, low].into(), 80)],
                    )
                })
                .collect();
            topology(&services)
        };
        let from = Instant::now();
        world.network.apply(all(1)).await.expect("applied");
        println!("500 services: {} ms", from.elapsed().as_millis());
        let mut times = Vec::new();
        for changed in 2..22 {
            let from = Instant::now();
            world.network.apply(all(changed)).await.expect("applied");
            times.push(from.elapsed().as_micros());
        }
        times.sort_unstable();
        println!("one changed of 500: median {} us, worst {} us", times[10], times[19]);
    });
}

#[test]
fn without_the_right_the_error_names_the_next_step() {
    let done = in_machine(|home| {
        // The right is taken from this thread alone, which ends with the test.
        let none = rustix::thread::CapabilitySet::empty();
        let sets = rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
        rustix::thread::set_capabilities(None, sets).expect("dropped");
        HostNetwork::open(network::Config::new(home)).expect_err("refused").to_string()
    });
    if let Some(message) = done {
        assert!(message.contains("needs root") && message.contains("sudo"), "{message}");
    }
}
