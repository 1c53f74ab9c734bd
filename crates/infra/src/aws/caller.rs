//! One call: signed, sent, read, and tried again where that can help.

use super::credentials::Source;
use super::reading;
use super::retry::{Next, Retry};
use super::sign::{Scope, encoded, presign, sign};
use super::transport::{Answer, Request, Transport};
use super::xml::{self, Node};
use crate::failure::{Failure, FailureKind};
use async_trait::async_trait;
use base::{Clock, SystemClock, Timestamp};
use http::Method;
use net::client::Url;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The first label of its host, and its signing name.
    pub name: &'static str,
    /// The version of its query protocol; empty where it speaks JSON.
    pub version: &'static str,
}

/// Time that passes, or a test's.
#[async_trait]
pub trait Pace: Clock {
    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// The machine's own time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealPace;

impl Clock for RealPace {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

#[async_trait]
impl Pace for RealPace {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// What a caller tells while it works.
pub trait Heard: Send + Sync {
    /// A call failed and will be tried again after a time.
    fn again(&self, failure: &Failure, after: Duration);
}

impl Heard for () {
    fn again(&self, _: &Failure, _: Duration) {}
}

/// Makes calls in one region with one identity.
pub struct Caller {
    /// How requests get there.
    pub transport: Arc<dyn Transport>,
    /// Who we are.
    pub source: Arc<dyn Source>,
    /// Time.
    pub pace: Arc<dyn Pace>,
    /// Who is told of what is tried again.
    pub heard: Arc<dyn Heard>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Where all services are, for emulators; by default each has a host of its own.
    pub endpoint: Option<Url>,
    /// Of the waits between tries.
    pub seed: u64,
    /// By how much the services' clock is ahead of ours, in microseconds.
    pub ahead: AtomicI64,
    /// Calls so far.
    pub count: AtomicU32,
    /// For how long a call that fails is made again, where that is not to be the usual time.
    pub patience: Option<Duration>,
}

/// What is asked, before it is signed.
struct Wanted<'a> {
    call: &'a str,
    service: Service,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    identity: Identity,
}

/// Whether a call says who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    Signed,
    Anonymous,
}

/// Where a service is. Regions of China have a domain of their own (AWS General Reference, "AWS service endpoints").
///
/// # Errors
/// When the region is none.
pub fn endpoint(service: &str, region: &str) -> Result<Url, String> {
    if !is_region(region) {
        return Err(format!("`{region}` is no region"));
    }
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Url::parse(&format!("https://{service}.{region}.{domain}/")).map_err(|error| error.to_string())
}

/// Whether a text can be a region: it becomes part of a host's name.
pub(crate) fn is_region(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.len() <= 32 && text.split('-').count() >= 3 && text.split('-').all(part)
}

impl Caller {
    /// The time by the services' clock.
    pub fn their_now(&self) -> Timestamp {
        Timestamp::from_micros(self.pace.now().micros().saturating_add(self.ahead.load(Ordering::Relaxed)))
    }

    /// A call of the query protocol; answers with what stands in `<ACTIONResult>`.
    ///
    /// # Errors
    /// When it fails, and goes on failing where it can be tried again.
    pub async fn query(&self, service: Service, action: &str, parameters: &[(String, String)]) -> Result<Node, Failure> {
        self.asked(service, action, parameters, Identity::Signed).await
    }

    /// The same of a call that proves by something else who we are.
    ///
    /// # Errors
    /// As [`Caller::query`].
    pub async fn query_anonymous(&self, service: Service, action: &str, parameters: &[(String, String)]) -> Result<Node, Failure> {
        self.asked(service, action, parameters, Identity::Anonymous).await
    }

    async fn asked(&self, service: Service, action: &str, parameters: &[(String, String)], identity: Identity) -> Result<Node, Failure> {
        let mut form = format!("Action={action}&Version={}", service.version);
        for (name, value) in parameters {
            form.push_str(&format!("&{}={}", encoded(name), encoded(value)));
        }
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let wanted =
            Wanted { call: action, service, method: Method::POST, path: String::new(), headers, body: form.into_bytes(), identity };
        let result = format!("{action}Result");
        self.tried(&wanted, |answer| {
            let root = xml::parse(&answer.body)?;
            // Some actions answer with nothing but the request's id.
            Ok(root.child(&result).cloned().unwrap_or_default())
        })
        .await
    }

