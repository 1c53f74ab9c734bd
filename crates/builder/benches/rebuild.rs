//! How long builds take in which nothing, or one line, has changed; and how fast layers come in, are made and go out.

#![allow(clippy::print_stdout)]

#[path = "../tests/support/home.rs"]
mod home;

use home::Home;
use std::time::{Duration, Instant};

const DOCKERFILE: &str =
    "FROM scratch\nWORKDIR /app\nCOPY requirements.txt .\nCOPY src src\nENV A=1\nEXPOSE 5000\nCMD [\"/app/src/file0\"]\n";

fn context(files: usize) -> Home {
    let home = Home::new();
    home.write("requirements.txt", "flask\n");
    for number in 0..files {
        home.write(&format!("src/d{}/e{}/file{number}.py", number % 37, number % 11), format!("print({number})\n").repeat(20));
    }
    home
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Processor time of this thread; a build of one stage stays on it.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn measure(files: usize) {
    let home = context(files);
    let first = Instant::now();
    home.build(DOCKERFILE);
    let first = first.elapsed();
    std::thread::sleep(Duration::from_millis(200));
    home.build(DOCKERFILE);
    let request = home.request(DOCKERFILE);
    let time = || {
        let start = Instant::now();
        home.build_request(&request).expect("built");
        start.elapsed()
    };
    let before = on_cpu();
    let unchanged = median((0..15).map(|_| time()).collect());
    // What a machine that has other things to do cannot blur.
    let cpu = (on_cpu() - before) / 15;
    let changed = median(
        (0..7)
            .map(|round| {
                home.write("src/d0/e0/file0.py", format!("changed {round}\n"));
                time()
            })
            .collect(),
    );
    println!(
        "{files} files: first {first:.1?}, nothing changed {unchanged:.2?} ({cpu:.2?} of processor time), one file changed {changed:.2?}"
    );
}

fn layers() {
    let Some(home) = Home::with_bases(&[]) else { return };
    let bases = std::env::var("WHARF_TEST_BASES").expect("set");
    let path = std::path::Path::new(&bases).join("python_3.11-slim.tar");
    let start = Instant::now();
    blobs::import_path(&home.store, &path).expect("imported");
    println!("import of {:.0} MB: {:.1?}", path.metadata().expect("size").len() as f64 / 1e6, start.elapsed());
    let image = home.store.images().resolve("python:3.11-slim").expect("image");
    let named = [(image, vec!["python:3.11-slim".parse().expect("name")])];
    for compression in [blobs::Compression::None, blobs::Compression::Gzip] {
        let mut out = std::fs::File::create(home.path.join("out.tar")).expect("file");
        let start = Instant::now();
        home.store.save(&named, blobs::SaveFormat::Both, compression, &mut out).expect("saved");
        println!("export, {compression:?}: {:.1?}, {:.0} MB", start.elapsed(), out.metadata().expect("size").len() as f64 / 1e6);
    }
}

/// What a step wrote, such as packages of Python, becomes a layer.
fn commit() {
    let home = Home::new();
    const FILES: usize = 2_400;
    let once = |round: u8| {
        let temp = home.store.temp().expect("temp");
        for number in 0..FILES {
            let folder = temp.path().join(format!("tree/venv/lib/python3.11/site-packages/p{}/inner", number % 97));
            std::fs::create_dir_all(&folder).expect("folder");
            std::fs::write(folder.join(format!("module{number}.py")), vec![round; 17_000]).expect("file");
        }
        let stamp = blobs::Stamp { since: oci::tar::Mtime { seconds: 0, nanos: 0 }, becomes: 1 };
        let start = Instant::now();
        home.store.layers().commit(&temp, stamp).expect("committed");
        start.elapsed()
    };
    let took = median((0..7).map(once).collect());
    println!("commit of {FILES} files, {:.0} MB: {took:.1?}", FILES as f64 * 17_000.0 / 1e6);
}

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if asked.is_empty() {
        [5, 2_000, 10_000].into_iter().for_each(measure);
        layers();
        commit();
    }
    asked.into_iter().for_each(measure);
}
