//! A small cloud: CloudFormation's states with time between them, EKS, tags, roles; it checks every signature, and throttles, fails, loses
//! answers and is cut off where it is told to.

mod answers;
mod identity;
mod sets;
mod stacks;
mod template;

pub use identity::{ACCESS_KEY, REGION, SECRET};
pub use stacks::{Detection, Stacks};

use base::{Clock, Timestamp};
use infra::aws::{Answer, Lost, Pace, Request, Transport};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Time that only passes when somebody waits.
pub struct Time(AtomicI64, Option<Instant>);

impl Time {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000_000), None))
    }

    /// The machine's own, for those who ask over the network.
    #[allow(dead_code, reason = "the command's tests use it")]
    pub fn real() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(base::SystemClock.now().micros()), Some(Instant::now())))
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        let real = self.1.map(|began| i64::try_from(began.elapsed().as_micros()).expect("a short test"));
        Timestamp::from_micros(self.0.load(Ordering::Relaxed) + real.unwrap_or(0))
    }
}

#[async_trait::async_trait]
impl Pace for Time {
    async fn sleep(&self, time: Duration) {
        if self.1.is_some() {
            return tokio::time::sleep(time).await;
        }
        self.0.fetch_add(i64::try_from(time.as_micros()).expect("short"), Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Throttle,
    Server,
    /// The request does not get there.
    LostBefore,
    /// It is carried out, and the answer does not come back.
    LostAfter,
    Expired,
    Garbled,
    /// The run ends before the request is carried out.
    KillBefore,
    /// And after.
    KillAfter,
}

#[derive(Default)]
pub struct State {
    pub stacks: Stacks,
    /// Each call: its action and what it was answered with.
    pub calls: Vec<(String, u16)>,
    /// At these calls, counted from 0, each once.
    pub faults: Vec<(usize, Fault)>,
    /// By how much the cloud's clock is ahead.
    pub ahead: i64,
    /// All that was ever sent or answered, for what must not be in it.
    pub tokens: Vec<String>,
}

pub struct Fake {
    pub time: Arc<Time>,
    pub state: Mutex<State>,
    pub killed: Notify,
}

impl Fake {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { time: Time::new(), state: Mutex::default(), killed: Notify::new() })
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().expect("no panic while held"))
    }

    #[allow(dead_code, reason = "the command's tests use it")]
    /// In the machine's own time, each moment of an operation so many microseconds long.
    pub fn real(step: i64) -> Arc<Self> {
        let mut state = State::default();
        state.stacks.step = step;
        Arc::new(Self { time: Time::real(), state: Mutex::new(state), killed: Notify::new() })
    }

    /// How often an action was carried out.
    pub fn count(&self, action: &str) -> usize {
        self.with(|state| state.calls.iter().filter(|(name, status)| name == action && *status == 200).count())
    }

    fn answer(&self, request: &Request) -> Answer {
        let now = self.time.now().micros();
        self.with(|state| {
            let their = now + state.ahead;
            state.stacks.advance(their);
            let (action, mut answer) = answers::answer(state, request, their);
            answer.date = Some(Timestamp::from_micros(their));
            state.calls.push((action, answer.status));
            answer
        })
    }
}

#[async_trait::async_trait]
impl Transport for Fake {
    async fn send(&self, request: Request) -> Result<Answer, Lost> {
        // Every request takes a little.
        self.time.sleep(Duration::from_millis(20)).await;
        let fault = self.with(|state| {
            let number = state.calls.len();
            let at = state.faults.iter().position(|(at, _)| *at == number)?;
            Some(state.faults.remove(at).1)
        });
        let lost = || Lost { why: "the connection broke".to_owned() };
        let refused = |code: &str, status: u16| {
            self.with(|state| state.calls.push((format!("fault {code}"), status)));
            Answer { status, ..answers::refusal(code, "a fault of the test", status) }
        };
        match fault {
            None => Ok(self.answer(&request)),
            Some(Fault::Throttle) => Ok(refused("Throttling", 400)),
            Some(Fault::Server) => Ok(refused("InternalFailure", 500)),
            Some(Fault::Expired) => Ok(refused("ExpiredToken", 403)),
            Some(Fault::Garbled) => {
                self.with(|state| state.calls.push(("fault garbled".to_owned(), 200)));
                Ok(Answer { status: 200, body: b"<html><p>proxy".to_vec(), ..Answer::default() })
            }
            Some(Fault::LostBefore) => {
                self.with(|state| state.calls.push(("fault lost".to_owned(), 0)));
                Err(lost())
            }
            Some(Fault::LostAfter) => {
                self.answer(&request);
                Err(lost())
            }
            Some(fault) => {
                if fault == Fault::KillAfter {
                    self.answer(&request);
                } else {
                    self.with(|state| state.calls.push(("fault kill".to_owned(), 0)));
                }
                self.killed.notify_one();
                std::future::pending().await
            }
        }
    }
}
