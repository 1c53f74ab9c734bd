//! The queue on virtual time: servers that fail, processes that are killed.

use super::*;
use crate::NoticeKind;
use proptest::prelude::*;

fn notice(key: usize, project: &str) -> Notice {
    Notice {
        key: format!("key/{key}"),
        kind: NoticeKind::Down,
        project: project.to_owned(),
        subject: "s".to_owned(),
        text: String::new(),
        findings: Vec::new(),
        url: None,
        at: Timestamp::default(),
    }
}

fn entry(key: usize, receivers: &[(&str, &str)], at: Timestamp) -> Entry {
    let tellings = receivers.iter().map(|(receiver, address)| Telling::new(*receiver, *address, at)).collect();
    Entry { notice: notice(key, "p"), since: at, tellings }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(seconds))
}

fn sends(actions: &[Action]) -> Vec<Which> {
    actions.iter().filter_map(|action| if let Action::Send(which, _) = action { Some(which.clone()) } else { None }).collect()
}

#[test]
fn a_receiver_is_told_one_thing_after_another_and_others_do_not_wait_for_it() {
    let queue = Queue::new(1);
    let (queue, first) = step(queue, Observation::Found("a".into(), entry(1, &[("ops", ""), ("chat", "")], at(0)).into()), at(0));
    assert_eq!(sends(&first), [("a".into(), 0), ("a".into(), 1)]);
    let (queue, second) = step(queue, Observation::Found("b".into(), entry(2, &[("ops", "")], at(1)).into()), at(1));
    assert!(second.is_empty(), "ops is busy");
    let (queue, kept) = step(queue, Observation::Taken(("a".into(), 0)), at(2));
    assert!(matches!(&kept[0], Action::Keep(id, entry) if id == "a" && entry.tellings[0].fate == Fate::Taken), "{kept:?}");
    assert_eq!(sends(&kept), [("b".into(), 0)]);
    let (queue, closed) = step(queue, Observation::Taken(("a".into(), 1)), at(3));
    assert!(matches!(closed.as_slice(), [Action::Close(id, _)] if id == "a"));
    let (queue, again) = step(queue, Observation::Taken(("a".into(), 1)), at(3));
    assert!(again.is_empty() && !queue.knows("a") && queue.knows("b"));
}

#[test]
fn a_server_that_is_down_is_asked_less_and_less_and_told_all_once_it_is_up() {
    let mut queue = Queue::new(7);
    let mut actions = Vec::new();
    for key in 0..20 {
        (queue, actions) = {
            let (queue, more) = step(queue, Observation::Found(format!("{key:02}"), entry(key, &[("ops", "")], at(0)).into()), at(0));
            (queue, [actions, more].concat())
        };
    }
    let (mut now, mut tries) = (at(0), Vec::new());
    while now < at(300) {
        for which in sends(&actions) {
            tries.push(now);
            (queue, _) = step(queue, Observation::Refused(which, Refusal::passing("down")), now);
        }
        now = queue.next().expect("it is tried again");
        (queue, actions) = step(queue, Observation::Tick, now);
    }
    assert!((8..=14).contains(&tries.len()), "{}", tries.len());
    let waits: Vec<u64> = tries.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert!(waits[0] <= 1 && waits.iter().all(|wait| *wait <= 75), "{waits:?}");
    let mut told = 0;
    while let [which] = sends(&actions)[..].to_vec().as_slice() {
        told += 1;
        (queue, actions) = step(queue, Observation::Taken(which.clone()), now);
    }
    assert_eq!((told, queue.next()), (20, None), "all at one moment");
}

#[test]
fn what_is_said_no_to_does_not_hold_up_the_rest_and_is_given_up_after_days() {
    let (queue, _) = step(Queue::new(3), Observation::Found("a".into(), entry(1, &[("ops", "x@a")], at(0)).into()), at(0));
    let (queue, _) = step(queue, Observation::Found("b".into(), entry(2, &[("ops", "x@a")], at(1)).into()), at(1));
    let (queue, actions) = step(queue, Observation::Refused(("a".into(), 0), Refusal::lasting("550 too large")), at(1));
    assert_eq!(sends(&actions), [("b".into(), 0)], "the next one to the same address, at once");
    let (mut queue, _) = step(queue, Observation::Taken(("b".into(), 0)), at(1));
    let mut tries = 0;
    loop {
        let now = queue.next().expect("it is tried");
        let (next, actions) = step(queue, Observation::Tick, now);
        assert_eq!(sends(&actions), [("a".into(), 0)]);
        let (next, actions) = step(next, Observation::Refused(("a".into(), 0), Refusal::lasting("550 no such user")), now);
        queue = next;
        tries += 1;
        if let [Action::Close(_, entry)] = actions.as_slice() {
            assert_eq!((entry.tellings[0].fate, entry.tellings[0].why.as_deref()), (Fate::GivenUp, Some("550 no such user")));
            assert!(now.since(at(0)) >= PATIENCE);
            break;
        }
    }
    assert!((100..300).contains(&tries), "about once an hour: {tries}");
}

