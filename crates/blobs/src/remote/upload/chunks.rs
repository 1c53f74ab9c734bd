//! A blob in several requests (distribution spec, "Pushing a blob in chunks"): for what limits the size of one.

use super::super::push::Target;
use super::super::{Inner, progress};
use super::{Parcel, Session};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, header};
use net::client::{Call, ClientError, ClientErrorKind, Payload, Piece, Reply};
use tokio::sync::mpsc;

/// What one request carries where a larger one was refused.
pub(super) const CHUNK: usize = 8 << 20;

impl Inner {
    /// Sends all that comes, a request for each chunk; the answer to the last one, or to the first that was refused.
    pub(super) async fn send_chunks(
        &self,
        parcel: &Parcel<'_>,
        session: &mut Session,
        mut pieces: mpsc::Receiver<Piece>,
        chunk: usize,
    ) -> Result<Reply, ClientError> {
        let mut left = None;
        loop {
            let (bytes, ended) = gather(&mut pieces, &mut left, chunk).await.map_err(|why| ClientError {
                kind: ClientErrorKind::Payload,
                origin: session.location.origin.to_string(),
                why,
            })?;
            let next = session.offset + bytes.len() as u64;
            let reply = self.send_chunk(parcel.target, session, bytes).await?;
            if !reply.status.is_success() {
                return Ok(reply);
            }
            session.offset = next;
            parcel.tell(progress::Step::Uploading, next);
            if ended {
                return Ok(reply);
            }
            if let Ok(location) = self.location(parcel.target, &session.location, &reply) {
                session.location = location;
            }
            reply.discard().await;
        }
    }

    async fn send_chunk(&self, target: &Target<'_>, session: &mut Session, bytes: Bytes) -> Result<Reply, ClientError> {
        let mut call = Call::new(Method::PATCH, session.location.clone());
        call.trust = self.trust(&session.location.origin);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let last = (session.offset + bytes.len() as u64).saturating_sub(1);
        call.headers.extend(HeaderValue::from_str(&format!("{}-{last}", session.offset)).ok().map(|range| (header::CONTENT_RANGE, range)));
        // What cannot be renewed is refused, and then told.
        session.authorization = self.rights(target, &session.location).await.ok().flatten();
        call.headers.extend(session.authorization.clone().map(|authorization| (header::AUTHORIZATION, authorization)));
        call.payload = Payload::Bytes(bytes);
        self.client.send(call).await
    }
}

/// The next chunk, full but for the last one; whether it is that. `left` is what did not fit.
async fn gather(pieces: &mut mpsc::Receiver<Piece>, left: &mut Option<Bytes>, chunk: usize) -> Result<(Bytes, bool), String> {
    let mut gathered = BytesMut::with_capacity(chunk);
    loop {
        let mut piece = match left.take() {
            Some(piece) => piece,
            None => match pieces.recv().await {
                Some(Piece::Data(piece)) => piece,
                Some(Piece::End) => return Ok((gathered.freeze(), true)),
                Some(Piece::Failed(why)) => return Err(why),
                None => return Err("what was to be sent ended early".into()),
            },
        };
        let taken = piece.split_to(piece.len().min(chunk - gathered.len()));
        gathered.extend_from_slice(&taken);
        if !piece.is_empty() {
            *left = Some(piece);
            return Ok((gathered.freeze(), false));
        }
    }
}
