//! The queue on virtual time: runners that die, fall silent, come back and lie, from a seed.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

const SILENCE: Duration = Duration::from_secs(30);

fn lane(number: u8) -> Lane {
    Lane { repository: "r".into(), project: ProjectFolder::default(), branch: format!("b{number}"), environment: "local".into() }
}

fn asks(number: u64, instance: &str) -> Observation {
    Observation::Asks(Asker { number, instance: instance.into(), token: format!("t{number}") })
}

fn pushed(id: u64, branch: u8) -> Observation {
    Observation::Pushed { id: RunId(id), lane: lane(branch), attempts: 0 }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(seconds))
}

fn given(actions: &[Action]) -> Vec<(u64, u64)> {
    actions.iter().filter_map(|action| if let Action::Give { asker, id, .. } = action { Some((*asker, id.0)) } else { None }).collect()
}

struct Play(Queue);

impl Play {
    fn new() -> Self {
        Self(Queue::new(Patience::default()))
    }

    fn see(&mut self, observation: Observation, seconds: u64) -> Vec<Action> {
        let (queue, actions) = step(std::mem::take(&mut self.0), observation, at(seconds));
        self.0 = queue;
        actions
    }
}

#[test]
fn one_at_a_time_on_a_branch_and_in_order() {
    let mut play = Play::new();
    for (id, branch) in [(1, 1), (2, 1), (3, 2)] {
        assert!(play.see(pushed(id, branch), 0).is_empty());
    }
    assert_eq!(given(&play.see(asks(1, "a"), 0)), [(1, 1)]);
    assert_eq!(given(&play.see(asks(2, "b"), 0)), [(2, 3)], "the second of a branch waits for the first");
    assert!(play.see(asks(3, "c"), 0).is_empty());
    assert_eq!(given(&play.see(Observation::Ended { id: RunId(1), token: "t1".into() }, 1)), [(3, 2)]);
}

#[test]
fn a_silent_runner_loses_its_run_once_to_another_and_then_for_good() {
    let mut play = Play::new();
    play.see(pushed(1, 1), 0);
    play.see(asks(1, "a"), 0);
    play.see(Observation::Heard { id: RunId(1), token: "t1".into() }, 5);
    assert!(play.see(Observation::Tick, 34).is_empty());
    assert_eq!(play.see(Observation::Tick, 35), [Action::Again { id: RunId(1), token: "t1".into() }]);
    assert_eq!(given(&play.see(asks(2, "b"), 36)), [(2, 1)]);
    assert_eq!(play.see(Observation::Heard { id: RunId(1), token: "t1".into() }, 37), [Action::Refuse(RunId(1))]);
    assert_eq!(play.see(Observation::Ended { id: RunId(1), token: "t1".into() }, 37), [Action::Refuse(RunId(1))]);
    assert_eq!(play.see(Observation::Tick, 66), [Action::Lose(RunId(1))]);
    assert_eq!(play.see(Observation::Ended { id: RunId(1), token: "t2".into() }, 67), [Action::Refuse(RunId(1))]);
}

#[test]
fn an_answer_that_got_lost_is_given_again_and_a_runner_that_forgot_gives_up() {
    let mut play = Play::new();
    play.see(pushed(1, 1), 0);
    play.see(asks(1, "a"), 0);
    let again = play.see(asks(2, "a"), 1);
    let attempt = Attempt { number: 1, token: "t1".into(), instance: "a".into() };
    assert_eq!(again, [Action::GiveAgain { asker: 2, id: RunId(1), attempt }]);
    play.see(Observation::Heard { id: RunId(1), token: "t1".into() }, 2);
    let forgot = play.see(asks(3, "a"), 3);
    assert_eq!(forgot.first(), Some(&Action::Again { id: RunId(1), token: "t1".into() }));
    assert_eq!(given(&forgot), [(3, 1)]);
}

