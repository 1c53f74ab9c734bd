//! Reads files to their end, and on when they grow: woken by the kernel, never by a clock.

use super::reader::{Shaper, tail};
use super::{LogOptions, files};
use crate::manager::Shared;
use bytes::Bytes;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

/// Read at a time.
const CHUNK: usize = 64 << 10;

/// The attempt whose end ends the stream.
pub(super) struct Watched {
    pub(super) shared: Arc<Shared>,
    pub(super) uid: String,
    pub(super) key: (String, String),
    pub(super) container: String,
    pub(super) attempt: u32,
}

impl Watched {
    fn runs(&self) -> bool {
        let views = self.shared.views.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let view = views.get(&self.key).filter(|view| view.pod.uid == self.uid);
        view.and_then(|view| view.containers.get(&self.container)).is_some_and(|seen| seen.running && seen.attempt == Some(self.attempt))
    }
}

type Sender = mpsc::Sender<io::Result<Bytes>>;

/// Sends the log as the options say; `watched` is the attempt to follow.
pub(super) async fn pump(path: PathBuf, options: &LogOptions, watched: Option<&Watched>, sender: &Sender) -> io::Result<()> {
    let watched = watched.filter(|_| options.follow);
    // Watched before the first read, so that nothing falls between.
    let mut news = watched.map(|watched| News::new(&path, watched)).transpose()?;
    let found = files(&path);
    let (first, offset) = match options.tail_lines {
        Some(lines) => tail(&found, lines)?,
        None => (0, 0),
    };
    let mut shaper = Shaper::new(options);
    let mut current: Option<File> = None;
    for (index, path) in found.iter().enumerate().skip(first) {
        let mut file = File::open(path)?;
        if index == first {
            file.seek(SeekFrom::Start(offset))?;
        }
        if !send_rest(&mut file, &mut shaper, sender).await? {
            return Ok(());
        }
        current = Some(file);
    }
    let (Some(news), Some(watched)) = (&mut news, watched) else { return Ok(()) };
    loop {
        // Asked before reading: what was written before the end is then read.
        let runs = watched.runs();
        if !catch_up(&path, &mut current, &mut shaper, sender).await? || !runs {
            return Ok(());
        }
        tokio::select! {
            () = sender.closed() => return Ok(()),
            more = news.wait() => more?,
        }
    }
}

/// Sends what is left of a file; false when nobody wants more.
async fn send_rest(file: &mut File, shaper: &mut Shaper, sender: &Sender) -> io::Result<bool> {
    let mut raw = vec![0; CHUNK];
    loop {
        let count = file.read(&mut raw)?;
        let Some(read) = raw.get(..count).filter(|read| !read.is_empty()) else { return Ok(true) };
        let mut out = Vec::new();
        shaper.take(read, &mut out);
        if !out.is_empty() && sender.send(Ok(Bytes::from(out))).await.is_err() || shaper.is_full() {
            return Ok(false);
        }
    }
}

/// Reads on, over rotations: the file that was being read is found again by its inode, and the newer ones follow it.
async fn catch_up(path: &Path, current: &mut Option<File>, shaper: &mut Shaper, sender: &Sender) -> io::Result<bool> {
    if let Some(file) = current
        && !send_rest(file, shaper, sender).await?
    {
        return Ok(false);
    }
    let inode = |file: &File| file.metadata().map(|data| data.ino());
    let here = current.as_ref().map(inode).transpose()?;
    let mut opened = Vec::new();
    for path in files(path) {
        if let Ok(file) = File::open(path) {
            opened.push(file);
        }
    }
    let mut newer = 0;
    for (index, file) in opened.iter().enumerate() {
        if Some(inode(file)?) == here {
            newer = index + 1;
        }
    }
    for mut file in opened.into_iter().skip(newer) {
        // Between the last read and its rotation the old one may have grown.
        if let Some(old) = current
            && !send_rest(old, shaper, sender).await?
        {
            return Ok(false);
        }
        if !send_rest(&mut file, shaper, sender).await? {
            return Ok(false);
        }
        *current = Some(file);
    }
    Ok(true)
}

/// Wakes when the log grows or is rotated, or when a pod changes.
struct News {
    inotify: AsyncFd<rustix::fd::OwnedFd>,
    pods: watch::Receiver<u64>,
}

impl News {
    fn new(path: &Path, watched: &Watched) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        inotify::add_watch(&inotify, folder, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
        #[expect(deprecated, reason = "its successor is unsafe; an owned descriptor that nobody else closes is what both ask for")]
        let inotify = AsyncFd::new(inotify)?;
        Ok(Self { inotify, pods: watched.shared.changes.subscribe() })
    }

    async fn wait(&mut self) -> io::Result<()> {
        tokio::select! {
            ready = self.inotify.readable() => {
                let mut ready = ready?;
                let mut buffer = [0; 4_096];
                while rustix::io::read(ready.get_inner(), &mut buffer).is_ok_and(|count| count > 0) {}
                ready.clear_ready();
            }
            _ = self.pods.changed() => {}
        }
        Ok(())
    }
}
