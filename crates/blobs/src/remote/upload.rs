//! A blob as it goes out: made, compressed and sent in one pass, and taken up again where the connection broke.

mod chunks;
mod outgoing;

use super::auth::Scope;
use super::error::RemoteError;
use super::exchange::{Ask, challenges, unreachable};
use super::progress::{Step, Teller, tell};
use super::push::{Sent, Target};
use super::{Inner, answer, blocking};
use crate::compress::Compression;
use crate::distribution::{Packed, produce};
use crate::error::BlobError;
use crate::store::Store;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use net::client::{Call, ClientError, Payload, Piece, Reply, Url};
use oci::{DiffId, Digest};
use outgoing::{Outgoing, PIECE, is_unwanted};
use tokio::sync::mpsc;

const AHEAD: usize = 16;

/// A layer on its way.
pub(crate) struct Parcel<'a> {
    pub store: &'a Store,
    pub target: &'a Target<'a>,
    pub id: DiffId,
    pub compression: Compression,
    /// What is known of its packed form.
    pub known: Option<Packed>,
    pub teller: Teller<'a>,
}

impl Parcel<'_> {
    fn tell(&self, step: Step, done: u64) {
        tell(self.teller, self.id.to_string(), step, done, self.known.as_ref().map(|known| known.size));
    }
}

/// Where an upload is.
struct Session {
    location: Url,
    offset: u64,
    resumed: bool,
    /// Who we were in the last request.
    authorization: Option<HeaderValue>,
}

/// What one attempt came to.
enum Attempt {
    Done(Url, Packed),
    /// Ask where it stands, wait, and go on.
    Again(RemoteError),
    /// The registry knows nothing of it any more.
    Forgotten(RemoteError),
    /// The request was too large.
    TooLarge(RemoteError),
}

impl Inner {
    /// Sends a layer, or has it mounted.
    pub(crate) async fn upload_layer(&self, parcel: &Parcel<'_>) -> Result<(Sent, Packed), RemoteError> {
        let Parcel { target, known, .. } = parcel;
        let sister = known.as_ref().and_then(|known| known.sister(&target.base.registry, target.repository));
        let mut session = match (self.begin(target, known.as_ref().map(|known| &known.digest), sister.as_deref()).await?, known) {
            (None, Some(known)) => return Ok((Sent::Mounted, known.clone())),
            (None, None) => return Err(target.wrong("it mounts what was not named")),
            (Some(session), _) => session,
        };
        let (mut tries, mut chunk) = (0, self.options.chunk_bytes);
        loop {
            let before = session.offset;
            let attempt = match self.send(parcel, &mut session, chunk).await {
                Err(error @ RemoteError::Store(BlobError::Digest { .. })) => {
                    let (store, id, compression) = (parcel.store.clone(), parcel.id, parcel.compression);
                    blocking(move || store.forget_packed(&id, compression)).await?;
                    return Err(error);
                }
                attempt => attempt?,
            };
            let error = match attempt {
                Attempt::Done(location, packed) => {
                    match self.commit(target, location, &packed.digest, Bytes::new(), session.resumed).await? {
                        None => return Ok((Sent::Uploaded(packed.size), packed)),
                        Some(error) => {
                            session = self.restart(target).await?;
                            error
                        }
                    }
                }
                Attempt::Again(error) => {
                    self.look(target, &mut session).await?;
                    error
                }
                Attempt::Forgotten(error) => {
                    session = self.restart(target).await?;
                    error
                }
                Attempt::TooLarge(error) if chunk.is_some() => return Err(error),
                Attempt::TooLarge(error) => {
                    (session, chunk) = (self.restart(target).await?, Some(chunks::CHUNK));
                    error
                }
            };
            tries = if session.offset > before { 1 } else { tries + 1 };
            if tries > self.options.retries {
                return Err(error);
            }
            parcel.tell(Step::Retrying, session.offset);
            tokio::time::sleep(answer::backoff(tries - 1)).await;
        }
    }

    /// Sends a small blob.
    pub(crate) async fn upload_bytes(&self, target: &Target<'_>, digest: &Digest, bytes: Bytes) -> Result<(), RemoteError> {
        let mut session = self.restart(target).await?;
        for _ in 0..=self.options.retries {
            match self.commit(target, session.location, digest, bytes.clone(), true).await? {
                None => return Ok(()),
                Some(_) => session = self.restart(target).await?,
            }
        }
        Err(target.wrong(format!("it loses the upload of the blob {digest} again and again")))
    }

    async fn restart(&self, target: &Target<'_>) -> Result<Session, RemoteError> {
        self.begin(target, None, None).await?.ok_or_else(|| target.wrong("it mounts what was not named"))
    }

