//! Bodies on their way: into a file before anything is done with them, within a limit, unpacked where they come packed.

use super::reply::Refusal;
use base::files::FileError;
use flate2::write::GzDecoder;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// The next part of a body comes within this.
const PART: Duration = Duration::from_secs(60);
const FOLDER: &str = "spool";

/// Removes what a server that died has left.
pub(super) fn sweep(folder: &Path) -> Result<(), FileError> {
    let folder = folder.join(FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::new("remove", folder, error)),
        _ => base::files::make_folder(&folder, 0o700),
    }
}

/// The whole body in a file that has no name any more.
pub(super) async fn spool(folder: &Path, headers: &HeaderMap, mut body: Incoming, limit: u64) -> Result<File, Refusal> {
    let mut out = Out::new(folder, headers, limit)?;
    loop {
        let frame = tokio::time::timeout(PART, body.frame()).await;
        let frame = frame.map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"))?;
        let Some(frame) = frame else { return out.finish() };
        let frame = frame.map_err(|_| Refusal::bad("the connection broke while the body was read"))?;
        if let Ok(data) = frame.into_data() {
            // Written into the page cache: no wait that others would notice.
            out.write(&data)?;
        }
    }
}

enum Out {
    Plain(Limited),
    Packed(Box<GzDecoder<Limited>>),
}

struct Limited {
    file: File,
    left: u64,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Out {
    fn new(folder: &Path, headers: &HeaderMap, limit: u64) -> Result<Self, Refusal> {
        let path = folder.join(FOLDER).join(base::ids::suffix(16));
        let opened = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = opened.and_then(|file| std::fs::remove_file(&path).map(|()| file)).map_err(|error| failed(&error))?;
        let limited = Limited { file, left: limit };
        match headers.get(header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(Self::Plain(limited)),
            Some(b"gzip" | b"x-gzip") => Ok(Self::Packed(Box::new(GzDecoder::new(limited)))),
            Some(_) => Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected a body as it is, or packed by gzip")),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let written = match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Packed(out) => out.write_all(bytes),
        };
        written.map_err(|error| failed(&error))
    }

    fn finish(self) -> Result<File, Refusal> {
        let limited = match self {
            Self::Plain(out) => out,
            Self::Packed(out) => out.finish().map_err(|error| failed(&error))?,
        };
        let mut file = limited.file;
        file.rewind().map_err(|error| failed(&error))?;
        Ok(file)
    }
}

fn failed(error: &std::io::Error) -> Refusal {
    match error.kind() {
        std::io::ErrorKind::FileTooLarge => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "it is larger than this server takes"),
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
            Refusal::bad("the body is not packed as it says")
        }
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the body cannot be kept: {error}")),
    }
}
