//! What is to be sent when: pure, on whatever time it is given.
//!
//! Each address is a lane of its own with one telling at a time. What fails holds its lane back, longer with each failure, so that a
//! server that is down is asked rarely and one that is up again is told everything at once. What is said no to waits alone. Lanes take
//! turns, so that none waits for what another has to try again.

use crate::{Notice, Refusal};
use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The first wait of a lane, and of a notice that was said no to.
const FIRST: Duration = Duration::from_secs(1);
const FIRST_AFTER_NO: Duration = Duration::from_secs(60);
/// The longest wait of a lane, and of a notice that was said no to.
const LONGEST: Duration = Duration::from_secs(60);
const LONGEST_AFTER_NO: Duration = Duration::from_secs(3_600);
/// After this long nobody is told any more (RFC 5321 section 4.5.4.1 asks mail for 4 to 5 days).
const PATIENCE: Duration = Duration::from_secs(5 * 86_400);
/// Tellings at once, and of one receiver: a server that does not answer leaves room for the others.
const MOST_AT_ONCE: usize = 8;
const MOST_OF_ONE: usize = 2;

/// How a telling stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It waits.
    Waiting,
    /// The other side has it.
    Taken,
    /// It was tried for five days.
    GivenUp,
}

/// A telling: one notice for one address of one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// The receiver's name.
    pub receiver: String,
    /// Who of it; empty where it is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// How it stands.
    pub fate: Fate,
    /// How often it failed.
    #[serde(default)]
    pub failures: u32,
    /// Why, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it came to its end, or is tried next.
    pub at: Timestamp,
}

impl Telling {
    /// One that waits.
    pub fn new(receiver: impl Into<String>, address: impl Into<String>, at: Timestamp) -> Self {
        Self { receiver: receiver.into(), address: address.into(), fate: Fate::Waiting, failures: 0, why: None, at }
    }
}

/// A notice and everybody who is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What is told.
    pub notice: Notice,
    /// Since when it is here.
    pub since: Timestamp,
    /// Who is told.
    pub tellings: Vec<Telling>,
}

impl Entry {
    /// When the last telling came to its end, or is tried next.
    pub fn ended(&self) -> Timestamp {
        self.tellings.iter().map(|telling| telling.at).max().unwrap_or(self.since)
    }

    /// Whether nobody waits any more.
    pub fn has_ended(&self) -> bool {
        self.tellings.iter().all(|telling| telling.fate != Fate::Waiting)
    }
}

/// A telling of an entry, by the entry's id and its place there.
pub type Which = (String, usize);

/// Something seen.
#[derive(Clone, Debug)]
pub enum Observation {
    /// An entry lies there, with its id.
    Found(String, Box<Entry>),
    /// The other side took it.
    Taken(Which),
    /// It did not.
    Refused(Which, Refusal),
    /// What came of something could not be written down: until that is done nothing is sent. One that was to be sent was not, if any.
    Unwritten(Option<Which>),
    /// It is written down.
    Written,
    /// The process ends: nothing more is sent.
    Leave,
    /// Time has gone by.
    Tick,
}

/// Something to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write the entry as it is now; before anything else is done.
    Keep(String, Box<Entry>),
    /// Nobody waits for the entry any more.
    Close(String, Box<Entry>),
    /// Tell it.
    Send(Which, Box<Entry>),
}

/// By receiver and address.
type LaneName = (String, String);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lane {
    failures: u32,
    not_before: Timestamp,
    busy: bool,
    /// When its turn was.
    last: Timestamp,
}

/// Everything that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    entries: BTreeMap<String, Entry>,
    lanes: BTreeMap<LaneName, Lane>,
    sending: BTreeSet<Which>,
    /// Something is not written down.
    held: bool,
    leaving: bool,
    seed: u64,
}

impl Queue {
    /// Empty; the seed scatters the waits.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Whether an entry is here.
    pub fn knows(&self, id: &str) -> bool {
        self.entries.contains_key(id)
    }

    /// Whether nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.sending.is_empty()
    }

    /// When there is something to do next, if nothing is seen until then.
    pub fn next(&self) -> Option<Timestamp> {
        self.ready().map(|(_, telling, lane)| telling.at.max(lane.map_or(telling.at, |lane| lane.not_before))).min()
    }

    /// What may be sent as soon as its time has come.
    fn ready(&self) -> impl Iterator<Item = ((&String, usize), &Telling, Option<&Lane>)> {
        let lanes: BTreeMap<_, _> = self.lanes.iter().map(|((to, who), lane)| ((&**to, &**who), lane)).collect();
        let busy = self.busy();
        let full = self.held || self.leaving || self.sending.len() >= MOST_AT_ONCE;
        let entries = self.entries.iter().filter(move |_| !full);
        let tellings =
            entries.flat_map(|(id, entry)| entry.tellings.iter().enumerate().map(move |(index, telling)| ((id, index), telling)));
        tellings.filter(|(_, telling)| telling.fate == Fate::Waiting).filter_map(move |(which, telling)| {
            let lane = lanes.get(&(telling.receiver.as_str(), telling.address.as_str())).copied();
            let free = busy.get(telling.receiver.as_str()).is_none_or(|busy| *busy < MOST_OF_ONE);
            (free && lane.is_none_or(|lane| !lane.busy)).then_some((which, telling, lane))
        })
    }

    /// How many tellings of each receiver are on their way.
    fn busy(&self) -> BTreeMap<&str, usize> {
        let mut busy = BTreeMap::new();
        for ((receiver, _), _) in self.lanes.iter().filter(|(_, lane)| lane.busy) {
            *busy.entry(receiver.as_str()).or_default() += 1;
        }
        busy
    }
}