/// A server that takes a second for each, for as long as it is told of something every half an hour; how long the slowest mail to
/// an address that is taken waited.
fn slowest(to: &[(&str, &str)], refused: &dyn Fn(&str) -> Option<Refusal>, notices: usize) -> Duration {
    let mut queue = Queue::new(11);
    let (mut now, mut put, mut slowest) = (at(0), 0, Duration::ZERO);
    let mut doing: Vec<(Timestamp, Which, String, Timestamp)> = Vec::new();
    loop {
        let next_put = (put < notices).then(|| at(1_800 * put as u64));
        let next_done = doing.iter().map(|one| one.0).min();
        let Some(next) = [next_put, next_done, queue.next()].into_iter().flatten().min() else { return slowest };
        if put == notices && doing.is_empty() && next > at(1_800 * put as u64 + 7_200) {
            return slowest;
        }
        now = now.max(next);
        let observation = if next_done == Some(next) {
            let index = doing.iter().position(|one| one.0 == next).expect("it is done");
            let (_, which, address, since) = doing.remove(index);
            match refused(&address) {
                Some(refusal) => Observation::Refused(which, refusal),
                None => {
                    slowest = slowest.max(now.since(since));
                    Observation::Taken(which)
                }
            }
        } else if next_put == Some(next) {
            put += 1;
            Observation::Found(put.to_string(), entry(put, to, now).into())
        } else {
            Observation::Tick
        };
        let (next, actions) = step(queue, observation, now);
        queue = next;
        for action in actions {
            let Action::Send(which, entry) = action else { continue };
            let address = entry.tellings[which.1].address.clone();
            doing.push((now.plus(Duration::from_secs(1)), which, address, entry.since));
        }
        assert!(doing.len() <= MOST_AT_ONCE);
    }
}

#[test]
fn an_address_that_refuses_starves_no_other_of_its_receiver() {
    // Four and a half days of a notice every half an hour.
    let gone = |address: &str| address.starts_with("gone").then(|| Refusal::lasting("550 no such user"));
    let two = [("ops", "gone@a"), ("ops", "ok@a")];
    assert!(slowest(&two, &gone, 216) <= Duration::from_secs(10), "{:?}", slowest(&two, &gone, 216));
    let many = [("ops", "gone1@a"), ("ops", "gone2@a"), ("ops", "gone3@a"), ("ops", "gone4@a"), ("ops", "ok@a"), ("chat", "")];
    assert!(slowest(&many, &gone, 60) <= Duration::from_secs(10), "{:?}", slowest(&many, &gone, 60));
    // One that says "later" each time is asked less and less, alone.
    let later = |address: &str| address.starts_with("gone").then(|| Refusal::passing("450 later"));
    assert!(slowest(&two, &later, 60) <= Duration::from_secs(10), "{:?}", slowest(&two, &later, 60));
}

#[test]
fn a_receiver_with_many_addresses_leaves_room_for_others() {
    let addresses: Vec<String> = (0..20).map(|number| format!("{number}@a")).collect();
    let to: Vec<(&str, &str)> = addresses.iter().map(|address| ("ops", address.as_str())).collect();
    let (queue, first) = step(Queue::new(1), Observation::Found("a".into(), entry(1, &to, at(0)).into()), at(0));
    assert_eq!(sends(&first).len(), MOST_OF_ONE);
    let (_, second) = step(queue, Observation::Found("b".into(), entry(2, &[("chat", "")], at(1)).into()), at(1));
    assert_eq!(sends(&second), [("b".into(), 0)]);
}

#[test]
fn nothing_is_sent_while_what_came_of_it_cannot_be_written_nor_when_the_process_ends() {
    let (queue, first) = step(Queue::new(1), Observation::Found("a".into(), entry(1, &[("ops", ""), ("chat", "")], at(0)).into()), at(0));
    assert_eq!(sends(&first).len(), 2);
    let (queue, _) = step(queue, Observation::Unwritten(Some(("a".into(), 0))), at(1));
    let (queue, held) = step(queue, Observation::Found("b".into(), entry(2, &[("hook", "")], at(1)).into()), at(1));
    assert!(held.is_empty() && queue.next().is_none());
    // What is on its way already is heard of.
    let (queue, taken) = step(queue, Observation::Taken(("a".into(), 1)), at(2));
    assert!(matches!(taken.as_slice(), [Action::Keep(..)]) && queue.is_idle(), "{taken:?}");
    let (queue, again) = step(queue, Observation::Written, at(3));
    assert_eq!(sends(&again), [("a".into(), 0), ("b".into(), 0)]);
    let (queue, leaves) = step(queue, Observation::Leave, at(4));
    let (queue, last) = step(queue, Observation::Refused(("a".into(), 0), Refusal::passing("down")), at(4));
    assert!(leaves.is_empty() && sends(&last).is_empty() && !queue.is_idle() && queue.next().is_none());
}