#[test]
fn cancelling_ends_what_waits_at_once_and_tells_who_does_the_rest() {
    let mut play = Play::new();
    play.see(pushed(1, 1), 0);
    play.see(pushed(2, 1), 0);
    play.see(asks(1, "a"), 0);
    assert_eq!(play.see(Observation::Cancelled(RunId(2)), 1), [Action::Cancel(RunId(2))]);
    assert!(play.see(Observation::Cancelled(RunId(1)), 1).is_empty());
    assert_eq!(play.see(Observation::Heard { id: RunId(1), token: "t1".into() }, 2), [Action::Stop(RunId(1))]);
    assert_eq!(play.see(Observation::Tick, 40), [Action::Cancel(RunId(1))], "a runner that dies then is not replaced");
}

#[test]
fn two_hundred_pushes_of_ten_branches_go_one_after_the_other_a_branch() {
    let mut play = Play::new();
    for id in 1..=200 {
        play.see(pushed(id, u8::try_from(id % 10).expect("small")), 0);
    }
    let (mut order, mut question) = (Vec::new(), 0);
    let mut doing: VecDeque<(u64, u64)> = VecDeque::new();
    while order.len() < 200 {
        question += 1;
        let mut news = given(&play.see(asks(question, &format!("i{question}")), 0));
        if news.is_empty() {
            let (asker, id) = doing.pop_front().expect("somebody does something");
            news = given(&play.see(Observation::Ended { id: RunId(id), token: format!("t{asker}") }, 0));
        }
        for (asker, id) in news {
            assert!(doing.iter().all(|(_, other)| other % 10 != id % 10), "{id} beside another of its branch");
            order.push(id);
            doing.push_back((asker, id));
        }
    }
    for branch in 0..10 {
        let own: Vec<u64> = order.iter().copied().filter(|id| id % 10 == branch).collect();
        assert!(own.is_sorted() && own.len() == 20, "{own:?}");
    }
}

#[derive(Clone, Debug)]
enum Move {
    Push(u8),
    Ask(u8),
    Speak(u8),
    End(u8),
    Return(u8),
    Lie(u8),
    Cancel(u8),
    Wait(u8),
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => (0..4u8).prop_map(Move::Push),
        4 => (0..5u8).prop_map(Move::Ask),
        3 => (0..5u8).prop_map(Move::Speak),
        3 => (0..5u8).prop_map(Move::End),
        1 => (0..5u8).prop_map(Move::Return),
        1 => any::<u8>().prop_map(Move::Lie),
        1 => any::<u8>().prop_map(Move::Cancel),
        2 => (1..40u8).prop_map(Move::Wait),
        1 => Just(Move::Restart),
    ];
    proptest::collection::vec(one, 1..120)
}

/// What the world knows, to hold the queue against.
#[derive(Default)]
struct World {
    lanes: HashMap<u64, Lane>,
    over: BTreeSet<u64>,
    gave: HashMap<u64, u32>,
    holds: HashMap<String, (u64, Attempt)>,
    began: Vec<u64>,
}

impl World {
    fn end(&mut self, id: u64) {
        assert!(self.over.insert(id), "{id} ended twice");
    }

    fn take(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Give { id, attempt, .. } => {
                    let count = self.gave.entry(id.0).or_default();
                    *count += 1;
                    assert_eq!(attempt.number, *count);
                    assert!(*count <= 2, "given three times");
                    self.began.push(id.0);
                    self.holds.insert(attempt.instance.clone(), (id.0, attempt.clone()));
                }
                Action::Lose(id) | Action::Cancel(id) => self.end(id.0),
                Action::Return { id, .. } => *self.gave.entry(id.0).or_default() -= 1,
                Action::GiveAgain { .. } | Action::Refuse(_) | Action::Stop(_) | Action::Again { .. } => {}
            }
        }
    }
}

