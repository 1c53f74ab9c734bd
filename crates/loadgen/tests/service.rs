//! Load on services that behave, and that do not.

use loadgen::{Amount, Config, Limits, Pace, Report, run};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Answers each request with what `answer` says of its number; empty closes the connection.
fn service(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("address");
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            std::thread::spawn(move || serve(stream, &|| answer(count.fetch_add(1, Ordering::SeqCst))));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: &dyn Fn() -> Vec<u8>) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        while let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            seen.drain(..end + 4);
            let answer = answer();
            if answer.is_empty() || stream.write_all(&answer).is_err() {
                return;
            }
        }
    }
}

fn config(address: SocketAddr) -> Config {
    Config { concurrency: 4, timeout: Duration::from_secs(2), ..Config::new(format!("http://{address}/")) }
}

async fn load(config: Config) -> Report {
    run(config, |_| {}).await.expect("settings are right")
}

#[tokio::test]
async fn every_request_is_counted_once() {
    let address = service(|_| OK.to_vec());
    for keep_alive in [true, false] {
        let mut told = Vec::new();
        let config = Config { amount: Amount::Requests(503), keep_alive, ..config(address) };
        let report = run(config, |progress| told.push(progress.done)).await.expect("right");
        assert_eq!((report.requests, report.ok, report.failed, report.retried), (503, 503, 0, 0), "{report:?}");
        assert_eq!(report.connections, if keep_alive { 4 } else { 503 });
        assert_eq!((report.statuses.get(&200), report.service.count, told.last()), (Some(&503), 503, Some(&503)));
        assert!(report.is_good() && report.corrected.is_none());
        serde_json::to_string(&report).expect("it is data");
    }
}

#[tokio::test]
async fn failures_are_told_apart_with_examples() {
    let address = service(|number| match number % 4 {
        0 => b"HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nno\x1b[1mroom".to_vec(),
        1 => b"nonsense\r\n\r\n".to_vec(),
        2 => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhi".to_vec(),
        _ => OK.to_vec(),
    });
    // The third kind promises more than it sends, and waits: it takes until the time-out.
    let limits = Limits { max_failed: Some(10), ..Limits::default() };
    let report = load(Config { amount: Amount::Requests(40), timeout: Duration::from_millis(200), limits, ..config(address) }).await;
    assert_eq!((report.requests, report.ok, report.failed), (40, 10, 30), "{report:?}");
    let counts: Vec<_> = report.errors.iter().map(|error| (error.kind.as_str(), error.count)).collect();
    assert_eq!(counts, [("status", 10), ("time-out", 10), ("protocol", 10)]);
    assert_eq!(report.errors[0].examples, ["503: no [1mroom"], "nothing that a terminal obeys");
    assert_eq!(report.broken.len(), 1);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let report = load(Config { amount: Amount::Requests(5), ..config(nobody) }).await;
    assert_eq!((report.failed, report.errors[0].kind.as_str()), (5, "refused"));
}

#[tokio::test]
async fn a_connection_closed_in_use_is_tried_again_where_that_does_no_harm() {
    // Each connection is closed without a word at its second request, which is then another's first.
    let closing = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("address");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let first = AtomicUsize::new(0);
                std::thread::spawn(move || {
                    serve(stream, &|| if first.fetch_add(1, Ordering::SeqCst) == 0 { OK.to_vec() } else { Vec::new() })
                });
            }
        });
        address
    };
    let one = |method, address| Config { amount: Amount::Requests(10), concurrency: 1, method, ..config(address) };
    let report = load(one(http::Method::GET, closing())).await;
    assert_eq!((report.ok, report.failed, report.retried), (10, 0, 9), "{report:?}");
    let report = load(one(http::Method::POST, closing())).await;
    assert_eq!((report.ok, report.failed, report.retried), (5, 5, 0), "{report:?}");
    assert_eq!(report.errors[0].kind, "closed");
}

#[tokio::test]
async fn a_connection_that_says_more_than_asked_is_given_up() {
    let address = service(|_| [OK, b"HTTP/1.1 500 Not yours\r\n\r\n"].concat());
    let report = load(Config { amount: Amount::Requests(20), ..config(address) }).await;
    assert_eq!((report.ok, report.failed, report.connections, report.surplus), (20, 0, 20, 20), "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("more came")), "{report:?}");
}

#[tokio::test]
async fn what_was_closed_while_idle_is_opened_again_and_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Like a server whose time for idle connections is over.
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).and_then(|_| stream.write_all(OK));
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let once = Config { amount: Amount::Requests(20), pace: Pace::PerConnection(20.0), concurrency: 1, ..config(address) };
    for method in [http::Method::GET, http::Method::POST] {
        let report = load(Config { method, ..once.clone() }).await;
        assert_eq!((report.ok, report.failed, report.retried, report.connections), (20, 0, 0, 20), "{report:?}");
    }
}

#[tokio::test]
async fn an_answer_before_the_whole_request_was_sent_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 413 Too large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let body = vec![b'x'; 30_000_000].into();
    let report = load(Config { amount: Amount::Requests(3), method: http::Method::POST, body, concurrency: 1, ..config(address) }).await;
    assert_eq!((report.statuses.get(&413), report.failed), (Some(&3), 3), "{report:?}");
    assert_eq!(report.errors[0].examples, ["413: no!"]);
}

#[tokio::test]
async fn an_open_loop_keeps_its_rate_and_does_not_leave_waiting_out() {
    let address = service(|_| OK.to_vec());
    let steady = Config { amount: Amount::Time(Duration::from_secs(2)), pace: Pace::Arrivals(500.0), ..config(address) };
    let report = load(steady.clone()).await;
    assert_eq!(report.requests, 1000);
    // One answer takes 600 ms on the only connection: all that was due meanwhile waited.
    let address = service(|number| {
        if number == 50 {
            std::thread::sleep(Duration::from_millis(600));
        }
        OK.to_vec()
    });
    let report = load(Config { concurrency: 1, ..Config { url: format!("http://{address}/"), ..steady } }).await;
    let corrected = report.corrected.expect("open loop");
    assert!(report.service.p90_us < 50_000.0, "{report:?}");
    assert!(corrected.p90_us > 200_000.0 && corrected.max_us > 550_000.0, "{report:?}");
    assert!(report.waited > 200, "{report:?}");
}

#[tokio::test]
async fn what_cannot_be_sent_in_time_is_a_failure() {
    let address = service(|_| {
        std::thread::sleep(Duration::from_millis(100));
        OK.to_vec()
    });
    let config = Config {
        amount: Amount::Requests(100),
        concurrency: 1,
        pace: Pace::Arrivals(1000.0),
        timeout: Duration::from_millis(300),
        ..config(address)
    };
    let report = load(config).await;
    assert_eq!(report.requests, 100);
    assert!(report.errors.iter().any(|error| error.kind == "not-sent" && error.count > 80), "{report:?}");
    assert!(report.seconds < 2.0);
}

#[tokio::test]
async fn a_run_that_is_given_up_stops() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let address = service(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        OK.to_vec()
    });
    let endless = load(Config { amount: Amount::Time(Duration::from_secs(600)), ..config(address) });
    assert!(tokio::time::timeout(Duration::from_millis(300), endless).await.is_err());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = asked.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(asked.load(Ordering::SeqCst), before);
}
