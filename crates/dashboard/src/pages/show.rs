//! What people look at.

use super::Call;
use crate::fields::Fields;
use crate::live::{self, BoardFollower, RunFollower};
use crate::respond::{self, Refusal};
use crate::route::Route;
use crate::source::{LogPage, ReleaseKey, RunFilter};
use crate::view::{self, board, image, log, run};
use bytes::Bytes;
use ci::{RunId, RunState};
use http::{HeaderValue, Response, StatusCode, header};
use net::Body;

type Answered = Result<Response<Body>, Refusal>;

impl Call<'_> {
    pub(super) async fn show(&self, route: Route) -> Answered {
        match route {
            Route::Board => self.board().await,
            Route::BoardEvents => self.board_events(),
            Route::Run(id, stage) => self.run(id, stage.as_deref()).await,
            Route::RunEvents(id) => self.run_events(id),
            Route::Log(id, stage) => self.log(id, &stage).await,
            Route::LogText(id, stage) => self.log_text(id, stage).await,
            Route::Artefact(id, name) => self.artefact(id, &name).await,
            Route::Releases => self.releases().await,
            Route::Release(key) => self.release(&key).await,
            Route::Images => self.images().await,
            Route::Image(id) => self.image(&id).await,
            Route::Retry(_) | Route::Cancel(_) | Route::Logout | Route::Login | Route::Asset(_) => Err(Refusal::Method("POST")),
        }
    }

    fn query(&self) -> Fields {
        Fields::parse(self.head.uri.query().unwrap_or_default())
    }

    async fn board(&self) -> Answered {
        let (query, source) = (self.query(), &self.inner.source);
        let (filter, before) = (filter(&query), query.number("before").map(RunId));
        let mut runs = source.runs(&filter, before, board::PER_PAGE + 1).await?;
        let has_more = runs.len() > board::PER_PAGE;
        runs.truncate(board::PER_PAGE);
        let repositories = source.repositories().await?;
        let board = board::Board { runs: &runs, filter: &filter, repositories: &repositories, before, has_more };
        Ok(respond::html(StatusCode::OK, board::whole(&self.view(), &board)))
    }

    fn board_events(&self) -> Answered {
        live::stream(self.inner, self.session.clone(), self.held(), BoardFollower::new(filter(&self.query())))
    }

    fn held(&self) -> String {
        self.inner.held(self.head).unwrap_or_default().to_owned()
    }

    async fn run(&self, id: RunId, stage: Option<&str>) -> Answered {
        let (query, source) = (self.query(), &self.inner.source);
        let run = source.run(id).await?;
        let opened = view::opened(&run, stage);
        if let (Some(stage), None) = (stage, opened) {
            return Err(Refusal::Missing(format!("run {id} has no stage `{stage}`")));
        }
        let log = match opened {
            Some(opened) => {
                let part = query.number("line").map_or(log::Part::Newest, log::Part::From);
                part.fitting(source.log(id, &opened.name, part.first(opened.lines), log::IN_PAGE).await.or_else(none_yet)?)
            }
            None => LogPage::default(),
        };
        let shown = run::Shown { run: &run, asked: stage, log: &log, findings_page: index(&query, "findings") };
        Ok(respond::html(StatusCode::OK, run::whole(&self.view(), &shown)))
    }

    fn run_events(&self, id: RunId) -> Answered {
        let query = self.query();
        // After a broken connection the browser says what came last.
        let last = self.head.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let follower = RunFollower::new(id, query.get("stage"), index(&query, "findings"));
        let follower = follower.resuming(query.get("log"), query.number("from"), last);
        live::stream(self.inner, self.session.clone(), self.held(), follower)
    }

    async fn log(&self, id: RunId, stage: &str) -> Answered {
        let query = self.query();
        let limit = query.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(log::AT_ONCE).clamp(1, log::AT_ONCE);
        let page = self.inner.source.log(id, stage, query.number("from").unwrap_or(0), limit).await?;
        respond::json(&log::lines(stage, &page))
    }

    /// All of it, page by page, so that it is never in memory whole.
    async fn log_text(&self, id: RunId, stage: String) -> Answered {
        let source = self.inner.source.clone();
        let first = source.log(id, &stage, 0, log::AT_ONCE).await?;
        let name = format!("run-{id}-{stage}.txt");
        let (sender, body) = Body::stream(4);
        tokio::spawn(async move {
            let mut page = first;
            while !page.lines.is_empty() {
                let next = page.from.saturating_add(page.lines.len() as u64);
                let text = page.lines.join("\n") + "\n";
                if sender.send(Bytes::from(text)).await.is_err() {
                    return;
                }
                match source.log(id, &stage, next, log::AT_ONCE).await {
                    Ok(further) => page = further,
                    // Whoever saves it must not take a part for all of it.
                    Err(error) => {
                        let cut = format!("-- cut here after {next} of {} lines: {error} --\n", page.total);
                        let _ = sender.send(Bytes::from(cut)).await;
                        return;
                    }
                }
            }
        });
        let mut answer = respond::file(&name, "text/plain", Bytes::new());
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        *answer.body_mut() = body;
        Ok(answer)
    }

    async fn artefact(&self, id: RunId, name: &str) -> Answered {
        let download = self.inner.source.artefact(id, name).await?;
        Ok(respond::file(name, &download.media_type, download.bytes))
    }

    async fn releases(&self) -> Answered {
        let (query, mut releases) = (self.query(), self.inner.source.releases().await?);
        let asked = query.get("id");
        releases.retain(|release| asked.is_none_or(|id| release.key.id == id));
        Ok(respond::html(StatusCode::OK, view::releases::whole(&self.view(), &releases, asked)))
    }

    async fn release(&self, key: &ReleaseKey) -> Answered {
        let allowed = self.inner.source.release(key).await?;
        Ok(respond::html(StatusCode::OK, view::release::whole(&self.view(), &allowed)))
    }

    async fn images(&self) -> Answered {
        let images = self.inner.source.images().await?;
        Ok(respond::html(StatusCode::OK, view::images::whole(&self.view(), &images)))
    }

    async fn image(&self, id: &str) -> Answered {
        let query = self.query();
        let image = self.inner.source.image(id).await?;
        let layer = query.number("layer").and_then(|layer| usize::try_from(layer).ok());
        let asked = image::Asked {
            name: query.get("name").map(str::to_owned),
            layer,
            page: index(&query, "page"),
            known: index(&query, "known"),
            findings: index(&query, "findings"),
        };
        Ok(respond::html(StatusCode::OK, image::whole(&self.view(), &image, &asked)))
    }
}

/// A stage that has not begun has no log.
fn none_yet(error: crate::source::SourceError) -> Result<LogPage, crate::source::SourceError> {
    match error {
        crate::source::SourceError::Missing(_) => Ok(LogPage::default()),
        other => Err(other),
    }
}

fn index(query: &Fields, name: &str) -> usize {
    query.number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

fn filter(query: &Fields) -> RunFilter {
    let text = |name: &str| query.get(name).map(str::to_owned);
    const STATES: [RunState; 6] =
        [RunState::Queued, RunState::Running, RunState::Passed, RunState::Failed, RunState::Cancelled, RunState::Lost];
    let state = query.get("state").and_then(|name| STATES.into_iter().find(|state| state.name() == name));
    RunFilter { repository: text("repository"), branch: text("branch"), state }
}
