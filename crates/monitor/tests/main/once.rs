//! What was taken is not sent again: not when the process is asked to end, and not when nothing can be written.

use crate::mails::{folder, notice, sending, until};
use base::SystemClock;
use monitor::outbox::Sending;
use monitor::{Notifier, Outbox, Receiver, Secret, Slack, To, Way};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn with(notifiers: &'static [Notifier]) -> Sending {
    let receiver = Receiver { name: "chat".to_owned(), way: Way::Slack(Slack { url: Secret::new("http://127.0.0.1:1/") }) };
    Sending { notifiers, ..sending(vec![receiver]) }
}

fn put(outbox: &Outbox, key: usize) {
    outbox.put(&notice(key), &To::each("chat", &[]), &SystemClock).expect("put");
}

static SLOW: AtomicUsize = AtomicUsize::new(0);

/// Takes it at once and says so later.
const SLOWLY: &[Notifier] = &[Notifier {
    name: "slow",
    serves: |_| true,
    send: |_| {
        Box::pin(async {
            SLOW.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(600)).await;
            Ok(())
        })
    },
}];

#[test]
fn what_is_on_its_way_is_waited_for_when_the_process_is_asked_to_end() {
    let folder = folder();
    let outbox = Outbox::open(&folder).expect("open");
    (0..3).for_each(|key| put(&outbox, key));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let stop = async {
        while SLOW.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    runtime.block_on(outbox.run(with(SLOWLY), stop)).expect("it ends");
    let listed = outbox.list().expect("listed");
    assert_eq!((SLOW.load(Ordering::SeqCst), listed.told.len(), listed.waiting.len()), (1, 1, 2));
    std::fs::remove_dir_all(folder).expect("removed");
}

static QUICK: AtomicUsize = AtomicUsize::new(0);

const QUICKLY: &[Notifier] = &[Notifier {
    name: "quick",
    serves: |_| true,
    send: |_| {
        Box::pin(async {
            QUICK.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    },
}];

#[test]
fn what_cannot_be_written_down_is_neither_lost_nor_sent_again() {
    let folder = folder();
    let outbox = Outbox::open(&folder).expect("open");
    (0..3).for_each(|key| put(&outbox, key));
    let told = folder.join("told");
    std::fs::remove_dir_all(&told).expect("removed");
    std::fs::write(&told, "no folder").expect("written");
    let began = std::time::Instant::now();
    until(&outbox, &with(QUICKLY), "it is looked again, and written once that can be", || {
        if began.elapsed() > Duration::from_millis(2_500) && told.is_file() {
            assert_eq!(QUICK.load(Ordering::SeqCst), 1, "nothing is told that cannot be written down");
            std::fs::remove_file(&told).and_then(|()| std::fs::create_dir(&told)).expect("made");
        }
        told.is_dir() && outbox.list().expect("listed").told.len() == 3
    });
    assert_eq!(QUICK.load(Ordering::SeqCst), 3);
    std::fs::remove_dir_all(folder).expect("removed");
}
