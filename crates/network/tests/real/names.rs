//! The name service as a process of its own, asked from pods.

use crate::world::{in_world, service, topology};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use network::dns::{self, DnsConfig};
use network::{HostNetwork, PodLink, PodNetwork, Topology};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 43, 0, 10), 53);
const HOME: &str = "WHARF_TEST_DNS_HOME";

/// Not a test by itself: the body of the process that the tests below start.
#[test]
fn process() {
    let Some(home) = std::env::var_os(HOME) else { return };
    dns::main(&config(&network::Config::new(home))).expect("served");
}

fn config(network: &network::Config) -> DnsConfig {
    DnsConfig { resolv_conf: network.home.join("resolv.conf"), ..DnsConfig::of(network) }
}

/// A process that does not outlive its test.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(network: &network::Config) -> Process {
    let config = config(network);
    let program = std::env::current_exe().expect("this program");
    let child = Process(
        Command::new(program)
            .args(["--exact", "names::process"])
            .env(HOME, &network.home)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("started"),
    );
    let from = Instant::now();
    while dns::running(&config).expect("asked").is_none() {
        assert!(from.elapsed() < Duration::from_secs(10), "it starts");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Answers `example.com` and nothing else, on the machine's loopback.
fn world_beyond() {
    let socket = UdpSocket::bind("127.0.0.1:53").expect("bound");
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = Message::from_vec(&buffer[..length]).expect("a question");
            let mut answer = Message::response(query.metadata.id, OpCode::Query);
            answer.metadata.recursion_available = true;
            let asked = query.queries[0].clone();
            if asked.name().to_ascii() == "example.com." {
                answer.add_answer(Record::from_rdata(asked.name().clone(), 60, RData::A(A::new(192, 0, 2, 80))));
            } else {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            answer.add_query(asked);
            let _ = socket.send_to(&answer.to_vec().expect("encoded"), from);
        }
    });
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).expect(name), kind));
    message
}

fn exchange(pod: &PodLink, question: &Message) -> Message {
    let bytes = question.to_vec().expect("encoded");
    let answer = sys::netns::run_in(&pod.netns, || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.send_to(&bytes, SERVER)?;
        let mut buffer = vec![0; 4096];
        let length = socket.recv(&mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    });
    Message::from_vec(&answer.expect("answered")).expect("an answer")
}

fn exchange_tcp(pod: &PodLink, question: &Message) -> Message {
    let bytes = question.to_vec().expect("encoded");
    let answer = sys::netns::run_in(&pod.netns, || {
        let mut stream = TcpStream::connect(SERVER)?;
        stream.write_all(&u16::try_from(bytes.len()).expect("short").to_be_bytes())?;
        stream.write_all(&bytes)?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    });
    Message::from_vec(&answer.expect("answered")).expect("an answer")
}

fn ask(pod: &PodLink, name: &str) -> (ResponseCode, Vec<String>) {
    let answer = exchange(pod, &question(name, RecordType::A));
    (answer.metadata.response_code, answer.answers.iter().map(|record| record.data.to_string()).collect())
}

fn named(name: &str, addresses: &[Ipv4Addr]) -> Topology {
    let mut topology = topology(&[service("web", [10, 43, 0, 20], 80, None, &[])]);
    topology.names.addresses.insert(name.to_owned(), addresses.to_vec());
    topology
}

#[test]
fn pods_find_names_in_the_cluster_and_beyond() {
    in_world(|world| async move {
        world_beyond();
        std::fs::write(world.config.home.join("resolv.conf"), "nameserver 10.43.0.10\nnameserver 127.0.0.1\n").expect("written");
        let pod = world.network.attach("a").await.expect("a");
        let one = [Ipv4Addr::new(10, 43, 0, 20)];
        world.network.apply(named("web.shop.svc.cluster.local", &one)).await.expect("applied");
        let mut child = start(&world.config);
        assert_eq!(ask(&pod, "web.shop.svc.cluster.local."), (ResponseCode::NoError, vec!["10.43.0.20".to_owned()]));
        assert_eq!(ask(&pod, "WEB.shop.svc.Cluster.local.").1, ["10.43.0.20"]);
        assert_eq!(ask(&pod, "none.shop.svc.cluster.local.").0, ResponseCode::NXDomain);
        assert_eq!(ask(&pod, "example.com."), (ResponseCode::NoError, vec!["192.0.2.80".to_owned()]));
        assert_eq!(ask(&pod, "nowhere.example."), (ResponseCode::NXDomain, vec![]));
        let no = exchange(&pod, &question("web.shop.svc.cluster.local.", RecordType::AAAA));
        assert_eq!(
            (no.metadata.response_code, no.answers.len(), no.authorities.len(), no.metadata.authoritative),
            (ResponseCode::NoError, 0, 1, true)
        );
        // What was applied is what the next question sees.
        world.network.apply(named("new.shop.svc.cluster.local", &one)).await.expect("applied");
        assert_eq!(ask(&pod, "new.shop.svc.cluster.local.").1, ["10.43.0.20"]);
        assert_eq!(ask(&pod, "web.shop.svc.cluster.local.").0, ResponseCode::NXDomain);
        // An engine that ends and comes back disturbs nothing, and finds the process.
        let network = HostNetwork::open(world.config.clone()).expect("adopted");
        assert_eq!(dns::running(&config(&world.config)).expect("asked"), Some(child.0.id()));
        assert_eq!(ask(&pod, "new.shop.svc.cluster.local.").1, ["10.43.0.20"]);
        drop(network);
        dns::stop(&config(&world.config)).expect("stopped");
        assert!(child.0.wait().expect("ended").success());
        assert_eq!(dns::running(&config(&world.config)).expect("asked"), None);
    });
}

#[test]
fn large_answers_and_odd_questions_are_handled() {
    in_world(|world| async move {
        let pod = world.network.attach("a").await.expect("a");
        let many: Vec<Ipv4Addr> = (1..=100).map(|last| Ipv4Addr::new(10, 42, 1, last)).collect();
        world.network.apply(named("many.shop.svc.cluster.local", &many)).await.expect("applied");
        let mut child = start(&world.config);
        let plain = question("many.shop.svc.cluster.local.", RecordType::A);
        let short = exchange(&pod, &plain);
        assert!(short.metadata.truncation && short.answers.len() < 100, "512 bytes without EDNS");
        assert_eq!(exchange_tcp(&pod, &plain).answers.len(), 100);
        let mut wide = plain.clone();
        let mut edns = Edns::new();
        edns.set_max_payload(4096).set_version(0);
        wide.edns = Some(edns.clone());
        let answer = exchange(&pod, &wide);
        assert!(answer.metadata.truncation && answer.answers.len() > short.answers.len() && answer.edns.is_some());
        edns.set_version(1);
        wide.edns = Some(edns);
        assert_eq!(u16::from(exchange(&pod, &wide).metadata.response_code), 16, "BADVERS");
        let mut update = plain.clone();
        update.metadata.op_code = OpCode::Notify;
        assert_eq!(exchange(&pod, &update).metadata.response_code, ResponseCode::NotImp);
        assert_eq!(ask(&pod, "example.com.").0, ResponseCode::ServFail, "there is no name server beyond");
        // Killed without a word, another one takes over.
        child.kill();
        assert_eq!(dns::running(&config(&world.config)).expect("asked"), None);
        let next = start(&world.config);
        assert!(exchange(&pod, &plain).metadata.truncation);
        let peak = std::fs::read_to_string(format!("/proc/{}/status", next.0.id())).expect("status");
        println!("name service: {}", peak.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    });
}
