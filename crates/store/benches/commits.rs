//! Commits a second at batch 16, reopening of 10,000 objects, a thousand watchers: `cargo bench -p store [FOLDER]`.
#![allow(clippy::print_stdout)]

use std::time::Instant;
use store::{Options, Store, Txn};

fn main() {
    let parent = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')).map_or_else(std::env::temp_dir, Into::into);
    let folder = parent.join(format!("wharf-bench-{}", std::process::id()));
    let value = vec![b'x'; 1024];
    let store = Store::open(&folder, Options::default()).expect("opens");
    for writers in [1usize, 16, 64] {
        let rounds = if writers == 1 { 2_000 } else { 20_000 / writers };
        let begin = Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("runtime");
        runtime.block_on(async {
            let tasks: Vec<_> = (0..writers)
                .map(|writer| {
                    let (store, value) = (store.clone(), value.clone());
                    tokio::spawn(async move {
                        for index in 0..rounds {
                            let key = format!("/configmaps./default/{writer}-{index}");
                            store.commit(Txn::default().put(key, value.clone())).await.expect("committed");
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("ran");
            }
        });
        let count = writers * rounds;
        println!("{writers:>3} writers: {:>8.0} commits/s of 1 KiB", count as f64 / begin.elapsed().as_secs_f64());
    }
    let begin = Instant::now();
    for first in (0..60_000).step_by(16) {
        let txn = (first..first + 16).fold(Txn::default(), |txn, index| txn.put(format!("/b/{}", index % 500), &value[..64]));
        store.commit_blocking(txn).expect("committed");
    }
    println!("batch of 16: {:>8.0} objects/s of 64 B", 60_000.0 / begin.elapsed().as_secs_f64());
    drop(store);
    std::fs::remove_dir_all(&folder).expect("removed");
    let store = Store::open(&folder, Options::default()).expect("opens");
    for first in (0..10_000).step_by(100) {
        let txn = (first..first + 100).fold(Txn::default(), |txn, index| txn.put(format!("/c/{index}"), value.clone()));
        store.commit_blocking(txn).expect("committed");
    }
    drop(store);
    let begin = Instant::now();
    let store = Store::open(&folder, Options::default()).expect("opens");
    println!("reopening 10,000 objects of 1 KiB: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    let begin = Instant::now();
    let found = store.list("/c/", 5_000, "", None).expect("now").entries.len();
    println!("listing {found}: {:.2} ms", begin.elapsed().as_secs_f64() * 1e3);
    let mut watches: Vec<_> = (0..1_000).map(|_| store.watch("/c/", store.revision()).expect("kept")).collect();
    let begin = Instant::now();
    for index in 0..200 {
        store.commit_blocking(Txn::default().put(format!("/c/{index}"), value.clone())).expect("committed");
    }
    let told: usize = watches.iter_mut().map(|watch| std::iter::from_fn(|| watch.try_next()).count()).sum();
    println!("200 commits told to 1,000 watchers ({told} events): {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    std::fs::remove_dir_all(&folder).expect("removed");
}