fn name(telling: &Telling) -> LaneName {
    (telling.receiver.clone(), telling.address.clone())
}

/// Goes on.
pub fn step(mut queue: Queue, observation: Observation, now: Timestamp) -> (Queue, Vec<Action>) {
    let mut actions = Vec::new();
    match observation {
        Observation::Found(id, entry) => found(&mut queue, id, *entry, &mut actions),
        Observation::Taken(which) => ended(&mut queue, &which, None, now, &mut actions),
        Observation::Refused(which, why) => ended(&mut queue, &which, Some(why), now, &mut actions),
        Observation::Unwritten(which) => {
            queue.held = true;
            which.iter().for_each(|which| unsent(&mut queue, which));
        }
        Observation::Written => queue.held = false,
        Observation::Leave => queue.leaving = true,
        Observation::Tick => {}
    }
    send(&mut queue, now, &mut actions);
    (queue, actions)
}

fn found(queue: &mut Queue, id: String, entry: Entry, actions: &mut Vec<Action>) {
    if queue.knows(&id) {
        return;
    }
    if entry.has_ended() {
        actions.push(Action::Close(id, Box::new(entry)));
    } else {
        queue.entries.insert(id, entry);
    }
}

fn unsent(queue: &mut Queue, which: &Which) {
    queue.sending.remove(which);
    let telling = queue.entries.get(&which.0).and_then(|entry| entry.tellings.get(which.1));
    if let Some(lane) = telling.and_then(|telling| queue.lanes.get_mut(&name(telling))) {
        lane.busy = false;
    }
}

fn ended(queue: &mut Queue, which: &Which, refusal: Option<Refusal>, now: Timestamp, actions: &mut Vec<Action>) {
    if !queue.sending.remove(which) {
        return;
    }
    let seed = queue.seed;
    let Some(entry) = queue.entries.get_mut(&which.0) else { return };
    let since = entry.since;
    let Some(telling) = entry.tellings.get_mut(which.1) else { return };
    let lane = queue.lanes.entry(name(telling)).or_default();
    let answered = refusal.as_ref().is_none_or(|refusal| refusal.lasting);
    lane.busy = false;
    lane.failures = if answered { 0 } else { lane.failures.saturating_add(1) };
    lane.not_before = if answered { Timestamp::default() } else { now.plus(wait(FIRST, LONGEST, lane.failures, seed)) };
    match refusal {
        None => (telling.fate, telling.at, telling.why) = (Fate::Taken, now, None),
        Some(refusal) => refused(telling, refusal, since, now, seed),
    }
    let entry = entry.clone();
    if entry.has_ended() {
        queue.entries.remove(&which.0);
        actions.push(Action::Close(which.0.clone(), Box::new(entry)));
    } else {
        actions.push(Action::Keep(which.0.clone(), Box::new(entry)));
    }
}

fn refused(telling: &mut Telling, refusal: Refusal, since: Timestamp, now: Timestamp, seed: u64) {
    telling.failures = telling.failures.saturating_add(1);
    telling.at = now;
    if now.since(since) >= PATIENCE {
        telling.fate = Fate::GivenUp;
    } else if refusal.lasting {
        telling.at = now.plus(wait(FIRST_AFTER_NO, LONGEST_AFTER_NO, telling.failures, seed));
    }
    telling.why = Some(refusal.why);
}

/// Starts what may start: the lanes whose turn was longest ago first, and in each the oldest that is due.
fn send(queue: &mut Queue, now: Timestamp, actions: &mut Vec<Action>) {
    let due = queue.ready().filter(|(_, telling, lane)| telling.at <= now && lane.is_none_or(|lane| lane.not_before <= now));
    let mut due: Vec<(Timestamp, Timestamp, Which)> = due
        .filter_map(|((id, index), _, lane)| {
            let last = lane.map_or_else(Timestamp::default, |lane| lane.last);
            Some((last, queue.entries.get(id)?.since, (id.clone(), index)))
        })
        .collect();
    due.sort();
    for (_, _, which) in due {
        let Some(entry) = queue.entries.get(&which.0) else { continue };
        let Some(telling) = entry.tellings.get(which.1) else { continue };
        let name = name(telling);
        let busy = queue.busy().get(name.0.as_str()).copied().unwrap_or(0);
        if queue.sending.len() >= MOST_AT_ONCE || busy >= MOST_OF_ONE {
            continue;
        }
        let lane = queue.lanes.entry(name).or_default();
        if std::mem::replace(&mut lane.busy, true) {
            continue;
        }
        lane.last = now;
        actions.push(Action::Send(which.clone(), Box::new(entry.clone())));
        queue.sending.insert(which);
    }
}

/// Doubled with each failure, within a quarter to either side, so that not all come back at one moment.
fn wait(first: Duration, longest: Duration, failures: u32, seed: u64) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(longest);
    // SplitMix64, one step: the same seed replays the same waits.
    let mut mixed = seed.wrapping_add(u64::from(failures).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let part = u32::try_from((mixed ^ (mixed >> 31)) % 501).unwrap_or(0);
    doubled.saturating_mul(750 + part) / 1_000
}

#[cfg(test)]
mod tests;