    /// Begins an upload; `None` when the blob was mounted instead.
    async fn begin(&self, target: &Target<'_>, digest: Option<&Digest>, sister: Option<&str>) -> Result<Option<Session>, RemoteError> {
        let mut url = target.base.url(target.repository, "blobs/uploads/");
        let mut scopes = target.scopes.to_vec();
        if let Some((digest, sister)) = digest.zip(sister) {
            url = url.with("mount", &digest.to_string()).with("from", sister);
            scopes.push(Scope { repository: sister.to_owned(), push: false });
        }
        let mounting = sister.is_some();
        let asked = self.ask(target.base, &scopes, &Ask::new(Method::POST, url, target.action())).await;
        match asked {
            Ok(reply) if reply.status == StatusCode::CREATED && mounting => {
                reply.discard().await;
                Ok(None)
            }
            Ok(reply) if reply.status == StatusCode::ACCEPTED => {
                let location = self.location(target, &target.base.url(target.repository, "blobs/uploads/"), &reply)?;
                reply.discard().await;
                Ok(Some(Session { location, offset: 0, resumed: false, authorization: None }))
            }
            // No right to the sister: then it is sent.
            Ok(reply) if mounting && reply.status.is_client_error() => {
                reply.discard().await;
                Box::pin(self.begin(target, None, None)).await
            }
            Err(RemoteError::Login { .. }) if mounting => Box::pin(self.begin(target, None, None)).await,
            Ok(reply) => Err(answer::failure(target.base, &target.action(), &format!("repository `{}`", target.repository), reply).await),
            Err(error) => Err(error),
        }
    }

    fn location(&self, target: &Target<'_>, from: &Url, reply: &Reply) -> Result<Url, RemoteError> {
        let location = reply.header(header::LOCATION).ok_or_else(|| target.wrong("it does not say where to send a blob"))?;
        let url = from.join(location).map_err(|error| target.wrong(format!("it says to send a blob to {error}")))?;
        if target.base.origin.tls && !url.origin.tls && self.trust(&url.origin) == net::client::Trust::Checked {
            return Err(target.wrong(format!("it says to send a blob in plain http to `{}`", url.origin)));
        }
        Ok(url)
    }

    async fn rights(&self, target: &Target<'_>, url: &Url) -> Result<Option<HeaderValue>, RemoteError> {
        if url.origin == target.base.origin { self.authorization(target.base, target.scopes, &target.action()).await } else { Ok(None) }
    }

    /// One pass over the layer from the session's offset on.
    async fn send(&self, parcel: &Parcel<'_>, session: &mut Session, chunk: Option<usize>) -> Result<Attempt, RemoteError> {
        let Parcel { target, id, compression, known, .. } = parcel;
        let (id, compression) = (*id, *compression);
        let total = known.as_ref().map(|known| known.size);
        let (to, pieces) = mpsc::channel(AHEAD);
        let (told, mut telling) = tokio::sync::watch::channel(session.offset);
        let (making, skip) = (parcel.store.clone(), session.offset);
        // Who waits for room in the channel is let go when this is: a server may answer early and then read no more.
        let (wanted, gone) = tokio::sync::watch::channel(());
        let runtime = tokio::runtime::Handle::current();
        let mut made = tokio::task::spawn_blocking(move || {
            let mut out = Outgoing { to: &to, buffer: Vec::with_capacity(PIECE), skip, sent: skip, told, gone, runtime };
            let made = produce(&making, &id, compression, &mut out);
            let made =
                made.and_then(|packed| out.send().map(|()| packed).map_err(|error| BlobError::damaged("an upload", error.to_string())));
            let _ = out.put(match &made {
                Ok(_) => Piece::End,
                Err(error) => Piece::Failed(error.to_string()),
            });
            made
        });
        session.authorization = self.rights(target, &session.location).await?;
        let answered = {
            let (at, authorization) = ((session.location.clone(), session.offset), session.authorization.clone());
            let sending = async {
                match chunk {
                    Some(chunk) => self.send_chunks(parcel, session, pieces, chunk).await,
                    None => self.client.send(self.whole(at, authorization, total, pieces)).await,
                }
            };
            tokio::pin!(sending);
            loop {
                tokio::select! {
                    answered = sending.as_mut() => break answered,
                    Ok(()) = telling.changed(), if chunk.is_none() => parcel.tell(Step::Uploading, *telling.borrow_and_update()),
                }
            }
        };
        let made = if answered.as_ref().is_ok_and(|reply| reply.status.is_success()) {
            let made = tokio::time::timeout(self.options.stall_time, &mut made).await;
            made.map_err(|_| target.wrong("it takes an upload before all of it was sent"))?
        } else {
            drop(wanted);
            made.await
        };
        let made = made.map_err(|error| RemoteError::Unsupported(format!("a thread ended early: {error}")))?;
        self.attempt(target, session, answered, made, known).await
    }

