//! From a request to an answer; and what people and scripts ask for.

use super::Server;
use super::door::same_server;
use super::reply::{Answered, Refusal, json};
use crate::folder::ProjectFolder;
use crate::run::{RunId, RunState};
use crate::runs::Filter;
use crate::tokens::Right;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use net::Body;
use serde_json::json;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Runs of one list.
const RUNS: usize = 500;
/// How long until the same error is told again.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Lines of one page of a log.
const LINES: usize = 10_000;

impl Server {
    /// Whether a path is this server's; all others are for pages.
    pub fn takes(path: &str) -> bool {
        ["/git/", "/hooks/", "/api/"].iter().any(|prefix| path.starts_with(prefix))
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut body = Some(body);
        match self.route(&head, &mut body).await {
            Ok(answer) => answer,
            Err(refusal) => {
                if refusal.status.is_server_error() {
                    self.tell_operator(&refusal.why);
                }
                net::read_away(&head, body).await;
                refusal.answer()
            }
        }
    }

    /// What this machine could not do is for whoever keeps it, too; the same once a minute, for runners ask again.
    fn tell_operator(&self, why: &str) {
        let mut told = self.core.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref().is_none_or(|(last, at)| last != why || at.elapsed() >= TELL_AGAIN) {
            *told = Some((why.to_owned(), Instant::now()));
            (self.core.options.say)(&format!("a request was answered with an error: {why}"));
        }
    }

    async fn route(&self, head: &http::request::Parts, body: &mut Option<Incoming>) -> Answered {
        same_server(head, &self.core.options.hosts)?;
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        match (path.as_slice(), &head.method) {
            (["git", name, rest @ ..], _) => self.remote(head, body, name.strip_suffix(".git").unwrap_or(name), rest).await,
            (["hooks", name], &Method::POST) => self.hook(head, body, name).await,
            (["api", "runners", rest @ ..], _) => self.runner(head, body, rest).await,
            (["api", "repositories"], &Method::GET) => {
                self.may(&head.headers, Right::Look)?;
                Ok(json(StatusCode::OK, &json!({"repositories": self.core.repositories.names().map_err(super::ServerError::from)?})))
            }
            (["api", "runs"], &Method::GET) => self.list(head),
            (["api", "runs", id, rest @ ..], _) => self.one(head, number(id)?, rest).await,
            _ => Err(Refusal::missing("there is nothing at this path for this method")),
        }
    }

    fn list(&self, head: &http::request::Parts) -> Answered {
        self.may(&head.headers, Right::Look)?;
        let query = Query::of(head);
        let state = query.get("state");
        let states = [RunState::Queued, RunState::Running, RunState::Passed, RunState::Failed, RunState::Cancelled, RunState::Lost];
        let filter = Filter {
            repository: query.get("repository"),
            project: query
                .get("project")
                .map(|path| ProjectFolder::parse(&path))
                .transpose()
                .map_err(|error| Refusal::bad(error.to_string()))?,
            branch: query.get("branch"),
            environment: query.get("environment"),
            state: states.into_iter().find(|known| state.as_deref() == Some(known.name())),
        };
        if state.is_some() && filter.state.is_none() {
            return Err(Refusal::bad("expected a state: queued, running, passed, failed, cancelled or lost"));
        }
        let before = query.number("before").map(RunId);
        let limit = query.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50).min(RUNS);
        Ok(json(StatusCode::OK, &json!({"runs": self.core.runs.list(&filter, before, limit)})))
    }

    async fn one(&self, head: &http::request::Parts, id: RunId, rest: &[&str]) -> Answered {
        let runs = &self.core.runs;
        match (rest, &head.method) {
            ([], &Method::GET) => {
                self.may(&head.headers, Right::Look)?;
                let run = runs.get(id)?.ok_or_else(|| Refusal::missing(format!("there is no run {id}")))?;
                Ok(json(StatusCode::OK, &run))
            }
            (["log", stage], &Method::GET) => {
                self.may(&head.headers, Right::Look)?;
                let query = Query::of(head);
                let limit = query.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1_000).min(LINES);
                let (runs, stage, from) = (runs.clone(), decoded(stage), query.number("from").unwrap_or(0));
                let page = tokio::task::spawn_blocking(move || runs.log(id, &stage, from, limit)).await;
                Ok(json(StatusCode::OK, &page.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??))
            }
            (["artefacts", name], &Method::GET) => {
                self.may(&head.headers, Right::Look)?;
                let (artefact, path) =
                    runs.artefact(id, name).ok_or_else(|| Refusal::missing(format!("run {id} has no artefact of this name")))?;
                let limit = usize::try_from(self.core.options.runs.artefact_bytes).unwrap_or(usize::MAX);
                let content = base::files::read_up_to(&path, limit).map_err(super::ServerError::from)?;
                let mut answer = Response::new(Body::from(content));
                // Whatever it says of itself, no browser is to show it as a page of ours.
                let headers = answer.headers_mut();
                headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/octet-stream"));
                headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, http::HeaderValue::from_static("nosniff"));
                if let Ok(name) = format!("attachment; filename=\"{}\"", artefact.name).parse() {
                    headers.insert(http::header::CONTENT_DISPOSITION, name);
                }
                Ok(answer)
            }
            (["cancel"], &Method::POST) => {
                let who = self.may(&head.headers, Right::Operate)?;
                runs.cancel(id, &who.name).await?;
                Ok(json(StatusCode::ACCEPTED, &json!({"run": id})))
            }
            (["retry"], &Method::POST) => {
                let who = self.may(&head.headers, Right::Operate)?;
                let new = runs.retry(id, Query::of(head).get("from").as_deref(), &who.name).await?;
                Ok(json(StatusCode::CREATED, &json!({"run": new})))
            }
            _ => Err(Refusal::missing("there is nothing at this path for this method")),
        }
    }
}

pub(super) fn number(text: &str) -> Result<RunId, Refusal> {
    text.parse().map(RunId).map_err(|_| Refusal::bad("expected the number of a run"))
}

/// What stands behind the `?`.
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn of(head: &'a http::request::Parts) -> Self {
        Self(head.uri.query().unwrap_or_default())
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        let pair = self.0.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
        Some(decoded(&pair.1.replace('+', " ")))
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// Without percent signs; what is no UTF-8 becomes a sign that says so.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn percent_signs_are_read() {
        for (text, plain) in
            [("a%20b", "a b"), ("%", "%"), ("%2", "%2"), ("%zz", "%zz"), ("%ff", "\u{fffd}"), ("%C3%A9", "é"), ("%+1", "%+1")]
        {
            assert_eq!(decoded(text), plain, "{text}");
        }
    }
}
