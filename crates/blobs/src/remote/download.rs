//! A blob as it comes: bounded, hashed, and taken up again where the connection broke.

use super::auth::Scope;
use super::base::Base;
use super::error::RemoteError;
use super::exchange::{Ask, unreachable};
use super::progress::{Step, Teller, tell};
use super::{Inner, answer};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use net::client::{ClientErrorKind, Piece, Reply};
use oci::{Digest, Hasher};
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A blob to be fetched.
pub(crate) struct Blob<'a> {
    pub base: &'a Arc<Base>,
    pub repository: &'a str,
    pub digest: Digest,
    pub size: u64,
    /// Its name for who watches.
    pub what: &'a str,
}

/// Why a blob did not arrive.
pub(crate) enum Lost {
    /// The registry's fault, or the way's.
    Remote(RemoteError),
    /// It broke off in the middle.
    Broken(RemoteError),
    /// Who took it wants no more, for a reason of their own.
    Unwanted,
}

impl From<RemoteError> for Lost {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

/// Told at most this often.
const TOLD_BYTES: u64 = 512 << 10;

struct Arriving<'a> {
    blob: &'a Blob<'a>,
    hasher: Hasher,
    got: u64,
    told: u64,
}

impl Blob<'_> {
    fn action(&self) -> String {
        format!("pull the blob {} of `{}`", self.digest, self.repository)
    }

    fn wrong(&self, why: String) -> RemoteError {
        RemoteError::Answer { registry: self.base.registry.clone(), action: self.action(), why }
    }

    fn check(&self, found: Digest) -> Result<(), RemoteError> {
        if found == self.digest {
            return Ok(());
        }
        Err(RemoteError::Digest {
            registry: self.base.registry.clone(),
            what: format!("a blob of `{}`", self.repository),
            expected: self.digest.to_string(),
            found: found.to_string(),
        })
    }
}

impl Inner {
    /// Fetches a blob into a channel. Its end is sent only when size and digest are right.
    pub(crate) async fn stream(&self, blob: &Blob<'_>, to: &mpsc::Sender<Piece>, teller: Teller<'_>) -> Result<(), Lost> {
        let mut arriving = Arriving { blob, hasher: Hasher::new(), got: 0, told: 0 };
        let mut tries = 0;
        while arriving.got < blob.size || tries == 0 {
            let before = arriving.got;
            let error = match self.part(&mut arriving, to, teller).await {
                Ok(()) if arriving.got == blob.size => break,
                Ok(()) => unreachable_early(blob, arriving.got),
                // What failed from its beginning was tried often enough.
                Err(Lost::Broken(error)) => error,
                Err(other) => return Err(other),
            };
            // What moves on may break as often as it likes.
            tries = if arriving.got > before { 1 } else { tries + 1 };
            if tries > self.options.retries {
                return Err(error.into());
            }
            tell(teller, blob.what, Step::Retrying, arriving.got, Some(blob.size));
            tokio::time::sleep(answer::backoff(tries - 1)).await;
        }
        blob.check(arriving.hasher.finish())?;
        to.send(Piece::End).await.map_err(|_| Lost::Unwanted)
    }