/// The queue, what the world knows, and the time.
#[derive(Default)]
struct Game {
    queue: Queue,
    world: World,
    now: u64,
    question: u64,
    last: u64,
}

impl Game {
    fn see(&mut self, observation: Observation) -> Vec<Action> {
        let (queue, actions) = step(std::mem::take(&mut self.queue), observation, at(self.now));
        self.queue = queue;
        self.world.take(&actions);
        let lanes: Vec<&Lane> = self.queue.doing.values().map(|doing| &doing.lane).collect();
        let different: BTreeSet<&Lane> = lanes.iter().copied().collect();
        assert_eq!(lanes.len(), different.len(), "two runs on a lane");
        actions
    }

    fn ask(&mut self, instance: &str) -> Vec<Action> {
        self.question += 1;
        self.see(asks(self.question, instance))
    }

    fn make(&mut self, next: Move) {
        match next {
            Move::Push(branch) => {
                self.last += 1;
                self.world.lanes.insert(self.last, lane(branch));
                self.see(pushed(self.last, branch));
            }
            Move::Ask(who) => {
                self.ask(&format!("i{who}"));
            }
            Move::Speak(who) => self.speak(who, |id, token| Observation::Heard { id, token }),
            Move::End(who) => self.speak(who, |id, token| Observation::Ended { id, token }),
            Move::Return(who) => self.speak(who, |id, token| Observation::Returned { id, token }),
            Move::Lie(number) => {
                let id = RunId(u64::from(number));
                let actions = self.see(Observation::Ended { id, token: "guess".into() });
                assert!(actions.contains(&Action::Refuse(id)));
            }
            Move::Cancel(number) => {
                self.see(Observation::Cancelled(RunId(u64::from(number))));
            }
            Move::Wait(seconds) => {
                self.now += u64::from(seconds);
                self.see(Observation::Tick);
            }
            Move::Restart => self.restart(),
        }
    }

    fn speak(&mut self, who: u8, what: fn(RunId, String) -> Observation) {
        let Some((number, attempt)) = self.world.holds.get(&format!("i{who}")).cloned() else { return };
        let id = RunId(number);
        let valid = self.queue.attempt(id) == Some(&attempt);
        let observation = what(id, attempt.token);
        let ends = matches!(observation, Observation::Ended { .. });
        let actions = self.see(observation);
        assert_eq!(actions.contains(&Action::Refuse(id)), !valid);
        if ends && valid {
            self.world.end(number);
        }
    }

    fn restart(&mut self) {
        let before = std::mem::replace(&mut self.queue, Queue::new(Patience::default()));
        for (id, Doing { lane, attempt, heard, .. }) in before.doing {
            self.see(Observation::Resumed { id, lane, attempt, heard });
        }
        for (id, Waiting { lane, attempts }) in before.waiting {
            self.see(Observation::Pushed { id, lane, attempts });
        }
    }

    /// One good runner is enough for all that is left.
    fn finish(&mut self) {
        for _ in 0..=2 * self.last {
            self.now += SILENCE.as_secs();
            self.see(Observation::Tick);
            for action in self.ask("good") {
                if let Action::Give { asker, id, attempt } = action
                    && asker == self.question
                {
                    self.see(Observation::Ended { id, token: attempt.token });
                    self.world.end(id.0);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_every_run_ends_once_and_no_lane_has_two(moves in moves()) {
        let mut game = Game { queue: Queue::new(Patience::default()), ..Game::default() };
        moves.into_iter().for_each(|next| game.make(next));
        game.finish();
        prop_assert_eq!(game.queue.runs().count(), 0);
        prop_assert_eq!(game.world.over.len() as u64, game.last, "none lost");
        for branch in 0..4 {
            let first: Vec<u64> = game.world.began.iter().copied().filter(|id| game.world.lanes[id] == lane(branch)).collect();
            prop_assert!(first.is_sorted(), "out of order: {:?}", first);
        }
    }
}
