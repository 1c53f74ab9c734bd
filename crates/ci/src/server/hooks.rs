//! Web hooks: taken once each, and on the disk before the sender hears that it was.

use super::Server;
use super::observe::hook_purpose;
use super::reply::{Answered, Refusal, json};
use crate::hook;
use crate::runs::{Pending, Refs};
use http::StatusCode;
use hyper::body::Incoming;
use serde_json::json;
use std::time::Duration;

/// For the whole body.
const BODY_TIME: Duration = Duration::from_secs(10);

impl Server {
    pub(super) async fn hook(&self, head: &http::request::Parts, body: &mut Option<Incoming>, name: &str) -> Answered {
        let known = self.core.repositories.known(name).ok().and_then(|known| known.hook);
        // Nobody learns by this which repositories there are.
        let refuse = || Refusal::new(StatusCode::FORBIDDEN, hook::Refused::Wrong.to_string());
        let content = match body.as_ref().map(hyper::body::Body::size_hint) {
            Some(size) if size.lower() > hook::BODY_BYTES as u64 => Err(net::BodyError::TooLarge(hook::BODY_BYTES)),
            _ => match body.as_mut() {
                Some(body) => net::read_body(body, hook::BODY_BYTES, BODY_TIME).await,
                None => return Err(refuse()),
            },
        }?;
        let secret = known.ok_or_else(refuse)?;
        let secret = self.core.secrets.open(&hook_purpose(name), &secret).map_err(super::ServerError::from)?;
        let header = |name: &'static str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let delivery = hook::check(header, &content, &secret).map_err(|why| {
            let status =
                if why == hook::Refused::Wrong || why == hook::Refused::Unsigned { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
            Refusal::new(status, why.to_string())
        })?;
        let id = format!("{name}/{}/{}", delivery.provider, delivery.id);
        if self.core.runs.knows_delivery(&id) {
            return Ok(json(StatusCode::OK, &json!({"taken": false, "why": "this delivery was taken before"})));
        }
        let Some(branch) = delivery.branch else {
            return Ok(json(StatusCode::OK, &json!({"taken": false, "why": "it is about no branch"})));
        };
        self.core.runs.room(1)?;
        let pending = Pending { provider: delivery.provider.to_owned(), delivery: delivery.id, branches: [branch.clone()].into() };
        self.core.runs.begin(Vec::new(), Refs { delivery: Some(id), pending: Some((name.to_owned(), pending)), ..Refs::default() }).await?;
        self.core.fetch.notify_one();
        Ok(json(StatusCode::ACCEPTED, &json!({"taken": true, "branch": branch})))
    }
}
