//! The API server as the engine's parts use it.

use crate::objects::{Change, Deletion, Objects};
use apiserver::{Api, DeleteOptions, Propagation, TokenWish};
use async_trait::async_trait;
use k8s::{ApiError, Fields, KINDS, Kind, ObjectRef, Value};
use std::sync::Arc;
use store::WatchEnd;

/// The in-process handle, as controllers and the node's rules see it.
pub struct ServedObjects(pub Api);

#[async_trait]
impl Objects for ServedObjects {
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.get(kind, namespace, name)
    }

    fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.0.list(kind, namespace)
    }

    async fn create(&self, manager: &str, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        self.0.named(manager).create(kind, object).await
    }

    async fn update(&self, manager: &str, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        self.0.named(manager).update(kind, object).await
    }

    async fn update_status(&self, manager: &str, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        self.0.named(manager).update_status(kind, object).await
    }

    async fn delete(&self, object: &ObjectRef, how: Deletion<'_>) -> Result<(), ApiError> {
        let options = DeleteOptions {
            grace_seconds: how.now.then_some(0),
            uid: Some(how.uid.to_owned()).filter(|uid| !uid.is_empty()),
            propagation: match how.propagation {
                "Foreground" => Propagation::Foreground,
                "Orphan" => Propagation::Orphan,
                _ => Propagation::Background,
            },
            ..DeleteOptions::default()
        };
        self.0.delete(object.kind, &object.namespace, &object.name, &options).await.map(drop)
    }

    async fn bind(&self, pod: &ObjectRef, uid: &str, node: &str) -> Result<(), ApiError> {
        self.0.bind(&pod.namespace, &pod.name, uid, node).await
    }

    fn token(&self, account: &str, secret: &Value) -> Result<String, ApiError> {
        let bound = Some(("Secret".to_owned(), secret.name().to_owned(), secret.uid().to_owned()));
        let wish = TokenWish { bound, ..TokenWish::default() };
        self.0.issue_token(secret.namespace(), account, &wish).map(|(token, _)| token)
    }

    async fn finalize(&self, namespace: &ObjectRef) -> Result<(), ApiError> {
        self.0.finalize(&namespace.name).await
    }
}

#[async_trait]
impl node::Cluster for ServedObjects {
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.get(kind, namespace, name)
    }

    fn list(&self, kind: &'static Kind, namespace: &str) -> Vec<Arc<Value>> {
        self.0.list(kind, Some(namespace).filter(|namespace| !namespace.is_empty()))
    }

    async fn create(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError> {
        self.0.create(kind, object.clone()).await
    }

    async fn update(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError> {
        self.0.update(kind, object.clone()).await
    }

    async fn update_status(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError> {
        self.0.update_status(kind, object.clone()).await
    }

    async fn delete_now(&self, kind: &'static Kind, namespace: &str, name: &str, uid: &str) -> Result<(), ApiError> {
        let options = DeleteOptions { grace_seconds: Some(0), uid: Some(uid.to_owned()), ..DeleteOptions::default() };
        self.0.delete(kind, namespace, name, &options).await.map(drop)
    }

    async fn token(&self, request: &node::TokenRequest) -> Result<node::Token, ApiError> {
        let wish = TokenWish {
            audiences: request.audiences.clone(),
            seconds: request.expiration_seconds,
            bound: Some(("Pod".to_owned(), request.pod_name.clone(), request.pod_uid.clone())),
        };
        let (token, expires) = self.0.issue_token(&request.namespace, &request.service_account, &wish)?;
        Ok(node::Token { token, expires })
    }

    fn ca_certificate(&self) -> String {
        self.0.ca_pem().to_owned()
    }
}

/// Tells every change, from now on; a reader that fell behind is told of every object that there is.
///
/// Returns when the store has stopped.
pub async fn follow(api: Api, mut tell: impl FnMut(Change)) {
    let mut since = api.revision();
    loop {
        let Ok(mut changes) = api.watch(None, since) else {
            since = api.revision();
            tell_all(&api, &mut tell);
            continue;
        };
        loop {
            match changes.next().await {
                Ok((change, kind, object)) => tell(Change { kind, object, gone: change == apiserver::Change::Deleted }),
                Err(WatchEnd::Stopped) => return,
                Err(_) => break,
            }
        }
        since = api.revision();
        tell_all(&api, &mut tell);
    }
}

fn tell_all(api: &Api, tell: &mut impl FnMut(Change)) {
    for kind in KINDS.iter().copied() {
        for object in api.list(kind, None) {
            tell(Change { kind, object, gone: false });
        }
    }
}
