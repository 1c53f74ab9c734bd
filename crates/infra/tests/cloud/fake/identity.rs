//! Who may call: one access key, whose signature is checked by other code than made it.

use super::super::sigv4::{Signed, signature};
use infra::aws::Request;

pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub const REGION: &str = "eu-central-1";

/// Checks a call's signature; the code and words of the refusal where it is wrong. Gives the service's signing name.
pub fn check(request: &Request, now_micros: i64) -> Result<String, (&'static str, String)> {
    let header = |name: &str| request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    let authorization = header("authorization").ok_or(("MissingAuthenticationToken", "no signature".to_owned()))?;
    let part = |name: &str| {
        let rest = authorization.split_once(name).map(|(_, rest)| rest).unwrap_or_default();
        rest.split([',', ' ']).next().unwrap_or_default().to_owned()
    };
    let (credential, names, given) = (part("Credential="), part("SignedHeaders="), part("Signature="));
    let scope: Vec<&str> = credential.split('/').collect();
    let [key, _, region, service, "aws4_request"] = scope.as_slice() else { return Err(("IncompleteSignature", credential)) };
    if *key != ACCESS_KEY || *region != REGION {
        return Err(("InvalidClientTokenId", format!("{key} {region}")));
    }
    let time = header("x-amz-date").ok_or(("IncompleteSignature", "no date".to_owned()))?;
    let host = request.url.origin.authority();
    let value = |name: &str| if name == "host" { Some(host.clone()) } else { header(name) };
    let headers: Option<Vec<_>> = names.split(';').map(|name| Some((name.to_owned(), value(name)?))).collect();
    let headers = headers.ok_or(("IncompleteSignature", names.clone()))?;
    assert!(names.split(';').any(|name| name == "host"), "the host is signed");
    let path = request.url.path.split('?').next().unwrap_or_default();
    let method = request.method.as_str();
    let signed = Signed { method, path, query: Vec::new(), headers, body: &request.body, time: &time, region, service, secret: SECRET };
    if signature(&signed) != given {
        return Err(("SignatureDoesNotMatch", "The request signature we calculated does not match".to_owned()));
    }
    let digits: String = time.chars().filter(char::is_ascii_digit).collect();
    let field = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let text = format!("{}-{}-{}T{}:{}:{}Z", field(0, 4), field(4, 6), field(6, 8), field(8, 10), field(10, 12), field(12, 14));
    let at = base::Timestamp::parse_rfc3339(&text).ok_or(("IncompleteSignature", time.clone()))?.micros();
    if (at - now_micros).abs() > 300_000_000 {
        return Err(("SignatureDoesNotMatch", format!("Signature expired: {time} is now earlier than the window")));
    }
    Ok((*service).to_owned())
}
