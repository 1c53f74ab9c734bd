//! Signature Version 4, by the `aws-sigv4` crate: on headers for calls, in the query for what others are to send.

use super::credentials::Credentials;
use super::transport::Request;
use aws_credential_types::Credentials as Identity;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign as signature};
use aws_sigv4::sign::v4;
use base::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// For what a signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The region.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
    /// The time, by the service's clock.
    pub time: Timestamp,
}

/// Signs a call on its headers; `X-Amz-Date`, `Authorization` and, of temporary credentials, `X-Amz-Security-Token` are added.
///
/// # Errors
/// When the request cannot be signed: a header or address that is none.
pub fn sign(request: &mut Request, credentials: &Credentials, scope: &Scope<'_>) -> Result<(), String> {
    let url = request.url.to_string();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(request.method.as_str(), url.as_str(), headers, SignableBody::Bytes(&request.body));
    let signable = signable.map_err(|error| error.to_string())?;
    let identity = identity(credentials).into();
    let params = v4::SigningParams::builder().identity(&identity).region(scope.region).name(scope.service).time(system(scope.time));
    let params = params.settings(SigningSettings::default()).build().map_err(|error| error.to_string())?;
    let params = SigningParams::from(params);
    let signed = signature(signable, &params).map_err(|error| error.to_string())?;
    let added = signed.output().headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
    request.headers.extend(added);
    Ok(())
}

/// The address of a signed GET that somebody else can send within `lasts`. The headers must be sent along as they are.
///
/// # Errors
/// As [`sign`].
pub fn presign(request: &Request, credentials: &Credentials, scope: &Scope<'_>, lasts: Duration) -> Result<String, String> {
    let url = request.url.to_string();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(request.method.as_str(), url.as_str(), headers, SignableBody::Bytes(&request.body));
    let signable = signable.map_err(|error| error.to_string())?;
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(lasts);
    let identity = identity(credentials).into();
    let params = v4::SigningParams::builder().identity(&identity).region(scope.region).name(scope.service).time(system(scope.time));
    let params = params.settings(settings).build().map_err(|error| error.to_string())?;
    let params = SigningParams::from(params);
    let signed = signature(signable, &params).map_err(|error| error.to_string())?;
    let mut address = url;
    for (name, value) in signed.output().params() {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.push_str(&format!("{name}={}", encoded(value)));
    }
    Ok(address)
}

/// A text as it stands in a query or form: all but the unreserved characters of RFC 3986 section 2.3 escaped.
pub(crate) fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

fn identity(credentials: &Credentials) -> Identity {
    let session = credentials.session.as_ref().map(|session| session.reveal().to_owned());
    Identity::new(&credentials.access_key, credentials.secret.reveal(), session, None, "wharf")
}

fn system(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(time.micros()).unwrap_or(0))
}
