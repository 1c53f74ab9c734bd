//! Uploads: what has come so far, and the sessions in which more may come.

use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{self, ApiError};
use crate::store::{NewFile, Store};
use crate::writer::{Change, Source};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// Content up to so many bytes is kept in the log, larger content in a file of its own.
pub(crate) const SMALL: u64 = 64 << 10;
/// So much is sent to the disk at a time while more comes.
const AHEAD: u64 = 8 << 20;
/// So much is gathered before it is hashed and written in one go.
const PIECE: usize = 1 << 20;
/// So much where there is no room for more.
const LEAST: usize = 32 << 10;
/// What comes in smaller parts than this is put together: each part costs more than its bytes, and holds what it was read into.
const PART: usize = 16 << 10;
/// Small parts are put together to ones of this length.
const JOINED: usize = 64 << 10;

/// Memory for uploads, a permit for each KiB.
pub(crate) type Room = Arc<Semaphore>;

/// Place for so many bytes, if there is any now: nobody waits for another upload, which may take its time.
fn place(room: &Room, bytes: usize) -> Option<OwnedSemaphorePermit> {
    room.clone().try_acquire_many_owned(u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)).ok()
}

/// Content that comes: in memory while it is small.
pub(crate) struct Spool {
    hasher: Hasher,
    length: u64,
    memory: Vec<u8>,
    /// For what is in memory; without it everything goes to a file.
    place: Option<OwnedSemaphorePermit>,
    file: Option<NewFile>,
    /// What is on its way to the disk already, and up to where.
    ahead: Option<(JoinHandle<()>, u64)>,
    /// An error of the disk is told once for each open file: whoever was told it first keeps it here.
    failed: Arc<OnceLock<io::Error>>,
}

impl Spool {
    /// With nothing in it.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let hasher = Hasher::new(algorithm);
        Self { hasher, length: 0, memory: Vec::new(), place: None, file: None, ahead: None, failed: Arc::default() }
    }

    /// Bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether it stays in memory with so many bytes more; there is then place for it.
    fn stays(&mut self, more: usize, room: &Room) -> bool {
        if self.file.is_some() || self.length + more as u64 > SMALL {
            return false;
        }
        self.place = self.place.take().or_else(|| place(room, SMALL as usize));
        self.place.is_some()
    }

    /// Adds what has come. It blocks unless it stays in memory.
    fn take(&mut self, store: &Store, parts: &[Bytes], stays: bool) -> io::Result<()> {
        if self.file.is_none() && !stays {
            let new = store.new_file()?;
            new.file.write_all_at(&self.memory, 0)?;
            (self.memory, self.place) = (Vec::new(), None);
            self.file = Some(new);
        }
        for part in parts {
            self.hasher.update(part);
            match &self.file {
                Some(new) => new.file.write_all_at(part, self.length)?,
                None => self.memory.extend_from_slice(part),
            }
            self.length += part.len() as u64;
        }
        self.write_ahead();
        Ok(())
    }

    /// Sends what was written on its way to the disk while more comes, so that little is left to wait for at the end.
    fn write_ahead(&mut self) {
        let Some(new) = &self.file else { return };
        let from = match &self.ahead {
            Some((going, _)) if !going.is_finished() => return,
            Some((_, to)) => *to,
            None => 0,
        };
        if self.length < from + AHEAD {
            return;
        }
        if let Ok(file) = new.file.try_clone() {
            let failed = self.failed.clone();
            let sync = move || {
                if let Err(error) = file.sync_data() {
                    let _ = failed.set(error);
                }
            };
            self.ahead = Some((tokio::task::spawn_blocking(sync), self.length));
        }
    }

    /// Makes the file durable, if there is one. It blocks.
    fn sync(&self, store: &Store) -> io::Result<()> {
        let Some(new) = &self.file else { return Ok(()) };
        store.sync_file(new)?;
        self.failed.get().map_or(Ok(()), |error| Err(io::Error::new(error.kind(), error.to_string())))
    }

    /// The digest of all that has come. It blocks when the algorithm is another than was expected.
    fn digest(&self, algorithm: Algorithm) -> io::Result<Digest> {
        if self.hasher.algorithm() == algorithm {
            return Ok(self.hasher.clone().finish());
        }
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&self.memory);
        if let Some(new) = &self.file {
            let (mut buffer, mut at) = (vec![0; PIECE], 0);
            while at < self.length {
                let read = new.file.read_at(&mut buffer, at)?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                hasher.update(buffer.get(..read).unwrap_or_default());
                at += read as u64;
            }
        }
        Ok(hasher.finish())
    }
}

