//! What uploads cost in memory, in a process of their own.

use crate::client::{Client, Folder, digest};
use crate::crash::{UPLOAD_MEMORY, start};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

/// A registry that ends with this.
struct Other {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

impl Other {
    fn new() -> Self {
        let folder = Folder::new();
        let (child, address) = start(&folder);
        Other { child, address, folder }
    }

    /// A line of what the kernel knows of its memory, in bytes.
    fn memory(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("read");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("known");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
    }

    /// Begins a push of content that has this digest.
    fn push(&self, digest: &str, length: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        write!(stream, "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n").expect("sent");
        stream
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(mut stream: TcpStream) -> String {
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("answered");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn content_in_chunks_of_one_byte_costs_what_it_is_long() {
    const BYTES: usize = 200_000;
    let other = Other::new();
    Client::new(other.address).push("a", &[1; 100_000]);
    let before = other.memory("VmHWM");
    let named = digest(&[b'x'; BYTES]);
    let mut open: Vec<TcpStream> = (0..4).map(|_| other.push(&named, "Transfer-Encoding: chunked")).collect();
    std::thread::scope(|scope| {
        let sent = open.iter_mut().map(|stream| scope.spawn(|| stream.write_all(&b"1\r\nx\r\n".repeat(BYTES)).expect("sent")));
        sent.collect::<Vec<_>>().into_iter().for_each(|sent| sent.join().expect("sent"));
    });
    for mut stream in open {
        stream.write_all(b"0\r\n\r\n").expect("sent");
        assert_eq!(status(stream), "HTTP/1.1 201");
    }
    let more = other.memory("VmHWM") - before;
    assert!(more < 8 << 20, "{more} bytes for four times {BYTES}");
}

#[test]
fn all_uploads_together_have_a_bound() {
    const EACH: usize = 900_000;
    let other = Other::new();
    let mut client = Client::new(other.address);
    client.push("a", &[1; 100_000]);
    let before = other.memory("VmRSS");
    // Uploads that go on later and hold little, then such as have sent much and send no more.
    let sessions: Vec<String> = (0..300_u32)
        .map(|number| {
            let location = client.ask("POST", "/v2/a/blobs/uploads/").expect(202).header("location").to_owned();
            client.send("PATCH", &location, &[], &number.to_le_bytes().repeat(15_000)).expect(202);
            location
        })
        .collect();
    let open: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = other.push(&digest(b"never"), &format!("Content-Length: {}", EACH + 1));
            stream.write_all(&[7; EACH]).expect("sent");
            stream
        })
        .collect();
    // Far more than there is room for, and it goes on for others.
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 249) as u8).collect();
    let named = client.push("a", &content);
    assert!(client.ask("GET", &format!("/v2/a/blobs/{named}")).body == content);
    let begun = Instant::now();
    while std::fs::read_dir(other.folder.0.join("files")).expect("listed").count() < 40 + 300 - UPLOAD_MEMORY / (64 << 10) {
        assert!(begun.elapsed() < Duration::from_secs(20), "what there is no room for is not in files");
        std::thread::sleep(Duration::from_millis(50));
    }
    let more = other.memory("VmRSS").saturating_sub(before);
    assert!(more < 20 << 20, "{more} bytes for {} that came", 300 * 60_000 + 40 * EACH);
    // All of them can go on to their end.
    for (number, location) in sessions.iter().enumerate().filter(|(number, _)| number % 50 == 0 || *number == 299) {
        let content = u32::try_from(number).expect("small").to_le_bytes().repeat(15_000);
        client.send("PUT", &format!("{location}?digest={}", digest(&content)), &[], b"").expect(201);
    }
    for stream in open.into_iter().take(3) {
        let mut stream = stream;
        stream.write_all(&[7]).expect("sent");
        assert_eq!(status(stream), "HTTP/1.1 400", "it is not what it was said to be");
    }
}
