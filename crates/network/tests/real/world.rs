//! A network namespace that plays the machine, on a thread of its own.

use network::{Config, HostNetwork, PodLink, PodNetwork, Protocol, ServicePort, ServiceRule, Topology};
use std::collections::BTreeSet;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The machine of one test.
pub struct World {
    pub config: Config,
    pub network: HostNetwork,
}

/// Runs a test in a machine of its own, or says why it cannot.
pub fn in_world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F + Send + 'static) {
    let Some(home) = in_machine(|home| home) else { return };
    let _ = std::fs::remove_dir_all(&home);
    in_machine(move |home| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let config = Config::new(&home);
        let before = picture();
        runtime.block_on(async {
            let network = HostNetwork::open(config.clone()).expect("opened");
            test(World { config: config.clone(), network }).await;
            HostNetwork::open(config).expect("opened again").teardown().await.expect("torn down");
        });
        assert_eq!(picture(), before, "teardown leaves the machine as it was");
        std::fs::remove_dir_all(&home).expect("nothing is mounted in the home");
    });
}

/// Runs work on a thread in a new network namespace with its loopback link up.
pub fn in_machine<T: Send + 'static>(work: impl FnOnce(PathBuf) -> T + Send + 'static) -> Option<T> {
    let home = std::env::temp_dir().join(format!("wharf-network-{}-{}", std::process::id(), base::ids::suffix(6)));
    let thread = std::thread::spawn(move || {
        if let Err(error) = sys::netns::unshare(rustix::thread::UnshareFlags::NEWNET) {
            println!("skipped: a network namespace of one's own needs root ({error})");
            return None;
        }
        command("ip", &["link", "set", "lo", "up"])?;
        // A new namespace begins with what the real machine has, and others change that meanwhile.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").expect("written");
        Some(work(home))
    });
    match thread.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs a tool in the machine; `None` says that it is missing.
pub fn command(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(_) => {
            println!("skipped: `{program}` is not installed");
            None
        }
    }
}

/// Everything on the machine that the network could have changed.
pub fn picture() -> Vec<Option<String>> {
    let ruleset = command("nft", &["list", "ruleset"]);
    let links = command("ip", &["-o", "link", "show"]);
    let addresses = command("ip", &["-o", "address", "show"]);
    let routes = command("ip", &["-o", "route", "show", "table", "all"]);
    let settings = command("sysctl", &["-a", "--pattern", "^net.ipv4.(conf|ip_forward)"]);
    vec![ruleset, links, addresses, routes, settings]
}

/// A service with TCP ports.
pub fn service(name: &str, address: [u8; 4], port: u16, node_port: Option<u16>, endpoints: &[(Ipv4Addr, u16)]) -> ServiceRule {
    let port = ServicePort { protocol: Protocol::Tcp, port, node_port, endpoints: endpoints.iter().copied().collect() };
    ServiceRule {
        name: format!("default/{name}"),
        address: address.into(),
        external: BTreeSet::new(),
        ports: vec![port],
        affinity_seconds: None,
    }
}

/// A topology of services.
pub fn topology(services: &[ServiceRule]) -> Topology {
    Topology { services: services.iter().map(|service| (service.name.clone(), service.clone())).collect(), ..Topology::default() }
}

/// Answers every TCP connection on a pod's port with a word, for as long as the test runs.
pub fn serve(pod: &PodLink, port: u16, word: &str) {
    let listener = sys::netns::run_in(&pod.netns, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).expect("listening in the pod");
    serve_on(listener, word);
}

/// The same on any listener.
pub fn serve_on(listener: TcpListener, word: &str) {
    let word = word.to_owned();
    std::thread::spawn(move || {
        while let Ok((mut stream, from)) = listener.accept() {
            let word = word.clone();
            std::thread::spawn(move || {
                let mut byte = [0];
                while matches!(stream.read(&mut byte), Ok(1)) {
                    let _ = stream.write_all(format!("{word} {}\n", from.ip()).as_bytes());
                }
            });
        }
    });
}

/// Answers every UDP packet on a pod's port with a word.
pub fn serve_udp(pod: &PodLink, port: u16, word: &str) {
    let socket = sys::netns::run_in(&pod.netns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).expect("bound in the pod");
    let word = word.to_owned();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(word.as_bytes(), from);
        }
    });
}

/// Connects from the machine, asks once, and returns the answer: the word, and whom the server saw.
pub fn ask(to: impl Into<SocketAddr>) -> Result<(String, Ipv4Addr), std::io::ErrorKind> {
    ask_on(connect(to)?)
}

/// Connects within a second.
pub fn connect(to: impl Into<SocketAddr>) -> Result<TcpStream, std::io::ErrorKind> {
    TcpStream::connect_timeout(&to.into(), Duration::from_millis(1000)).map_err(|error| error.kind())
}

/// Asks on an open connection.
pub fn ask_on(mut stream: TcpStream) -> Result<(String, Ipv4Addr), std::io::ErrorKind> {
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("time-out set");
    stream.write_all(b"?").map_err(|error| error.kind())?;
    let mut line = Vec::new();
    let mut byte = [0];
    while byte[0] != b'\n' {
        let count = stream.read(&mut byte).map_err(|error| error.kind())?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof);
        }
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).expect("text");
    let (word, seen) = line.trim().split_once(' ').expect("two words");
    Ok((word.to_owned(), seen.parse().expect("an address")))
}

/// Asks from inside a pod.
pub fn ask_from(pod: &PodLink, to: (impl Into<Ipv4Addr>, u16)) -> Result<(String, Ipv4Addr), std::io::ErrorKind> {
    let to = SocketAddr::new(to.0.into().into(), to.1);
    sys::netns::run_in(&pod.netns, || Ok(ask(to))).expect("entered the pod")
}