    /// A call in JSON: the action's name in `X-Amz-Target` (JSON 1.1), or, without one, a GET of a path.
    ///
    /// # Errors
    /// As [`Caller::query`].
    pub async fn json(&self, service: Service, call: &str, target: JsonTarget<'_>) -> Result<Value, Failure> {
        let (method, path, headers, body) = match target {
            JsonTarget::Get(path) => (Method::GET, path.to_owned(), Vec::new(), Vec::new()),
            JsonTarget::Action(name, body) => {
                let headers = vec![
                    ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
                    ("x-amz-target".to_owned(), name.to_owned()),
                ];
                (Method::POST, String::new(), headers, body.to_string().into_bytes())
            }
        };
        let wanted = Wanted { call, service, method, path, headers, body, identity: Identity::Signed };
        self.tried(&wanted, |answer| serde_json::from_slice(&answer.body).map_err(|error| error.to_string())).await
    }

    /// The address of a signed GET that somebody else sends, with these headers, within `lasts`.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn presigned(
        &self,
        service: Service,
        query: &str,
        headers: Vec<(String, String)>,
        lasts: Duration,
    ) -> Result<String, Failure> {
        let invalid = |why: String| Failure::new("presign", FailureKind::Invalid, why);
        let credentials = self.source.credentials(false).await?;
        let mut url = self.url(service).map_err(invalid)?;
        url.path.push_str(query);
        let request = Request { method: Method::GET, url, headers, body: Vec::new() };
        let scope = Scope { region: &self.region, service: service.name, time: self.their_now() };
        presign(&request, &credentials, &scope, lasts).map_err(invalid)
    }

    fn url(&self, service: Service) -> Result<Url, String> {
        match &self.endpoint {
            Some(url) => Ok(url.clone()),
            None => endpoint(service.name, &self.region),
        }
    }

    async fn tried<T>(&self, wanted: &Wanted<'_>, read: impl Fn(&Answer) -> Result<T, String>) -> Result<T, Failure> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut retry = Retry::new(self.seed.wrapping_add(u64::from(number)), self.pace.now());
        if let Some(patience) = self.patience {
            retry = retry.for_at_most(patience);
        }
        let mut renew = false;
        loop {
            let failure = match self.once(wanted, std::mem::take(&mut renew), &read).await {
                Ok(read) => return Ok(read),
                Err(failure) => failure,
            };
            match retry.next(&failure, self.pace.now()) {
                Next::Again(time) => {
                    self.heard.again(&failure, time);
                    self.pace.sleep(time).await;
                }
                Next::Adjust(ahead) => self.ahead.store(ahead, Ordering::Relaxed),
                Next::Renew => renew = true,
                Next::GiveUp => return Err(failure),
            }
        }
    }

    async fn once<T>(&self, wanted: &Wanted<'_>, renew: bool, read: impl Fn(&Answer) -> Result<T, String>) -> Result<T, Failure> {
        let invalid = |why: String| Failure::new(wanted.call, FailureKind::Invalid, why);
        let mut url = self.url(wanted.service).map_err(invalid)?;
        if !wanted.path.is_empty() {
            url.path = wanted.path.clone();
        }
        let mut request = Request { method: wanted.method.clone(), url, headers: wanted.headers.clone(), body: wanted.body.clone() };
        if wanted.identity == Identity::Signed {
            let credentials = self.source.credentials(renew).await?;
            let scope = Scope { region: &self.region, service: wanted.service.name, time: self.their_now() };
            sign(&mut request, &credentials, &scope).map_err(invalid)?;
        }
        let answer = self.transport.send(request).await.map_err(|lost| Failure::new(wanted.call, FailureKind::Lost, lost.why))?;
        if !(200..300).contains(&answer.status) {
            return Err(reading::failure(wanted.call, &answer));
        }
        read(&answer).map_err(|why| Failure::new(wanted.call, FailureKind::Unreadable, format!("the answer cannot be read: {why}")))
    }
}

/// How a call in JSON is named.
#[derive(Clone, Copy, Debug)]
pub enum JsonTarget<'a> {
    /// By its path, with GET.
    Get(&'a str),
    /// By `X-Amz-Target`, with what it asks.
    Action(&'a str, &'a Value),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_become_hosts_and_nothing_else_does() {
        assert_eq!(endpoint("eks", "eu-central-1").map(|url| url.to_string()), Ok("https://eks.eu-central-1.amazonaws.com/".to_owned()));
        assert_eq!(endpoint("sts", "cn-north-1").map(|url| url.to_string()), Ok("https://sts.cn-north-1.amazonaws.com.cn/".to_owned()));
        for wrong in ["", "eu", "a.b-c-1", "eu-central-1/", "x@y-z-1", "EU-CENTRAL-1"] {
            assert!(endpoint("sts", wrong).is_err(), "{wrong}");
        }
    }
}
