//! Bodies: whole, in parts, or as they come.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// What is answered.
#[derive(Debug)]
pub enum Body {
    /// All of it, in parts that are not copied together.
    Parts(VecDeque<Bytes>),
    /// Each part is sent as it comes; the end of the channel is the end of the body.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body {
    /// Nothing.
    pub fn empty() -> Self {
        Self::Parts(VecDeque::new())
    }

    /// A body that is sent as it is written to the other end; `ahead` parts may wait.
    pub fn stream(ahead: usize) -> (mpsc::Sender<Bytes>, Self) {
        let (sender, receiver) = mpsc::channel(ahead);
        (sender, Self::Stream(receiver))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Parts(VecDeque::from([bytes]))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Parts(parts) => Poll::Ready(parts.pop_front().map(|part| Ok(Frame::data(part)))),
            Self::Stream(parts) => parts.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Parts(parts) if parts.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Parts(parts) => SizeHint::with_exact(parts.iter().map(|part| part.len() as u64).sum()),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// It did not come in time.
    #[error("the body did not come in time")]
    TooSlow,
    /// The connection broke.
    #[error("the connection broke while the body was read")]
    Broken,
}

/// Reads a body whole, within a size and a time.
///
/// # Errors
/// As [`BodyError`] says.
pub async fn read_body<B>(mut body: B, limit_bytes: usize, time: Duration) -> Result<Bytes, BodyError>
where
    B: HttpBody + Unpin,
    B::Data: Buf,
{
    if usize::try_from(body.size_hint().lower()).is_ok_and(|length| length > limit_bytes) {
        return Err(BodyError::TooLarge(limit_bytes));
    }
    let read = async {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if whole.len().saturating_add(data.remaining()) > limit_bytes {
                return Err(BodyError::TooLarge(limit_bytes));
            }
            whole.extend_from_slice(data.chunk());
        }
        Ok(whole.freeze())
    };
    tokio::time::timeout(time, read).await.unwrap_or(Err(BodyError::TooSlow))
}

/// What is left of a body is read for so long before a refusal is sent.
const AWAY_TIME: Duration = Duration::from_secs(2);
const AWAY_BYTES: usize = 8 << 20;

/// Reads what is left of a refused request's body, within a size and a time, so that the client reads the refusal and not a reset.
/// Who asked first whether to send it (`Expect: 100-continue`) has not sent it.
pub async fn read_away<B>(head: &http::request::Parts, body: Option<B>)
where
    B: HttpBody + Unpin,
    B::Data: Buf,
{
    let Some(mut body) = body.filter(|_| !head.headers.contains_key(http::header::EXPECT)) else { return };
    let read = async {
        let mut left = AWAY_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Buf::remaining);
            if length > left {
                return;
            }
            left -= length;
        }
    };
    let _ = tokio::time::timeout(AWAY_TIME, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_body_is_read_away_unless_it_was_not_sent() {
        for (expects, left) in [(false, 0), (true, 4)] {
            let mut request = http::Request::builder();
            if expects {
                request = request.header("expect", "100-continue");
            }
            let (head, ()) = request.body(()).expect("a request").into_parts();
            let (sender, body) = Body::stream(4);
            for _ in 0..4 {
                sender.send(Bytes::from_static(b"abc")).await.expect("taken");
            }
            let Body::Stream(mut parts) = body else { panic!("a stream") };
            let read = read_away(&head, Some(StreamOf(&mut parts)));
            drop(sender);
            read.await;
            assert_eq!(parts.len(), left, "{expects}");
        }
    }

    struct StreamOf<'a>(&'a mut mpsc::Receiver<Bytes>);

    impl HttpBody for StreamOf<'_> {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
        }
    }

    #[tokio::test]
    async fn bodies_are_read_within_limits() {
        let read = |body: Body, limit| read_body(body, limit, Duration::from_millis(50));
        assert_eq!(read("hello".into(), 5).await, Ok(Bytes::from_static(b"hello")));
        assert_eq!(read("hello".into(), 4).await, Err(BodyError::TooLarge(4)));
        let (sender, streamed) = Body::stream(4);
        for _ in 0..2 {
            sender.send(Bytes::from_static(b"abc")).await.expect("taken");
        }
        assert_eq!(read(streamed, 5).await, Err(BodyError::TooLarge(5)));
        let (_sender, silent) = Body::stream(1);
        assert_eq!(read(silent, 5).await, Err(BodyError::TooSlow));
    }
}
