//! What an open loop says is what happened: rates, stalls, slow answers, its own limits.

#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use loadgen::{Amount, Config, Pace, Report, run};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Answers each request after `pause` of its number.
fn service(pause: impl Fn(usize) -> Duration + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("address");
    let (pause, count) = (Arc::new(pause), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (pause, count) = (Arc::clone(&pause), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer) {
                    std::thread::sleep(pause(count.fetch_add(1, Ordering::SeqCst)));
                    if stream.write_all(OK).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn config(address: SocketAddr, rate: f64, seconds: f64) -> Config {
    let amount = Amount::Time(Duration::from_secs_f64(seconds));
    Config { amount, pace: Pace::Arrivals(rate), concurrency: 8, ..Config::new(format!("http://{address}/")) }
}

async fn load(config: Config) -> Report {
    run(config, |_| {}).await.expect("settings are right")
}

/// One at a time: each of them measures.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn a_rate_is_kept() {
    let _turn = TURN.lock().await;
    for rate in [50.0, 1_000.0, 5_000.0] {
        let address = service(|_| Duration::ZERO);
        let Some(report) = quietly(true, || config(address, rate, 1.0)).await else { continue };
        assert_eq!((report.requests as f64, report.failed), (rate, 0), "{report:?}");
        let sent = report.sent_rate.expect("open loop");
        assert!((sent / rate - 1.0).abs() < 0.01 && (report.rate / rate - 1.0).abs() < 0.01, "{sent} {report:?}");
    }
}

/// The first of some runs in which the machine let the generator work, and the service, where that is to be `prompt`; others may have
/// it. `None` with what is missing printed.
async fn quietly(prompt: bool, config: impl Fn() -> Config) -> Option<Report> {
    for _ in 0..4 {
        let report = load(config()).await;
        let late = report.lateness.is_none_or(|late| late.max_us > 5_000.0);
        let slow = prompt && report.service.max_us > 5_000.0;
        if !late && !slow {
            return Some(report);
        }
    }
    println!("skipped: a machine quiet enough to be measured on");
    None
}

/// Everything stands for 100 ms: what is due meanwhile waits for its end, from the moment that it was due.
#[tokio::test]
async fn a_stall_shows_as_the_model_says() {
    const STALL: Duration = Duration::from_millis(100);
    let _turn = TURN.lock().await;
    let (rate, seconds) = (1_000.0, 3.0);
    for _ in 0..4 {
        let begun = Instant::now();
        let stands_from = Duration::from_secs(1);
        let address = service(move |_| {
            let now = begun.elapsed();
            if now >= stands_from { (stands_from + STALL).saturating_sub(now) } else { Duration::ZERO }
        });
        let report = load(config(address, rate, seconds)).await;
        // Others may have the machine.
        if report.lateness.is_none_or(|late| late.max_us > 5_000.0) {
            continue;
        }
        // Of 3,000 requests 100 fall into the stall and wait between 0 and 100 ms, equally spread; the 30 longest wait 70 ms or more.
        let waits = rate * STALL.as_secs_f64();
        let model_us = STALL.as_secs_f64() * 1e6 * (1.0 - rate * seconds * 0.01 / waits);
        let corrected = report.corrected.expect("open loop");
        let close = |told: f64, wanted: f64| (told - wanted).abs() < 5_000.0;
        assert!(close(corrected.p99_us, model_us), "{} beside {model_us}: {report:?}", corrected.p99_us);
        assert!(close(corrected.max_us, STALL.as_secs_f64() * 1e6), "{report:?}");
        // Eight connections were asked and stood; the times of service alone hide the other requests.
        assert!(report.service.p99_us < 20_000.0 && report.waited > 80, "{report:?}");
        return;
    }
    println!("skipped: a machine quiet enough to be measured on");
}

#[tokio::test]
async fn slow_answers_hold_nobody_up_while_there_are_connections() {
    let _turn = TURN.lock().await;
    // One request of twenty takes half a second: 10 a second, so 5 at a time.
    let address = service(|number| if number % 20 == 0 { Duration::from_millis(500) } else { Duration::ZERO });
    if let Some(report) = quietly(false, || Config { concurrency: 20, ..config(address, 200.0, 2.0) }).await {
        assert_eq!((report.requests, report.failed, report.waited), (400, 0, 0), "{report:?}");
        let corrected = report.corrected.expect("open loop");
        assert!(corrected.p50_us < 100_000.0 && corrected.p99_us > 490_000.0, "{report:?}");
    }
    // With too few connections others wait, and that is told.
    let address = service(|number| if number % 20 == 0 { Duration::from_millis(500) } else { Duration::ZERO });
    let report = load(Config { concurrency: 2, ..config(address, 200.0, 2.0) }).await;
    assert!(report.waited > 100 && report.corrected.is_some_and(|times| times.p50_us > 100_000.0), "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("-c")) && report.ok == 400, "{report:?}");
}

#[tokio::test]
async fn a_generator_that_cannot_keep_up_has_measured_nothing() {
    let _turn = TURN.lock().await;
    let address = service(|_| Duration::ZERO);
    let config = Config { concurrency: 64, timeout: Duration::from_secs(1), ..config(address, 1_000_000.0, 0.5) };
    let report = load(config).await;
    assert_eq!(report.verdict, "not measured", "{report:?}");
    assert!(report.saturated.is_some_and(|told| told.reason.contains("--rate")));
}

#[tokio::test]
async fn what_nobody_answers_ends_with_the_time_out() {
    let _turn = TURN.lock().await;
    let address = service(|_| Duration::from_secs(60));
    let begun = Instant::now();
    let config = Config { timeout: Duration::from_millis(300), concurrency: 50, ..config(address, 100.0, 0.5) };
    let report = load(config).await;
    assert_eq!((report.requests, report.failed, report.errors[0].kind.as_str()), (50, 50, "time-out"), "{report:?}");
    let corrected = report.corrected.expect("open loop");
    assert!(corrected.min_us > 299_000.0 && begun.elapsed() < Duration::from_secs(3), "{report:?}");
    assert!(report.sent_rate.is_some_and(|rate| (rate - 100.0).abs() < 30.0), "{report:?}");
}
