//! Mail: over TLS or within the machine, one a notice, none lost.

use crate::server::{self, Manner, Taken};
use base::{Clock, SystemClock, Timestamp};
use monitor::outbox::{Fate, Sending};
use monitor::{Book, Mail, MailServer, NOTIFIERS, Notice, NoticeKind, Outbox, Put, Receiver, Secret, To, Way};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Known(pub Vec<Receiver>);

impl Book for Known {
    fn receiver(&self, name: &str) -> Result<Receiver, String> {
        self.0.iter().find(|known| known.name == name).cloned().ok_or_else(|| format!("there is no `{name}`"))
    }
}

pub fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("wharf-monitor-{}", base::ids::suffix(8)))
}

pub fn notice(key: usize) -> Notice {
    Notice {
        key: format!("advisory/{key}"),
        kind: NoticeKind::NewAdvisory,
        project: "jobs".to_owned(),
        subject: format!("CVE-2026-{key} in app-a"),
        text: "openssl 3.0.1 is fixed in 3.0.2\n.a line that begins with a dot".to_owned(),
        findings: Vec::new(),
        url: None,
        at: Timestamp::from_micros(1_700_000_000_000_000),
    }
}

fn by_mail(server: &str, to: &[&str]) -> Mail {
    let to = to.iter().map(|to| (*to).to_owned()).collect();
    let server = MailServer::parse(server).expect("a server");
    Mail { server, from: "wharf@example.com".to_owned(), to, login: None, authorities: Vec::new() }
}

pub fn sending(receivers: Vec<Receiver>) -> Sending {
    Sending {
        notifiers: NOTIFIERS,
        book: Arc::new(Known(receivers)),
        http: net::client::Client::new(net::client::ClientOptions::default()),
        clock: Arc::new(SystemClock),
        seed: 1,
        say: Arc::new(|_, _| {}),
        warn: Arc::new(|_| {}),
    }
}

/// Sends until a condition holds.
pub fn until(outbox: &Outbox, with: &Sending, what: &str, holds: impl Fn() -> bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let waiting = async {
            let began = Instant::now();
            while !holds() {
                assert!(began.elapsed() < Duration::from_secs(60), "{what}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            ended = outbox.run(with.clone(), std::future::pending()) => panic!("it ended: {ended:?}"),
            () = waiting => {}
        }
    });
}

#[test]
fn mail_goes_over_tls_with_a_login_and_each_address_for_itself() {
    let (config, authority) = server::tls();
    for implicit in [false, true] {
        let manner = Manner { tls: Some(config.clone()), implicit, unknown: vec!["gone@example.com".to_owned()] };
        let (address, taken) = server::mail(0, manner);
        let scheme = if implicit { "smtps" } else { "smtp" };
        let mut mail = by_mail(&format!("{scheme}://localhost:{}", address.port()), &["gone@example.com", "ops@example.com"]);
        mail.login = Some(("wharf".to_owned(), Secret::new("hunter2")));
        mail.authorities = vec![authority.clone()];
        let receiver = Receiver { name: "ops".to_owned(), way: Way::Mail(mail.clone()) };
        let folder = folder();
        let outbox = Outbox::open(&folder).expect("open");
        assert_eq!(outbox.put(&notice(1), &To::each("ops", &mail.to), &SystemClock).expect("put"), Put::Waiting);
        until(&outbox, &sending(vec![receiver.clone()]), "the one is told and the other refused", || {
            let listed = outbox.list().expect("listed");
            let tellings = listed.waiting.first().map(|entry| entry.tellings.clone()).unwrap_or_default();
            tellings.iter().any(|telling| telling.fate == Fate::Taken) && tellings.iter().any(|telling| telling.failures > 0)
        });
        let mails: Vec<Taken> = taken.lock().expect("sound").clone();
        assert_eq!(mails.len(), 1);
        assert!(mails[0].encrypted && mails[0].to.contains("ops@example.com"), "{:?}", mails[0]);
        // The user, a zero, the password: AUTH PLAIN (RFC 4616).
        assert_eq!(mails[0].login.as_deref(), Some("AHdoYXJmAGh1bnRlcjI="));
        assert_eq!(mails[0].header("Subject"), "[jobs] CVE-2026-1 in app-a");
        let waiting = &outbox.list().expect("listed").waiting[0].tellings;
        assert!(waiting[0].why.as_deref().is_some_and(|why| why.contains("550") && why.contains("no such user")), "{waiting:?}");

        // One whose certificate nobody vouches for is told nothing.
        mail.authorities = vec![server::tls().1];
        let stranger = Receiver { name: "ops".to_owned(), way: Way::Mail(mail) };
        outbox.put(&notice(2), &To::each("ops", &["ops@example.com".to_owned()]), &SystemClock).expect("put");
        until(&outbox, &sending(vec![stranger]), "it is refused", || {
            outbox.list().expect("listed").waiting.iter().any(|entry| entry.notice.key == "advisory/2" && entry.tellings[0].failures > 0)
        });
        assert_eq!(taken.lock().expect("sound").len(), 1);
        std::fs::remove_dir_all(folder).expect("removed");
    }
}

