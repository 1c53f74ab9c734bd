//! A run's page, kept up to date: its stages, the stage that is open, and that one's log.

use super::Follower;
use super::told::{Message, Told};
use crate::pages::Inner;
use crate::source::{Change, LogPage, SourceError};
use crate::view::{View, log, opened, run};
use crate::{route, text};
use ci::{Run, RunId, StageState};
use std::collections::HashMap;

/// Lines that are sent at most before it is looked at what else changed.
const LINES: u64 = 4_000;

/// Follows one run.
pub(crate) struct RunFollower {
    id: RunId,
    /// The stage that was asked for; without, whichever matters most.
    asked: Option<String>,
    findings_page: usize,
    /// The stage whose log the page has, and its next line.
    log: Option<(String, u64)>,
    told: Told,
    states: Option<HashMap<String, StageState>>,
    has_more: bool,
    has_ended: bool,
}

impl RunFollower {
    pub(crate) fn new(id: RunId, asked: Option<&str>, findings_page: usize) -> Self {
        let asked = asked.map(str::to_owned);
        Self { id, asked, findings_page, log: None, told: Told::default(), states: None, has_more: false, has_ended: false }
    }

    /// Goes on where the page is: as it was sent, or as it was told last (`STAGE/LINE`).
    pub(crate) fn resuming(mut self, stage: Option<&str>, from: Option<u64>, last: Option<&str>) -> Self {
        let sent = stage.zip(from).map(|(stage, from)| (stage.to_owned(), from));
        let told = last.and_then(|last| last.rsplit_once('/')).and_then(|(stage, from)| {
            let stage = percent_encoding::percent_decode_str(stage).decode_utf8().ok()?;
            Some((stage.into_owned(), from.parse().ok()?))
        });
        self.log = told.or(sent);
        self
    }

    /// Stages that went from one state to another; nothing the first time.
    fn news(&mut self, run: &Run) -> String {
        let now: HashMap<String, StageState> = run.stages.iter().map(|stage| (stage.name.clone(), stage.state)).collect();
        let Some(before) = self.states.replace(now) else { return String::new() };
        let is_news = |stage: &&ci::StageRun| stage.state != StageState::Waiting && before.get(&stage.name) != Some(&stage.state);
        let stages =
            run.stages.iter().filter(is_news).take(4).map(|stage| format!("{}: {}.", text::line(&stage.name, 40), stage.state.name()));
        let end = run.state.has_ended().then(|| format!("Run {}: {}.", run.id, run.state.name()));
        stages.chain(end).collect::<Vec<_>>().join(" ")
    }

    /// Lines that the page has not, or another stage's log; what was read before it failed is among them.
    async fn lines(&mut self, inner: &Inner, run: &Run, messages: &mut Vec<Message>) -> Result<(), SourceError> {
        let Some(stage) = opened(run, self.asked.as_deref()) else { return Ok(()) };
        let next = match &self.log {
            Some((open, next)) if *open == stage.name => *next,
            _ => return self.open(inner, run, stage, messages).await,
        };
        // Who is far behind gets the newest lines; the script leaves a gap.
        let mut next = if stage.lines > next.saturating_add(LINES * 2) { stage.lines.saturating_sub(LINES) } else { next };
        for _ in 0..LINES / log::AT_ONCE as u64 {
            let page = read(inner, self.id, &stage.name, next, log::AT_ONCE).await?;
            if page.lines.is_empty() {
                return Ok(());
            }
            next = page.from.saturating_add(page.lines.len() as u64);
            let id = Some(format!("{}/{next}", route::encode(&stage.name)));
            messages.push(Message { log: Some(log::lines(&stage.name, &page)), id, ..Message::default() });
            self.log = Some((stage.name.clone(), next));
        }
        self.has_more = true;
        Ok(())
    }

    /// The log of a stage that was not open before, whole as in a page.
    async fn open(&mut self, inner: &Inner, run: &Run, stage: &ci::StageRun, messages: &mut Vec<Message>) -> Result<(), SourceError> {
        let part = log::Part::Newest;
        let page = part.fitting(read(inner, self.id, &stage.name, part.first(stage.lines), log::IN_PAGE).await?);
        let next = page.from.saturating_add(page.lines.len() as u64);
        self.log = Some((stage.name.clone(), next));
        let html = log::section(run, stage, &page).into_string();
        let id = Some(format!("{}/{next}", route::encode(&stage.name)));
        messages.push(Message { regions: vec![("log".to_owned(), html)], id, ..Message::default() });
        Ok(())
    }
}

/// A stage that has not begun has no log.
async fn read(inner: &Inner, id: RunId, stage: &str, from: u64, limit: usize) -> Result<LogPage, SourceError> {
    match inner.source.log(id, stage, from, limit).await {
        Err(SourceError::Missing(_)) => Ok(LogPage { from, ..LogPage::default() }),
        other => other,
    }
}

impl Follower for RunFollower {
    fn wants(&self, change: &Change) -> bool {
        match change {
            Change::Run(id) => *id == self.id,
            Change::Log { run, stage, .. } => *run == self.id && self.log.as_ref().is_none_or(|(open, _)| open == stage),
            Change::Behind => true,
        }
    }

    async fn update(&mut self, inner: &Inner, view: &View<'_>) -> Result<Vec<Message>, SourceError> {
        self.has_more = false;
        let run = inner.source.run(self.id).await?;
        let regions = self.told.changed(run::regions(view, &run, self.asked.as_deref(), self.findings_page));
        let say = self.news(&run);
        let mut messages = Vec::new();
        if !regions.is_empty() || !say.is_empty() {
            messages.push(Message { regions, say, ..Message::default() });
        }
        if let Err(error) = self.lines(inner, &run, &mut messages).await {
            // All else stays true without the log, which is read again with the next change.
            let say = format!("The log cannot be read now: {}.", text::line(&error.to_string(), 200));
            messages.push(Message { say, ..Message::default() });
        }
        self.has_ended = run.state.has_ended();
        Ok(messages)
    }

    fn has_more(&self) -> bool {
        self.has_more
    }

    fn is_over(&self) -> bool {
        self.has_ended
    }
}
