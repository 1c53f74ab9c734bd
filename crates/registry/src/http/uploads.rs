//! Uploads: at once, in chunks, by mounting.

use super::{Answered, Call, DIGEST, UPLOAD_ID, empty, text};
use crate::digest::{Algorithm, Digest};
use crate::error::{self, ApiError};
use crate::request::content_range;
use crate::rights::Right;
use crate::server::Core;
use crate::uploads::{BodyLimits, Session, Spool, finish, receive};
use crate::writer::{Change, Refusal};
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use net::Body;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// A request waits so long for another one of the same session to end: one whose connection broke does so soon.
const TURN: Duration = Duration::from_secs(10);

impl Call<'_> {
    pub(super) async fn begin_upload(&self, body: &mut Option<Incoming>) -> Answered {
        if let Some(digest) = self.query.get("mount") {
            let digest = Digest::parse(&digest)?;
            if self.mount(&digest).await? {
                return Ok(self.made(&digest));
            }
            return self.open_session(Algorithm::Sha256);
        }
        if let Some(digest) = self.query.get("digest") {
            let digest = Digest::parse(&digest)?;
            let body = body.take().ok_or_else(no_body)?;
            let _lease = self.core.sessions.lease(self.repository.clone(), self.core.store.now()).ok_or_else(too_many)?;
            let (spool, received) = receive(Spool::new(digest.algorithm()), &self.core.store, body, limits(self.core)).await;
            received?;
            finish(&self.core.store, spool.ok_or_else(lost)?, self.repository.clone(), digest.clone()).await?;
            return Ok(self.made(&digest));
        }
        let algorithm = match self.query.get("digest-algorithm") {
            None => Algorithm::Sha256,
            Some(name) => Algorithm::named(&name).ok_or(crate::digest::DigestError::Unsupported)?,
        };
        self.open_session(algorithm)
    }

    /// Mounts a blob from the repository that is named, or from any that may be read (distribution spec, "Mounting a blob
    /// from another repository"); whether it could be.
    async fn mount(&self, digest: &Digest) -> Result<bool, ApiError> {
        let store = &self.core.store;
        let here = store.blob(&self.repository, digest).is_some();
        let there = match self.query.get("from").filter(|from| !from.is_empty()) {
            Some(from) if !oci::reference::is_repository(&from) => {
                return Err(ApiError::bad(error::NAME_INVALID, "`from` is no name of a repository"));
            }
            Some(from) => self.allows(&from, Right::Pull) && store.blob(&from, digest).is_some(),
            None => !here && store.has_blob_anywhere(digest, &|name| self.allows(name, Right::Pull)),
        };
        if !here && !there {
            return Ok(false);
        }
        match store.change(Change::Mount { repository: self.repository.clone(), digest: digest.clone() }).await {
            Ok(_) => Ok(true),
            // It went in this moment.
            Err(Refusal::Unknown) => Ok(false),
            Err(refusal) => Err(ApiError::refused(refusal, error::BLOB_UNKNOWN)),
        }
    }

    fn open_session(&self, algorithm: Algorithm) -> Answered {
        let begun = self.core.sessions.begin(self.repository.clone(), algorithm, self.core.store.now());
        let session = begun.ok_or_else(too_many)?;
        Ok(self.progress(StatusCode::ACCEPTED, &session.id, 0))
    }

    fn made(&self, digest: &Digest) -> Response<Body> {
        let named = digest.to_string();
        empty(StatusCode::CREATED, [(header::LOCATION, self.path(&format!("blobs/{named}"))), (DIGEST, text(&named))])
    }

    /// Where the upload goes on, and how far it is. Of an upload without bytes it says what everybody does: `0-0`.
    fn progress(&self, status: StatusCode, id: &str, length: u64) -> Response<Body> {
        empty(
            status,
            [
                (header::LOCATION, self.path(&format!("blobs/uploads/{id}"))),
                (header::RANGE, text(&format!("0-{}", length.saturating_sub(1)))),
                (UPLOAD_ID, text(id)),
            ],
        )
    }

    async fn session(&self, id: &str) -> Result<(Arc<Session>, OwnedMutexGuard<Option<Spool>>), ApiError> {
        let found = self.core.sessions.find(&self.repository, id, self.core.store.now());
        let session = found.ok_or_else(unknown)?;
        let turn = tokio::time::timeout(TURN, session.spool.clone().lock_owned()).await;
        let busy = |_| ApiError::new(StatusCode::CONFLICT, error::UPLOAD_INVALID, "another request of this upload has not ended");
        Ok((session, turn.map_err(busy)?))
    }

    pub(super) async fn upload_status(&self, id: &str) -> Answered {
        let (_, spool) = self.session(id).await?;
        let length = spool.as_ref().map(Spool::length).ok_or_else(unknown)?;
        Ok(self.progress(StatusCode::NO_CONTENT, id, length))
    }

    pub(super) fn cancel_upload(&self, id: &str) -> Answered {
        self.core.sessions.find(&self.repository, id, self.core.store.now()).ok_or_else(unknown)?;
        // A request that is still at it ends with nothing to go on from.
        self.core.sessions.end(id);
        Ok(empty(StatusCode::NO_CONTENT, []))
    }

    /// Whether a chunk begins where the last one ended, and is as long as it says.
    fn chunk(&self, id: &str, length: u64) -> Result<Option<u64>, ApiError> {
        let Some(said) = self.headers.get(header::CONTENT_RANGE) else { return Ok(None) };
        let invalid = || ApiError::bad(error::UPLOAD_INVALID, "Content-Range is `START-END` with both bytes included");
        let (first, last) = said.to_str().ok().and_then(content_range).ok_or_else(invalid)?;
        if first != length {
            let progress = self.progress(StatusCode::RANGE_NOT_SATISFIABLE, id, length);
            let mut error =
                ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, error::UPLOAD_INVALID, format!("the next byte is number {length}"));
            for (name, value) in progress.headers() {
                error = error.with(name.clone(), value.clone());
            }
            return Err(error);
        }
        let chunk = (last - first).checked_add(1).ok_or_else(invalid)?;
        let announced = self.header(header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        if announced.is_some_and(|announced| announced != chunk) {
            return Err(ApiError::bad(error::SIZE_INVALID, "Content-Length is not the length of Content-Range"));
        }
        Ok(Some(chunk))
    }

    /// Takes in a chunk on a task of its own: should the connection break, what has come stays.
    async fn take(&self, id: &str, body: &mut Option<Incoming>) -> Result<(Arc<Session>, OwnedMutexGuard<Option<Spool>>), ApiError> {
        let (session, mut turn) = self.session(id).await?;
        let length = turn.as_ref().map(Spool::length).ok_or_else(unknown)?;
        let expected = self.chunk(id, length)?;
        let body = body.take().ok_or_else(no_body)?;
        let (core, kept) = (self.core.clone(), session.clone());
        let taking = tokio::spawn(async move {
            let spool = turn.take().ok_or_else(unknown)?;
            let (spool, received) = receive(spool, &core.store, body, limits(&core)).await;
            let now = spool.as_ref().map(Spool::length);
            *turn = spool;
            if now.is_none() || received.is_ok() && expected.is_some_and(|chunk| now != Some(length + chunk)) {
                *turn = None;
                core.sessions.end(&kept.id);
                received?;
                return Err(ApiError::bad(error::SIZE_INVALID, "the chunk was not as long as its Content-Range said"));
            }
            received.map(|()| turn)
        });
        let turn = taking.await.map_err(|_| lost())??;
        Ok((session, turn))
    }

    pub(super) async fn upload_chunk(&self, id: &str, body: &mut Option<Incoming>) -> Answered {
        let (_, turn) = self.take(id, body).await?;
        let length = turn.as_ref().map(Spool::length).ok_or_else(unknown)?;
        Ok(self.progress(StatusCode::ACCEPTED, id, length))
    }

    pub(super) async fn end_upload(&self, id: &str, body: &mut Option<Incoming>) -> Answered {
        let named = self.query.get("digest").ok_or_else(|| ApiError::bad(error::DIGEST_INVALID, "the parameter `digest` is missing"))?;
        let digest = Digest::parse(&named)?;
        let (session, mut turn) = self.take(id, body).await?;
        let spool = turn.take().ok_or_else(unknown)?;
        let finished = finish(&self.core.store, spool, self.repository.clone(), digest.clone()).await;
        // Its lease ends only now: the blob is held from here on by the time at which it came.
        self.core.sessions.end(&session.id);
        finished?;
        Ok(self.made(&digest))
    }
}

fn limits(core: &Core) -> BodyLimits<'_> {
    BodyLimits { bytes: core.limits.blob_bytes, idle: core.limits.body_idle, room: &core.upload_room }
}

fn unknown() -> ApiError {
    ApiError::unknown(error::UPLOAD_UNKNOWN, "there is no such upload: begin anew")
}

fn too_many() -> ApiError {
    ApiError::too_many("too many uploads are open")
}

fn no_body() -> ApiError {
    ApiError::bad(error::UPLOAD_INVALID, "the content is missing")
}

fn lost() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "the upload was lost: begin anew")
        .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
}
