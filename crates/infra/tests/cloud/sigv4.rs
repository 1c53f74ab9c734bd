//! Signature Version 4 from its specification ("AWS API request signatures", IAM User Guide), written a second time so that the fake does not
//! believe the same code that signs.

use ring::{digest, hmac};

/// What a signature is made of.
pub struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Decoded pairs, without `X-Amz-Signature`.
    pub query: Vec<(String, String)>,
    /// Names in lower case; only those that are signed.
    pub headers: Vec<(String, String)>,
    pub body: &'a [u8],
    pub time: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    pub secret: &'a str,
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

pub fn signature(signed: &Signed<'_>) -> String {
    let mut query: Vec<(String, String)> = signed.query.iter().map(|(name, value)| (escaped(name), escaped(value))).collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers = signed.headers.clone();
    headers.sort();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let body = hex(digest::digest(&digest::SHA256, signed.body).as_ref());
    let canonical = format!("{}\n{}\n{}\n{lines}\n{}\n{body}", signed.method, signed.path, query.join("&"), names.join(";"));
    let day = signed.time.get(..8).unwrap_or_default();
    let scope = format!("{day}/{}/{}/aws4_request", signed.region, signed.service);
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hashed}", signed.time);
    let mac = |key: &[u8], data: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes()).as_ref().to_vec();
    let key = mac(format!("AWS4{}", signed.secret).as_bytes(), day);
    let key = [signed.region, signed.service, "aws4_request"].iter().fold(key, |key, part| mac(&key, part));
    hex(&mac(&key, &text))
}