    async fn part(&self, arriving: &mut Arriving<'_>, to: &mpsc::Sender<Piece>, teller: Teller<'_>) -> Result<(), Lost> {
        let (blob, from) = (arriving.blob, arriving.got);
        let scopes = [Scope { repository: blob.repository.to_owned(), push: false }];
        let mut ask = Ask::new(Method::GET, blob.base.url(blob.repository, &format!("blobs/{}", blob.digest)), blob.action());
        if from > 0 {
            ask = ask.header(header::RANGE, &format!("bytes={from}-"));
        }
        let mut reply = self.ask(blob.base, &scopes, &ask).await?;
        let mut skip = match reply.status {
            StatusCode::OK => from,
            StatusCode::PARTIAL_CONTENT if from > 0 && range_start(&reply) == Some(from) => 0,
            StatusCode::PARTIAL_CONTENT => return Err(blob.wrong("it gives another part than was asked for".into()).into()),
            _ => {
                let what = format!("blob {} of `{}`", blob.digest, blob.repository);
                return Err(answer::failure(blob.base, &blob.action(), &what, reply).await.into());
            }
        };
        let coming = blob.size - (from - skip);
        if let Some(length) =
            reply.header(header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok()).filter(|length| *length != coming)
        {
            return Err(blob.wrong(format!("it gives {length} bytes; the manifest says {coming}")).into());
        }
        while let Some(mut bytes) = reply.chunk().await.map_err(|error| Lost::Broken(unreachable(blob.base, &blob.action(), error)))? {
            let skipped = usize::try_from(skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            skip -= skipped as u64;
            bytes = bytes.slice(skipped..);
            if !bytes.is_empty() {
                arriving.take(bytes, to, teller).await?;
            }
        }
        Ok(())
    }

    /// A small blob, whole.
    pub(crate) async fn blob(&self, blob: &Blob<'_>, limit_bytes: usize) -> Result<Bytes, RemoteError> {
        if blob.size > limit_bytes as u64 {
            return Err(blob.wrong(format!("the manifest says that it has {} bytes; at most {limit_bytes} are read", blob.size)));
        }
        let scopes = [Scope { repository: blob.repository.to_owned(), push: false }];
        let ask = Ask::new(Method::GET, blob.base.url(blob.repository, &format!("blobs/{}", blob.digest)), blob.action());
        let mut tries = 0;
        loop {
            let reply = self.ask(blob.base, &scopes, &ask).await?;
            if reply.status != StatusCode::OK {
                let what = format!("blob {} of `{}`", blob.digest, blob.repository);
                return Err(answer::failure(blob.base, &blob.action(), &what, reply).await);
            }
            match reply.bytes(usize::try_from(blob.size).unwrap_or(limit_bytes)).await {
                Ok(bytes) => return blob.check(Digest::of(&bytes)).map(|()| bytes),
                Err(error) if self.may_try_again(&error, tries) => tokio::time::sleep(answer::backoff(tries)).await,
                Err(error) => return Err(unreachable(blob.base, &blob.action(), error)),
            }
            tries += 1;
        }
    }
}

impl Arriving<'_> {
    async fn take(&mut self, bytes: Bytes, to: &mpsc::Sender<Piece>, teller: Teller<'_>) -> Result<(), Lost> {
        let length = bytes.len() as u64;
        if self.got + length > self.blob.size {
            return Err(self.blob.wrong(format!("it gives more than the {} bytes that the manifest says", self.blob.size)).into());
        }
        self.hasher.update(&bytes);
        self.got += length;
        to.send(Piece::Data(bytes)).await.map_err(|_| Lost::Unwanted)?;
        if self.got - self.told >= TOLD_BYTES {
            self.told = self.got;
            tell(teller, self.blob.what, Step::Downloading, self.got, Some(self.blob.size));
        }
        Ok(())
    }
}

fn unreachable_early(blob: &Blob<'_>, got: u64) -> RemoteError {
    let why = format!("the answer ended after {got} of {} bytes", blob.size);
    unreachable(
        blob.base,
        &blob.action(),
        net::client::ClientError { kind: ClientErrorKind::Broken, origin: blob.base.origin.to_string(), why },
    )
}

/// `bytes 5-9/10` (RFC 9110 section 14.4).
fn range_start(reply: &Reply) -> Option<u64> {
    reply.header(header::CONTENT_RANGE)?.trim().strip_prefix("bytes")?.trim().split('-').next()?.trim().parse().ok()
}

/// What comes through a channel, as a thread reads it.
pub(crate) struct Incoming {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl Incoming {
    pub(crate) fn new(pieces: mpsc::Receiver<Piece>) -> Self {
        Self { pieces, current: Bytes::new(), ended: false }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Data(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                Some(Piece::Failed(why)) => return Err(io::Error::other(why)),
                None => return Err(io::Error::other("the download was given up")),
            }
        }
        let taken = self.current.split_to(self.current.len().min(buffer.len()));
        if let Some(place) = buffer.get_mut(..taken.len()) {
            place.copy_from_slice(&taken);
        }
        Ok(taken.len())
    }
}