/// A world with a disk, servers that come and go, and kills.
#[derive(Clone, Debug)]
enum Event {
    Put(usize),
    Up(bool),
    Seconds(u64),
    Kill,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0usize..6).prop_map(Event::Put),
        2 => any::<bool>().prop_map(Event::Up),
        3 => (1u64..90).prop_map(Event::Seconds),
        1 => Just(Event::Kill),
    ]
}

const RECEIVERS: [(&str, &str); 3] = [("ops", "a@x"), ("ops", "b@x"), ("chat", "")];

/// What a process has in memory, and what outlives it.
struct World {
    disk: BTreeMap<String, Entry>,
    closed: BTreeSet<String>,
    told: BTreeMap<Which, usize>,
    queue: Queue,
    actions: std::collections::VecDeque<Action>,
    seed: u64,
    now: Timestamp,
    up: bool,
    kills: usize,
    /// How many tellings until a kill between the other side's word and our note of it.
    cut: usize,
}

impl World {
    fn new(seed: u64, cut: usize) -> Self {
        let (disk, closed, told) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { disk, closed, told, queue: Queue::new(seed), actions: Default::default(), seed, now: at(0), up: true, kills: 0, cut }
    }

    fn kill(&mut self) {
        self.kills += 1;
        self.queue = Queue::new(self.seed);
        self.actions.clear();
    }

    fn happen(&mut self, event: Event) {
        let mut until = self.now;
        match event {
            Event::Put(key) => {
                let id = key.to_string();
                if !self.closed.contains(&id) && !self.disk.contains_key(&id) {
                    self.disk.insert(id, entry(key, &RECEIVERS, self.now));
                }
            }
            Event::Up(is) => self.up = is,
            Event::Seconds(seconds) => until = self.now.plus(Duration::from_secs(seconds)),
            Event::Kill => self.kill(),
        }
        self.go_on(until);
    }

    fn go_on(&mut self, until: Timestamp) {
        loop {
            let found: Vec<(String, Entry)> = self.disk.iter().map(|(id, entry)| (id.clone(), entry.clone())).collect();
            for (id, entry) in found {
                self.see(Observation::Found(id, Box::new(entry)));
            }
            while let Some(action) = self.actions.pop_front() {
                self.act(action);
            }
            match self.queue.next().filter(|next| *next <= until) {
                Some(next) => {
                    self.now = self.now.max(next);
                    self.see(Observation::Tick);
                }
                None if self.disk.keys().all(|id| self.queue.knows(id)) => break,
                None => {}
            }
        }
        self.now = until;
    }

    fn see(&mut self, observation: Observation) {
        let (queue, more) = step(std::mem::take(&mut self.queue), observation, self.now);
        self.queue = queue;
        for action in more.into_iter().rev() {
            self.actions.push_front(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Keep(id, entry) => {
                self.disk.insert(id, *entry);
            }
            Action::Close(id, _) => {
                self.disk.remove(&id);
                self.closed.insert(id);
            }
            Action::Send(which, _) if !self.up => self.see(Observation::Refused(which, Refusal::passing("down"))),
            Action::Send(which, _) => {
                *self.told.entry(which.clone()).or_default() += 1;
                self.cut = self.cut.saturating_sub(1);
                if self.cut == 1 { self.kill() } else { self.see(Observation::Taken(which)) }
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_doubles_come_of_kills_alone(events in proptest::collection::vec(event(), 1..60), seed in any::<u64>(), cut in 0usize..20) {
        let mut world = World::new(seed, cut);
        for event in events.into_iter().chain([Event::Up(true), Event::Seconds(400), Event::Kill, Event::Seconds(400)]) {
            world.happen(event);
        }
        prop_assert!(world.disk.is_empty(), "{:?}", world.disk);
        for id in &world.closed {
            for index in 0..RECEIVERS.len() {
                prop_assert!(world.told.contains_key(&(id.clone(), index)), "{id} was lost for {index}");
            }
        }
        let doubles: usize = world.told.values().map(|times| times - 1).sum();
        prop_assert!(doubles <= world.kills, "{doubles} doubles, {} kills", world.kills);
    }
}
