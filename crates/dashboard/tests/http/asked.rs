//! Pages without a network: requests are handed in, answers read.

use crate::world::World;
use base::{Clock, Timestamp};
use bytes::Bytes;
use dashboard::{Options, Pages};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use net::{Body, Peer};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A clock that is moved by hand.
#[derive(Default)]
pub struct Hand(AtomicI64);

impl Hand {
    pub fn forward(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).expect("a short time"), Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

pub struct Asked {
    pub world: Arc<World>,
    pub pages: Pages,
    pub clock: Arc<Hand>,
    pub cookie: Option<String>,
}

/// An answer, read whole.
pub struct Answer {
    pub status: StatusCode,
    pub head: http::response::Parts,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }
}

impl Asked {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let (world, clock) = (World::rich(), Arc::new(Hand(AtomicI64::new(base::SystemClock.now().micros()))));
        let options = Options { hosts: vec!["ci.example.com".into()], clock: clock.clone(), ..options };
        Self { pages: Pages::new(world.clone(), options), world, clock, cookie: None }
    }

    /// The same with somebody logged in.
    pub async fn logged_in(token: &str) -> Self {
        let mut asked = Self::new();
        let answer = asked.log_in(token).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        asked.cookie = Some(answer.header("set-cookie").split(';').next().expect("a cookie").to_owned());
        asked
    }

    pub async fn log_in(&self, token: &str) -> Answer {
        self.post("/login", &format!("token={token}")).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, &[("origin", "http://ci.example.com")], form).await
    }

    /// What makes a form theirs.
    pub async fn form_token(&self) -> String {
        let text = self.get("/").await.text;
        let (_, rest) = text.split_once("name=\"token\" value=\"").expect("a form");
        rest.split('"').next().expect("its token").to_owned()
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let (head, body) = self.open(method, path, headers, form).await.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer { status: head.status, text: String::from_utf8(bytes.to_vec()).expect("UTF-8"), head }
    }

    /// The same, not read yet.
    pub async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], form: &str) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header(header::HOST, "ci.example.com");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let peer = Peer { address: "192.0.2.1:999".parse().expect("an address"), certificate: None };
        self.pages.handle(request.body(Full::new(Bytes::from(form.to_owned()))).expect("a request"), &peer).await
    }
}
