//! What readers, writers and watchers may rely on.

use std::sync::Arc;
use store::journal::memory::MemoryJournal;
use store::{CommitError, Expect, Op, Options, Store, Txn, WatchEnd};

fn memory(history_bytes: usize) -> Store {
    Store::with_journal(Box::new(MemoryJournal::default()), Options { history_bytes, ..Options::default() }).expect("opens")
}

fn put(store: &Store, key: &str, value: &str) -> u64 {
    store.commit_blocking(Txn::default().put(key, value.as_bytes())).expect("committed")
}

fn keys(store: &Store, prefix: &str, at: Option<u64>) -> Vec<String> {
    store.list(prefix, 0, "", at).expect("kept").entries.iter().map(|entry| entry.key.to_string()).collect()
}

#[test]
fn expectations_make_all_or_nothing() {
    let store = memory(1 << 20);
    let first = put(&store, "/a/1", "one");
    let stale = Txn::default().expect(Expect::At("/a/1".into(), first + 7)).put("/a/1", b"x".to_vec()).put("/a/2", b"y".to_vec());
    assert_eq!(store.commit_blocking(stale), Err(CommitError::Conflict { key: "/a/1".into(), found: Some(first) }));
    let taken = Txn::default().expect(Expect::Absent("/a/1".into())).put("/a/1", b"x".to_vec());
    assert!(matches!(store.commit_blocking(taken), Err(CommitError::Conflict { .. })));
    assert!(matches!(store.commit_blocking(Txn::default().delete("/none")), Err(CommitError::Conflict { found: None, .. })));
    assert_eq!(keys(&store, "/", None), ["/a/1"]);
    let right = Txn::default().expect(Expect::At("/a/1".into(), first)).put("/a/1", b"two".to_vec());
    assert_eq!(store.commit_blocking(right), Ok(first + 1));
}

#[test]
fn a_body_carries_the_revision_of_its_own_change() {
    let store = memory(1 << 20);
    put(&store, "/x", "");
    let op = Op::Put { key: "/y".into(), value: b"{\"v\":\"\"}".to_vec(), stamp: Some(6) };
    let revision = store.commit_blocking(Txn { ops: vec![op], ..Txn::default() }).expect("committed");
    assert_eq!(store.get("/y").expect("there").value, format!("{{\"v\":\"{revision}\"}}"));
}

#[test]
fn pages_show_one_state_while_others_write() {
    let store = memory(1 << 20);
    for index in 0..10 {
        put(&store, &format!("/p/{index}"), "v");
    }
    let page = store.list("/p/", 4, "", None).expect("now");
    let (next, left) = page.rest.clone().expect("more");
    assert_eq!((page.entries.len(), &*next, left), (4, "/p/4", 6));
    store.commit_blocking(Txn::default().delete("/p/5").put("/p/55", b"new".to_vec()).put("/p/6", b"changed".to_vec())).expect("committed");
    let rest = store.list("/p/", 4, &next, Some(page.revision)).expect("kept");
    let found: Vec<_> = rest.entries.iter().map(|entry| (&*entry.key, &entry.value[..])).collect();
    assert_eq!(found, [("/p/4", &b"v"[..]), ("/p/5", b"v"), ("/p/6", b"v"), ("/p/7", b"v")]);
    assert_eq!(rest.rest.map(|(key, left)| (key.to_string(), left)), Some(("/p/8".to_owned(), 2)));
    assert!(store.list("/p/", 0, "", None).expect("now").rest.is_none());
}

async fn put_now(store: &Store, key: &str, value: &str) -> u64 {
    store.commit(Txn::default().put(key, value.as_bytes())).await.expect("committed")
}

#[tokio::test]
async fn a_watch_misses_nothing_and_says_when_it_would() {
    let store = memory(4_000);
    let before = put_now(&store, "/pods./default/a", "1").await;
    put_now(&store, "/pods./other/a", "1").await;
    store.commit(Txn::default().delete("/pods./default/a")).await.expect("committed");
    let mut watch = store.watch("/pods./default/", before).expect("kept");
    let gone = watch.next().await.expect("told");
    assert!(gone.now.is_none() && gone.before.as_ref().is_some_and(|entry| entry.value == "1"));
    assert_eq!(watch.progress(), Some(store.revision()));
    let adding = {
        let store = store.clone();
        tokio::spawn(async move { store.commit(Txn::default().put("/pods./default/b", b"2".to_vec())).await })
    };
    assert_eq!(&*watch.next().await.expect("told").key, "/pods./default/b");
    adding.await.expect("ran").expect("committed");
    for _ in 0..60 {
        put_now(&store, "/pods./default/c", &"x".repeat(100)).await;
    }
    let ends = loop {
        match watch.next().await {
            Ok(_) => {}
            Err(end) => break end,
        }
    };
    assert_eq!(ends, WatchEnd::Lagged);
    let old = store.watch("/", before).err().expect("too old");
    assert!(old.oldest > before && old.asked == before);
}

#[test]
fn concurrent_writers_all_get_through_and_reopening_finds_all() {
    let folder = std::env::temp_dir().join(format!("wharf-store-{}", base::ids::suffix(8)));
    let options = Options { segment_bytes: 20_000, snapshot_bytes: 50_000, ..Options::default() };
    let store = Store::open(&folder, options.clone()).expect("opens");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for index in 0..100 {
                    put(store, &format!("/w/{writer}/{index}"), "some value that is written");
                }
            });
        }
    });
    let revision = store.revision();
    assert_eq!((revision, store.count("/w/")), (800, 800));
    drop(store);
    let files = std::fs::read_dir(&folder).expect("listed").count();
    assert!(files < 8, "old files are removed: {files}");
    let store = Store::open(&folder, options).expect("opens again");
    assert_eq!((store.revision(), store.count("/w/")), (revision, 800));
    assert!(store.report().damage.is_empty());
    drop(store);
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn watchers_that_are_dropped_cost_nothing_more() {
    let store = memory(1 << 20);
    let watches: Vec<_> = (0..1_000).map(|index| store.watch(&format!("/w/{index}/"), 0).expect("kept")).collect();
    let shared = store.watch("/", 0).expect("kept");
    drop(watches);
    let revision = put(&store, "/w/1/x", "v");
    let mut shared = shared;
    let event = shared.try_next().expect("told").expect("no end");
    assert_eq!((event.revision, Arc::strong_count(&event) >= 1), (revision, true));
}
