//! Blobs: read whole or in part, removed.

use super::{Answered, Call, DIGEST, empty, text};
use crate::digest::Digest;
use crate::error::{self, ApiError};
use crate::request::{Part, range};
use crate::store::{Content, Found};
use crate::writer::Change;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use net::Body;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// So much is read and sent in one go.
const PIECE: u64 = 256 << 10;
/// Content up to so much is read at once.
const AT_ONCE: u64 = 64 << 10;
/// A client that takes nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(120);

impl Call<'_> {
    pub(super) fn blob(&self, digest: &Digest) -> Answered {
        let unknown = || ApiError::unknown(error::BLOB_UNKNOWN, "there is no such blob in this repository");
        let content = self.core.store.blob(&self.repository, digest).ok_or_else(unknown)?;
        let tag = format!("\"{digest}\"");
        let own =
            [(DIGEST, text(&digest.to_string())), (header::ETAG, text(&tag)), (header::ACCEPT_RANGES, HeaderValue::from_static("bytes"))];
        if self.has(&tag) {
            return Ok(empty(StatusCode::NOT_MODIFIED, own));
        }
        // A part is of what the client has already: only when it is still the same (RFC 9110 section 13.1.5).
        let asked = self.header(header::RANGE).filter(|_| self.header(header::IF_RANGE).is_none_or(|known| known == tag));
        let (status, first, length) = match range(asked, content.size) {
            Part::All => (StatusCode::OK, 0, content.size),
            Part::Some(first, length) => (StatusCode::PARTIAL_CONTENT, first, length),
            Part::Beyond => {
                let size = text(&format!("bytes */{}", content.size));
                return Err(ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, error::SIZE_INVALID, "the blob ends before this range")
                    .with(header::CONTENT_RANGE, size));
            }
        };
        let body =
            if self.head_only { Body::empty() } else { send(content.clone(), first, length).map_err(|error| ApiError::system(&error))? };
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.extend(own);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::CONTENT_LENGTH, length.into());
        if status == StatusCode::PARTIAL_CONTENT {
            headers.insert(header::CONTENT_RANGE, text(&format!("bytes {first}-{}/{}", first + length - 1, content.size)));
        }
        Ok(answer)
    }

    pub(super) async fn delete_blob(&self, digest: &Digest) -> Answered {
        let change = Change::NoBlob { repository: self.repository.clone(), digest: digest.clone() };
        self.core.store.change(change).await.map_err(|refusal| ApiError::refused(refusal, error::BLOB_UNKNOWN))?;
        Ok(empty(StatusCode::ACCEPTED, []))
    }
}

/// A body of a part of some content; large parts are read as they are sent.
fn send(content: Content, first: u64, length: u64) -> std::io::Result<Body> {
    if length <= AT_ONCE {
        return Ok(content.read_at(first, length)?.into());
    }
    let (file, base) = match content.found {
        Found::Log(file, base) => (file, base),
        Found::File(path) => (Arc::new(File::open(path)?), 0),
    };
    let (sender, body) = Body::stream(2);
    tokio::spawn(pieces(file, base + first, length, sender));
    Ok(body)
}

/// What the system has in memory is read here and now, without a thread that may wait for the disk.
fn at_hand(file: &File, at: u64, wanted: u64) -> Option<Bytes> {
    let mut piece = vec![0; usize::try_from(wanted).ok()?];
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    let read = rustix::io::preadv2(file, &mut [std::io::IoSliceMut::new(&mut piece)], at, flags).ok()?;
    piece.truncate(read);
    (read > 0).then(|| piece.into())
}

/// An error ends the body before its length, which the client sees.
async fn pieces(file: Arc<File>, mut at: u64, mut left: u64, sender: mpsc::Sender<Bytes>) {
    while left > 0 {
        let wanted = left.min(PIECE);
        let piece = match at_hand(&file, at, wanted) {
            Some(piece) => piece,
            None => {
                let (handle, from) = (file.clone(), at);
                let read = tokio::task::spawn_blocking(move || -> std::io::Result<Bytes> {
                    let mut piece = vec![0; usize::try_from(wanted).map_err(std::io::Error::other)?];
                    handle.read_exact_at(&mut piece, from)?;
                    Ok(piece.into())
                });
                let Ok(Ok(piece)) = read.await else { return };
                piece
            }
        };
        let length = piece.len() as u64;
        if !matches!(tokio::time::timeout(STALLED, sender.send(piece)).await, Ok(Ok(()))) {
            return;
        }
        at += length;
        left -= length;
    }
}
