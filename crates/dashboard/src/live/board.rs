//! The stage view, kept up to date.

use super::Follower;
use super::told::{Message, Told};
use crate::pages::Inner;
use crate::source::{Change, RunFilter, SourceError};
use crate::text;
use crate::view::{View, board};
use ci::{Run, RunId, RunState};
use std::collections::HashMap;

/// Follows the newest runs that a filter takes.
pub(crate) struct BoardFollower {
    filter: RunFilter,
    told: Told,
    states: Option<HashMap<RunId, RunState>>,
}

impl BoardFollower {
    pub(crate) fn new(filter: RunFilter) -> Self {
        Self { filter, told: Told::default(), states: None }
    }

    /// Runs that are new, or went from one state to another; nothing the first time.
    fn news(&mut self, runs: &[Run]) -> String {
        let now: HashMap<RunId, RunState> = runs.iter().map(|run| (run.id, run.state)).collect();
        let before = self.states.replace(now);
        let Some(before) = before else { return String::new() };
        let is_news = |run: &&Run| before.get(&run.id) != Some(&run.state);
        let said = runs.iter().filter(is_news).take(3);
        said.map(|run| format!("Run {} of {}: {}.", run.id, text::line(&run.branch, 40), run.state.name())).collect::<Vec<_>>().join(" ")
    }
}

impl Follower for BoardFollower {
    fn wants(&self, change: &Change) -> bool {
        matches!(change, Change::Run(_) | Change::Behind)
    }

    async fn update(&mut self, inner: &Inner, view: &View<'_>) -> Result<Vec<Message>, SourceError> {
        let runs = inner.source.runs(&self.filter, None, board::PER_PAGE).await?;
        let regions = self.told.changed(board::regions(view, &runs));
        let order = runs.iter().map(|run| format!("run-{}", run.id)).collect();
        let say = self.news(&runs);
        Ok(vec![Message { regions, order: Some(order), say, ..Message::default() }])
    }

    fn has_more(&self) -> bool {
        false
    }

    fn is_over(&self) -> bool {
        false
    }
}