    /// All that is left, in one request.
    fn whole(
        &self,
        (location, offset): (Url, u64),
        authorization: Option<HeaderValue>,
        total: Option<u64>,
        pieces: mpsc::Receiver<Piece>,
    ) -> Call {
        let mut call = Call::new(Method::PATCH, location);
        call.trust = self.trust(&call.url.origin);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.headers.extend(authorization.map(|authorization| (header::AUTHORIZATION, authorization)));
        let range = total.filter(|total| offset > 0 && offset < *total).map(|total| format!("{offset}-{}", total - 1));
        call.headers.extend(range.and_then(|range| HeaderValue::from_str(&range).ok()).map(|range| (header::CONTENT_RANGE, range)));
        call.payload = Payload::Stream { pieces, length: total.map(|total| total.saturating_sub(offset)) };
        call
    }

    async fn attempt(
        &self,
        target: &Target<'_>,
        session: &Session,
        answered: Result<Reply, ClientError>,
        made: Result<Packed, BlobError>,
        known: &Option<Packed>,
    ) -> Result<Attempt, RemoteError> {
        let reply = match answered {
            Ok(reply) => reply,
            // What could not be made is our own failure; that nobody took it is not.
            Err(error) => {
                return match made {
                    Err(own) if !is_unwanted(&own) => Err(own.into()),
                    _ if error.is_passing() => Ok(Attempt::Again(unreachable(target.base, &target.action(), error))),
                    _ => Err(unreachable(target.base, &target.action(), error)),
                };
            }
        };
        let status = reply.status;
        if status.is_success() {
            let packed = made?;
            if let Some(known) = known.as_ref().filter(|known| (known.digest, known.size) != (packed.digest, packed.size)) {
                return Err(BlobError::Digest {
                    what: "a layer, compressed".into(),
                    expected: known.digest.to_string(),
                    found: packed.digest.to_string(),
                }
                .into());
            }
            let location = if reply.headers.contains_key(header::LOCATION) {
                self.location(target, &session.location, &reply)?
            } else {
                session.location.clone()
            };
            reply.discard().await;
            return Ok(Attempt::Done(location, packed));
        }
        if status == StatusCode::UNAUTHORIZED && session.location.origin == target.base.origin {
            let asked = challenges(&reply);
            let error = answer::failure(target.base, &target.action(), "upload", reply).await;
            self.renew(target.base, target.scopes, asked, session.authorization.as_ref(), &target.action()).await?;
            return Ok(Attempt::Again(error));
        }
        if answer::is_busy(status) {
            if let Some(wait) = answer::retry_after(&reply).filter(|wait| *wait <= self.options.max_wait) {
                tokio::time::sleep(wait).await;
            }
            return Ok(Attempt::Again(answer::failure(target.base, &target.action(), "upload", reply).await));
        }
        let forgotten = matches!(status.as_u16(), 404 | 416);
        let error = answer::failure(target.base, &target.action(), "upload of this name", reply).await;
        match status {
            _ if forgotten => Ok(Attempt::Forgotten(error)),
            StatusCode::PAYLOAD_TOO_LARGE => Ok(Attempt::TooLarge(error)),
            _ => Err(error),
        }
    }

    /// Asks how much arrived (distribution spec, "Resuming an upload"); begins anew where nobody knows.
    async fn look(&self, target: &Target<'_>, session: &mut Session) -> Result<(), RemoteError> {
        let reply = self.ask(target.base, target.scopes, &Ask::new(Method::GET, session.location.clone(), target.action())).await?;
        if !reply.status.is_success() {
            reply.discard().await;
            *session = self.restart(target).await?;
            return Ok(());
        }
        // `0-0` is one byte, and what some registries say of nothing: read as nothing, and if it was one, the digest tells.
        let last =
            reply.header(header::RANGE).and_then(|range| range.trim_start_matches("bytes=").split_once('-')?.1.trim().parse::<u64>().ok());
        session.offset = last.filter(|last| *last > 0).map_or(0, |last| last.saturating_add(1));
        session.resumed = true;
        if reply.headers.contains_key(header::LOCATION) {
            session.location = self.location(target, &session.location, &reply)?;
        }
        reply.discard().await;
        Ok(())
    }

    /// Ends an upload; the error is one after which it is worth to begin anew.
    async fn commit(
        &self,
        target: &Target<'_>,
        location: Url,
        digest: &Digest,
        body: Bytes,
        again: bool,
    ) -> Result<Option<RemoteError>, RemoteError> {
        let mut ask = Ask::new(Method::PUT, location.with("digest", &digest.to_string()), target.action());
        ask = ask.header(header::CONTENT_TYPE, "application/octet-stream");
        ask.body = body;
        let reply = self.ask(target.base, target.scopes, &ask).await?;
        if reply.status.is_success() {
            reply.discard().await;
            return Ok(None);
        }
        let status = reply.status;
        let error = answer::failure(target.base, &target.action(), &format!("upload of the blob {digest}"), reply).await;
        // An answer that was lost: the first try may have done it.
        if status == StatusCode::NOT_FOUND && self.has_blob(target, digest).await? {
            return Ok(None);
        }
        let worth = matches!(status.as_u16(), 404 | 416) || again && status == StatusCode::BAD_REQUEST;
        if worth { Ok(Some(error)) } else { Err(error) }
    }
}