/// What a body may cost.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimits<'a> {
    /// Bytes of the whole content.
    pub(crate) bytes: u64,
    /// Between two pieces.
    pub(crate) idle: Duration,
    /// For what is in memory.
    pub(crate) room: &'a Room,
}

/// What has come and is not written yet.
#[derive(Default)]
struct Piece {
    parts: Vec<Bytes>,
    /// Small parts that came last, in one.
    joined: Vec<u8>,
    length: usize,
    place: Option<OwnedSemaphorePermit>,
}

impl Piece {
    fn add(&mut self, part: Bytes) {
        self.length += part.len();
        if part.len() >= PART || self.joined.len() + part.len() > JOINED {
            self.close();
        }
        if part.len() >= PART { self.parts.push(part) } else { self.joined.extend_from_slice(&part) }
    }

    fn close(&mut self) {
        if !self.joined.is_empty() {
            self.parts.push(std::mem::take(&mut self.joined).into());
        }
    }

    /// Whether it is to be written before more is added.
    fn is_full(&mut self, room: &Room) -> bool {
        if self.length >= LEAST && self.place.is_none() {
            self.place = place(room, PIECE);
        }
        self.length >= if self.place.is_some() { PIECE } else { LEAST }
    }
}

/// Adds a body to what has come; what came before something went wrong stays.
pub(crate) async fn receive(
    spool: Spool,
    store: &Arc<Store>,
    mut body: Incoming,
    limits: BodyLimits<'_>,
) -> (Option<Spool>, Result<(), ApiError>) {
    let mut inlet = Inlet { spool: Some(spool), writing: None, store, room: limits.room };
    let mut piece = Piece::default();
    let mut total = inlet.spool.as_ref().map_or(0, Spool::length);
    let read = loop {
        let frame = match tokio::time::timeout(limits.idle, body.frame()).await {
            Err(_) => break Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, error::UPLOAD_INVALID, "the content did not come in time")),
            Ok(None) => break Ok(()),
            Ok(Some(Err(_))) => break Err(ApiError::bad(error::UPLOAD_INVALID, "the connection broke while the content came")),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        total += data.len() as u64;
        if total > limits.bytes {
            break Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error::SIZE_INVALID, "the content is larger than allowed here"));
        }
        piece.add(data);
        if piece.is_full(limits.room)
            && let Err(error) = inlet.put(std::mem::take(&mut piece)).await
        {
            break Err(error);
        }
    };
    let put = if piece.length == 0 { Ok(()) } else { inlet.put(piece).await };
    let settled = inlet.settle().await;
    (inlet.spool, read.and(put).and(settled))
}

/// Hashes and writes one piece while the next comes.
struct Inlet<'a> {
    spool: Option<Spool>,
    writing: Option<JoinHandle<(Spool, io::Result<()>)>>,
    store: &'a Arc<Store>,
    room: &'a Room,
}

impl Inlet<'_> {
    async fn settle(&mut self) -> Result<(), ApiError> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let (spool, written) = writing.await.map_err(|error| ApiError::system(&io::Error::other(error)))?;
        if let Err(error) = written {
            // What the file holds is not known: the upload has to begin anew.
            return Err(ApiError::system(&error));
        }
        self.spool = Some(spool);
        Ok(())
    }

    async fn put(&mut self, mut piece: Piece) -> Result<(), ApiError> {
        piece.close();
        self.settle().await?;
        let Some(mut spool) = self.spool.take() else {
            return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "the upload was lost to an error of the disk"));
        };
        let store = self.store.clone();
        if spool.stays(piece.length, self.room) {
            let written = spool.take(&store, &piece.parts, true);
            written.map_err(|error| ApiError::system(&error))?;
            self.spool = Some(spool);
        } else {
            self.writing = Some(tokio::task::spawn_blocking(move || {
                let written = spool.take(&store, &piece.parts, false);
                // With its place.
                drop(piece);
                (spool, written)
            }));
        }
        Ok(())
    }
}

