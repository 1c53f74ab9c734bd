//! A journal with any bytes written over it anywhere is opened with what can be trusted, or refused; never a panic.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use store::{Options, Store, Txn};

fn folder(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(format!("wharf-fuzz-{}-{name}", std::process::id()))
}

fn template() -> &'static Vec<(String, Vec<u8>)> {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = folder("template");
        let store = Store::open(&folder, Options::default()).expect("opened");
        for number in 0..20 {
            store.commit_blocking(Txn::default().put(format!("/things/{number}"), format!("{{\"number\":{number}}}"))).expect("written");
        }
        drop(store);
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).expect("listed").flatten() {
            let mut content = fs::read(entry.path()).expect("read");
            // The rest of a segment is zeros that were set aside.
            content.truncate(16 << 10);
            files.push((entry.file_name().to_string_lossy().into_owned(), content));
        }
        files.sort();
        fs::remove_dir_all(folder).expect("removed");
        files
    })
}

libfuzzer_sys::fuzz_target!(|input: (u8, u16, &[u8])| {
    let (which, at, bytes) = input;
    let folder = folder("case");
    fs::create_dir_all(&folder).expect("made");
    for (number, (name, content)) in template().iter().enumerate() {
        let mut content = content.clone();
        if number == usize::from(which) % template().len() {
            let at = usize::from(at) % (content.len() + 1);
            for (place, byte) in content.iter_mut().skip(at).zip(bytes) {
                *place = *byte;
            }
        }
        fs::write(folder.join(name), content).expect("written");
    }
    if let Ok(store) = Store::open(&folder, Options::default()) {
        let _ = store.list("/", 0, "", None);
        let _ = store.commit_blocking(Txn::default().put("/new", "{}"));
    }
    fs::remove_dir_all(&folder).expect("removed");
});
