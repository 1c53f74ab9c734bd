//! Runners: they take runs, say what happens, and leave files.

use super::Server;
use super::api::number;
use super::reply::{Answered, Refusal, json};
use super::wire::{ATTEMPT, Asks, JOB_BYTES, Job, Says};
use crate::run::{Artefact, Cause};
use crate::runs::{Said, Taken};
use crate::tokens::Right;
use http::{Method, StatusCode, header};
use hyper::body::Incoming;
use serde::Deserialize;
use std::time::Duration;

/// How long a runner is let wait for a run.
const WAIT: Duration = Duration::from_secs(20);
/// What a runner says at once.
const SAID_BYTES: usize = 8 << 20;
const BODY_TIME: Duration = Duration::from_secs(60);
const HINT: &str = "`wharf ci secret ls` lists the secrets, `wharf ci secret set` and `rm` mend them; then retry the run";

impl Server {
    pub(super) async fn runner(&self, head: &http::request::Parts, body: &mut Option<Incoming>, rest: &[&str]) -> Answered {
        self.may(&head.headers, Right::Run)?;
        let attempt = head.headers.get(ATTEMPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut read = async |limit: usize| match body.as_mut() {
            Some(body) => net::read_body(body, limit, BODY_TIME).await.map_err(Refusal::from),
            None => Err(Refusal::bad("expected a body")),
        };
        match (rest, &head.method) {
            (["take"], &Method::POST) => self.take(&read(4096).await?).await,
            (["runs", id, "say"], &Method::POST) => {
                let says: Says = parsed(&read(SAID_BYTES).await?)?;
                Ok(json(StatusCode::OK, &self.core.runs.say(number(id)?, attempt, says.from, says.said).await?))
            }
            (["runs", id, "back"], &Method::POST) => {
                self.core.runs.give_back(number(id)?, attempt).await?;
                Ok(json(StatusCode::OK, &serde_json::json!({})))
            }
            (["runs", id, "artefacts", name], &Method::PUT) => {
                let limit = usize::try_from(self.core.options.runs.artefact_bytes).unwrap_or(usize::MAX);
                let content = read(limit).await?;
                let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let media_type = media_type.unwrap_or("application/octet-stream").chars().take(100).collect();
                let artefact = Artefact { name: (*name).to_owned(), media_type, bytes: content.len() as u64 };
                self.core.runs.keep(number(id)?, attempt, artefact, &content).await?;
                Ok(json(StatusCode::CREATED, &serde_json::json!({})))
            }
            _ => Err(Refusal::missing("there is nothing at this path for this method")),
        }
    }

    async fn take(&self, body: &[u8]) -> Answered {
        let asks: Asks = parsed(body)?;
        if asks.instance.len() < 16 || asks.runner.is_empty() || asks.runner.len() > 100 {
            return Err(Refusal::bad("expected `runner`, a name of up to 100 bytes, and `instance`, 16 or more random characters"));
        }
        let Some(taken) = self.core.runs.take(&asks.runner, &asks.instance, WAIT).await else {
            return Ok(json(StatusCode::NO_CONTENT, &()));
        };
        let (id, token) = (taken.run.id, taken.token.clone());
        match self.job(taken) {
            Ok(job) => Ok(json(StatusCode::OK, &job)),
            Err(why) => {
                // In the runner's stead, which will never learn of it: an error would only be asked again, for ever.
                let cause = Cause { kind: "host".to_owned(), message: why, hints: vec![HINT.to_owned()], exit_code: 5 };
                self.core.runs.say(id, &token, 0, vec![Said::Ended { code: Some(5), cause: Some(cause) }]).await?;
                Ok(json(StatusCode::NO_CONTENT, &()))
            }
        }
    }

    /// What a runner needs for a run, or why it cannot be had.
    fn job(&self, taken: Taken) -> Result<Job, String> {
        let secrets = self.core.secrets.of(&taken.run.repository, &taken.run.branch);
        let secrets = secrets.map_err(|error| format!("the secrets of the run cannot be had: {error}"))?;
        let repository = format!("/git/{}.git", taken.run.repository);
        let job = Job { taken, repository, secrets, log_bytes: self.core.options.runs.log_bytes };
        let bytes = serde_json::to_vec(&job).map_err(|error| error.to_string())?.len();
        if bytes > JOB_BYTES {
            return Err(format!("the run and its secrets are {bytes} bytes, and a runner takes {JOB_BYTES}"));
        }
        Ok(job)
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("the body is not as expected: {error}")))
}
