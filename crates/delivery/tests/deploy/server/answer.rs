//! Words of HTTP.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use k8s::ApiError;
use std::convert::Infallible;

/// What every answer has.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

pub fn percent(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut made = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
            made.push(u8::from_str_radix(&String::from_utf8_lossy(&hex), 16).unwrap_or(b'?'));
        } else {
            made.push(byte);
        }
    }
    String::from_utf8_lossy(&made).into_owned()
}

pub fn text(code: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(BodyExt::boxed_unsync(Full::new(Bytes::from(text))));
    *response.status_mut() = code;
    response
}

pub fn status(error: &ApiError) -> Response<Body> {
    text(StatusCode::from_u16(error.code).expect("a code"), error.to_status().to_string())
}