/// Checks all that has come against its digest, and gives it to a repository; durable when this returns.
///
/// # Errors
/// When the digest is another, or the store refuses.
pub(crate) async fn finish(store: &Arc<Store>, spool: Spool, repository: Arc<str>, digest: Digest) -> Result<(), ApiError> {
    let found = if spool.file.is_none() {
        (spool.digest(digest.algorithm()), spool)
    } else {
        let (store, algorithm) = (store.clone(), digest.algorithm());
        let mut spool = spool;
        // It may be told an error that the last sync is then not told.
        if let Some((going, _)) = spool.ahead.take() {
            going.await.map_err(|error| ApiError::system(&io::Error::other(error)))?;
        }
        let check = move || {
            let found = spool.digest(algorithm).and_then(|found| spool.sync(&store).map(|()| found));
            (found, spool)
        };
        tokio::task::spawn_blocking(check).await.map_err(|error| ApiError::system(&io::Error::other(error)))?
    };
    let (found, spool) = found;
    let found = found.map_err(|error| ApiError::system(&error))?;
    if found != digest {
        return Err(ApiError::bad(error::DIGEST_INVALID, format!("the content has the digest {found}")));
    }
    let kept = match spool.file {
        Some(file) => store.keep_file(repository, digest, spool.length, file).await,
        None => {
            let source = Source::Bytes(spool.memory.into(), spool.place);
            store.change(Change::Blob { repository, digest, size: spool.length, source }).await.map(drop)
        }
    };
    kept.map_err(|refusal| ApiError::refused(refusal, error::BLOB_UNKNOWN))
}

/// An upload that may go on with a further request.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) repository: Arc<str>,
    begun: i64,
    touched: AtomicI64,
    /// `None` once it has ended. One request at a time has it.
    pub(crate) spool: Arc<tokio::sync::Mutex<Option<Spool>>>,
}

/// An upload of one request; it ends with it, however that ends.
pub(crate) struct Lease<'a> {
    session: Arc<Session>,
    sessions: &'a Sessions,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.sessions.end(&self.session.id);
    }
}

/// All uploads.
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Arc<Session>>>,
    most: usize,
}

impl Sessions {
    /// At most so many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { open: Mutex::new(HashMap::new()), most }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; `None` when there are too many.
    pub(crate) fn begin(&self, repository: Arc<str>, algorithm: Algorithm, now: i64) -> Option<Arc<Session>> {
        let mut open = self.open();
        if open.len() >= self.most {
            return None;
        }
        let spool = Arc::new(tokio::sync::Mutex::new(Some(Spool::new(algorithm))));
        let session = Arc::new(Session { id: base::ids::uuid(), repository, begun: now, touched: AtomicI64::new(now), spool });
        open.insert(session.id.clone(), session.clone());
        Some(session)
    }

    /// Holds what a repository gets while one request brings more; `None` when there are too many.
    pub(crate) fn lease(&self, repository: Arc<str>, now: i64) -> Option<Lease<'_>> {
        Some(Lease { session: self.begin(repository, Algorithm::Sha256, now)?, sessions: self })
    }

    /// One of a repository.
    pub(crate) fn find(&self, repository: &str, id: &str, now: i64) -> Option<Arc<Session>> {
        let session = self.open().get(id).filter(|session| &*session.repository == repository).cloned()?;
        session.touched.store(now, Ordering::Relaxed);
        Some(session)
    }

    /// Ends one.
    pub(crate) fn end(&self, id: &str) {
        self.open().remove(id);
    }

    /// Ends those that nothing has been heard of since; how many.
    pub(crate) fn expire(&self, since: i64) -> usize {
        let mut open = self.open();
        let before = open.len();
        // One whose lock is held is in a request.
        open.retain(|_, session| session.touched.load(Ordering::Relaxed) >= since || session.spool.try_lock().is_err());
        before - open.len()
    }

    /// When the oldest upload to a repository began.
    pub(crate) fn oldest(&self, repository: &str) -> Option<i64> {
        self.open().values().filter(|session| &*session.repository == repository).map(|session| session.begun).min()
    }
}
