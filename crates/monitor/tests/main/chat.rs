//! Web hooks and chats.

use crate::mails::{folder, notice, sending, until};
use crate::server;
use base::SystemClock;
use monitor::outbox::Fate;
use monitor::{Outbox, Receiver, Secret, Slack, To, Way, WebHook};
use serde_json::Value;

#[test]
fn web_hooks_are_signed_and_chats_told_and_what_fails_is_tried_again_with_the_same_id() {
    let (hook, hooked) = server::http(&[503, 429, 204]);
    let (chat, chatted) = server::http(&[404]);
    let url = net::client::Url::parse(&format!("http://{hook}/in?x=1")).expect("an address");
    let address = Secret::new(format!("http://{chat}/services/T0/B0/s3cr3t"));
    let receivers = vec![
        Receiver { name: "hook".to_owned(), way: Way::WebHook(WebHook { url, secret: Some(Secret::new("key")) }) },
        Receiver { name: "chat".to_owned(), way: Way::Slack(Slack { url: address }) },
    ];
    let folder = folder();
    let outbox = Outbox::open(&folder).expect("open");
    outbox.put(&notice(1), &[To::each("hook", &[]), To::each("chat", &[])].concat(), &SystemClock).expect("put");
    until(&outbox, &sending(receivers), "the hook takes it, the chat does not", || {
        let listed = outbox.list().expect("listed");
        listed.waiting.first().is_some_and(|entry| entry.tellings[0].fate == Fate::Taken && entry.tellings[1].failures > 0)
    });
    let asked = hooked.lock().expect("sound").clone();
    assert_eq!(asked.len(), 3);
    let header = |head: &str, name: &str| {
        head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned).unwrap_or_default()
    };
    let ids: Vec<String> = asked.iter().map(|(head, _)| header(head, "webhook-id")).collect();
    assert!(ids[0].len() == 32 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let body: Value = serde_json::from_str(&asked[2].1).expect("JSON");
    assert_eq!((body["type"].as_str(), body["data"]["project"].as_str()), (Some("new-advisory"), Some("jobs")));
    assert!(asked[2].0.starts_with("post /in?x=1 http/1.1") && header(&asked[2].0, "webhook-signature").starts_with("v1,"));

    let body: Value = serde_json::from_str(&chatted.lock().expect("sound")[0].1).expect("JSON");
    assert!(body["text"].as_str().is_some_and(|text| text.starts_with("*[jobs] CVE-2026-1 in app-a*\nopenssl")), "{body}");
    let why = outbox.list().expect("listed").waiting[0].tellings[1].why.clone().unwrap_or_default();
    assert!(why.contains("404") && !why.contains("s3cr3t"), "{why}");
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn what_cannot_be_read_is_said_and_holds_up_nothing() {
    let folder = folder();
    let outbox = Outbox::open(&folder).expect("open");
    // One that is larger than any notice, and one that is no file at all.
    std::fs::write(folder.join("waiting/large.json"), vec![b' '; 5 << 20]).expect("written");
    std::fs::create_dir(folder.join("waiting/folder.json")).expect("made");
    outbox.put(&notice(1), &To::each("chat", &[]), &SystemClock).expect("put");
    let warned = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = warned.clone();
    let nobody = Way::Slack(Slack { url: Secret::new("http://127.0.0.1:1/") });
    let mut with = sending(vec![Receiver { name: "chat".to_owned(), way: nobody }]);
    with.warn = std::sync::Arc::new(move |line: &str| hears.lock().expect("sound").push(line.to_owned()));
    until(&outbox, &with, "the notice is tried", || {
        outbox.list().expect("listed").waiting.iter().any(|entry| entry.tellings[0].failures > 1)
    });
    let warned = warned.lock().expect("sound").clone();
    assert!(warned.len() == 2 && warned.iter().all(|line| line.contains("large.json") || line.contains("folder.json")), "{warned:?}");
    std::fs::remove_dir_all(folder).expect("removed");
}