#[test]
fn a_server_without_starttls_is_told_nothing_but_on_this_machine() {
    let (address, taken) = server::mail(0, Manner::default());
    let folder = folder();
    let outbox = Outbox::open(&folder).expect("open");
    let mut mail = by_mail(&format!("smtp://127.0.0.1:{}", address.port()), &["ops@example.com"]);
    let mail_to = mail.to.clone();
    // With an authority it has to prove who it is, here too.
    mail.authorities = vec![server::tls().1];
    let strict = Receiver { name: "strict".to_owned(), way: Way::Mail(mail.clone()) };
    mail.authorities.clear();
    let plain = Receiver { name: "plain".to_owned(), way: Way::Mail(mail) };
    outbox.put(&notice(1), &[To::each("strict", &mail_to), To::each("plain", &mail_to)].concat(), &SystemClock).expect("put");
    until(&outbox, &sending(vec![strict, plain]), "one is told and the other not", || {
        let listed = outbox.list().expect("listed");
        listed.waiting.first().is_some_and(|entry| entry.tellings[0].failures > 0 && entry.tellings[1].fate == Fate::Taken)
    });
    let mails = taken.lock().expect("sound").clone();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].text.contains("\r\n..a line that begins with a dot\r\n"), "{}", mails[0].text);
    std::fs::remove_dir_all(folder).expect("removed");
}

const FOLDER: &str = "WHARF_TEST_OUTBOX";
const PORT: &str = "WHARF_TEST_PORT";

/// The process that the test below starts and kills: the same program, told so by its environment.
fn sends_until_it_is_killed(folder: &str) {
    let port = std::env::var(PORT).expect("a port");
    let receiver = Receiver { name: "ops".to_owned(), way: Way::Mail(by_mail(&format!("smtp://127.0.0.1:{port}"), &["ops@example.com"])) };
    let outbox = Outbox::open(Path::new(folder)).expect("open");
    until(&outbox, &sending(vec![receiver]), "nobody kills it", || false);
}

fn child(folder: &Path, port: u16) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--exact", "mails::a_server_that_is_down_and_kills_lose_nothing"]).env(FOLDER, folder).env(PORT, port.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}

#[test]
fn a_server_that_is_down_and_kills_lose_nothing() {
    const MAILS: usize = 40;
    if let Ok(folder) = std::env::var(FOLDER) {
        return sends_until_it_is_killed(&folder);
    }
    let folder = folder();
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let outbox = Outbox::open(&folder).expect("open");
    let mut running = child(&folder, free.port());
    for key in 0..MAILS / 2 {
        outbox.put(&notice(key), &To::each("ops", &["ops@example.com".to_owned()]), &SystemClock).expect("put");
    }
    let end = |mut running: Child| {
        running.kill().expect("killed");
        running.wait().expect("it ended");
    };
    // Down: it is tried and kept.
    let began = Instant::now();
    while outbox.list().expect("listed").waiting.iter().all(|entry| entry.tellings[0].failures == 0) {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing is tried");
        std::thread::sleep(Duration::from_millis(20));
    }
    end(running);
    for key in MAILS / 2..MAILS {
        outbox.put(&notice(key), &To::each("ops", &["ops@example.com".to_owned()]), &SystemClock).expect("put");
    }
    let (_, taken) = server::mail(free.port(), Manner::default());
    let mut kills = 0;
    let (began, mut seed) = (SystemClock.now(), 7u64);
    loop {
        running = child(&folder, free.port());
        // In the midst of it, at some moment.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(if kills < 8 { 60 + (seed >> 33) % 120 } else { 2_000 }));
        end(running);
        kills += 1;
        if outbox.list().expect("listed").waiting.is_empty() {
            break;
        }
        assert!(SystemClock.now().since(began) < Duration::from_secs(60), "it does not come to an end");
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    for mail in taken.lock().expect("sound").iter() {
        *told.entry(mail.header("Subject")).or_default() += 1;
        *ids.entry(mail.header("Message-ID")).or_default() += 1;
    }
    assert_eq!(told.len(), MAILS, "each is told");
    let doubles = told.values().sum::<usize>() - MAILS;
    assert!(doubles <= kills, "{doubles} told twice by {kills} kills");
    assert_eq!(ids.len(), MAILS, "a double has the same id");
    assert_eq!(outbox.list().expect("listed").told.len(), MAILS);
    // What was told is not told again.
    assert_eq!(outbox.put(&notice(0), &To::each("ops", &["ops@example.com".to_owned()]), &SystemClock).expect("put"), Put::Known);
    std::fs::remove_dir_all(folder).expect("removed");
}
