//! Objects in memory, with resource versions and conflicts, and a watch.

use crate::cluster::{Change, Cluster, Token, TokenRequest};
use async_trait::async_trait;
use base::{Clock, SystemClock};
use k8s::kinds::POD;
use k8s::{ApiError, Fields, Kind, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Key = (&'static str, String, String);
type Watcher = Box<dyn Fn(Change) + Send>;

#[derive(Default)]
pub struct FakeCluster {
    objects: Mutex<BTreeMap<Key, Arc<Value>>>,
    version: Mutex<u64>,
    watcher: Mutex<Option<Watcher>>,
    pub tokens: Mutex<Vec<TokenRequest>>,
    pub writes: Mutex<Vec<&'static str>>,
}

impl FakeCluster {
    pub fn watch(&self, watcher: impl Fn(Change) + Send + 'static) {
        *self.watcher.lock().expect("whole") = Some(Box::new(watcher));
    }

    pub fn put(&self, kind: &'static Kind, mut object: Value) -> Arc<Value> {
        let mut version = self.version.lock().expect("whole");
        *version += 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        drop(version);
        let key = (kind.kind, object.namespace().to_owned(), object.name().to_owned());
        let object = Arc::new(object);
        self.objects.lock().expect("whole").insert(key, object.clone());
        self.tell(kind, &object, false);
        object
    }

    pub fn remove(&self, kind: &'static Kind, namespace: &str, name: &str) {
        let removed = self.objects.lock().expect("whole").remove(&(kind.kind, namespace.into(), name.into()));
        if let Some(object) = removed {
            self.tell(kind, &object, true);
        }
    }

    pub fn pod(&self, name: &str) -> Option<Arc<Value>> {
        self.get(POD, "n", name)
    }

    /// What a DELETE with grace does to a pod.
    pub fn delete_pod(&self, name: &str, grace: i64) {
        let mut object = (*self.pod(name).expect("there")).clone();
        object["metadata"]["deletionTimestamp"] = json!(SystemClock.now().rfc3339());
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        self.put(POD, object);
    }

    fn tell(&self, kind: &'static Kind, object: &Arc<Value>, gone: bool) {
        if let (Some(watcher), Some(change)) = (&*self.watcher.lock().expect("whole"), Change::of(kind, object, gone)) {
            watcher(change);
        }
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.objects.lock().expect("whole").get(&(kind.kind, namespace.into(), name.into())).cloned()
    }

    fn list(&self, kind: &'static Kind, namespace: &str) -> Vec<Arc<Value>> {
        let objects = self.objects.lock().expect("whole");
        let wanted = objects.iter().filter(|((of, within, _), _)| *of == kind.kind && (namespace.is_empty() || within == namespace));
        wanted.map(|(_, object)| object.clone()).collect()
    }

    async fn create(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError> {
        if self.get(kind, object.namespace(), object.name()).is_some() {
            return Err(ApiError::already_exists(kind, object.name()));
        }
        Ok(self.put(kind, object.clone()))
    }

    async fn update(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError> {
        let Some(old) = self.get(kind, object.namespace(), object.name()) else { return Err(ApiError::not_found(kind, object.name())) };
        let version = object.resource_version();
        if !version.is_empty() && version != old.resource_version() {
            return Err(ApiError::conflict(kind, object.name(), "changed"));
        }
        Ok(self.put(kind, object.clone()))
    }

    async fn update_status(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError> {
        self.writes.lock().expect("whole").push(kind.kind);
        self.update(kind, object).await
    }

    async fn delete_now(&self, kind: &'static Kind, namespace: &str, name: &str, uid: &str) -> Result<(), ApiError> {
        match self.get(kind, namespace, name) {
            Some(found) if found.uid() == uid => self.remove(kind, namespace, name),
            _ => return Err(ApiError::not_found(kind, name)),
        }
        Ok(())
    }

    async fn token(&self, request: &TokenRequest) -> Result<Token, ApiError> {
        let mut tokens = self.tokens.lock().expect("whole");
        tokens.push(request.clone());
        let life = Duration::from_secs(request.expiration_seconds.unsigned_abs());
        Ok(Token { token: format!("token-{}", tokens.len()), expires: SystemClock.now().plus(life) })
    }

    fn ca_certificate(&self) -> String {
        "CA".into()
    }
}
