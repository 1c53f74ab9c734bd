//! Carries out what controllers ask for.

use super::Surroundings;
use crate::events;
use crate::objects::Deletion;
use controllers::Write;
use k8s::kinds::SECRET;
use k8s::{ApiError, Fields, Kind, ObjectRef, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The hands of one controller.
pub struct Carrier {
    manager: &'static str,
    around: Surroundings,
}

impl Carrier {
    /// `manager` is named in the fields that it writes.
    pub fn new(manager: &'static str, around: Surroundings) -> Self {
        Self { manager, around }
    }

    /// Carries writes out in order; creations that follow one another go together.
    ///
    /// # Errors
    /// The first refusal, after which nothing more is written.
    pub async fn carry_out(&self, writes: Vec<Write>) -> Result<(), ApiError> {
        let mut versions: BTreeMap<ObjectRef, String> = BTreeMap::new();
        let mut writes = writes.into_iter().peekable();
        while let Some(write) = writes.next() {
            if let Write::Create(kind, object) = write {
                let mut batch = vec![(kind, object)];
                while let Some(Write::Create(kind, object)) = writes.next_if(|next| matches!(next, Write::Create(..))) {
                    batch.push((kind, object));
                }
                self.create(batch).await?;
            } else {
                self.one(write, &mut versions).await?;
            }
        }
        Ok(())
    }

    async fn create(&self, batch: Vec<(&'static Kind, Value)>) -> Result<(), ApiError> {
        let made = batch.into_iter().map(|(kind, object)| self.around.objects.create(self.manager, kind, object));
        for result in futures::future::join_all(made).await {
            result?;
        }
        Ok(())
    }

    async fn one(&self, write: Write, versions: &mut BTreeMap<ObjectRef, String>) -> Result<(), ApiError> {
        let objects = &self.around.objects;
        match write {
            Write::Create(kind, object) => objects.create(self.manager, kind, object).await.map(|_| ()),
            Write::Update(kind, object) => {
                let written = objects.update(self.manager, kind, current(kind, object, versions)).await?;
                remember(kind, &written, versions);
                Ok(())
            }
            Write::UpdateStatus(kind, object) => {
                let written = objects.update_status(self.manager, kind, current(kind, object, versions)).await?;
                remember(kind, &written, versions);
                Ok(())
            }
            Write::Delete { object, uid, propagation, now } => {
                let deleted = objects.delete(&object, Deletion { uid: &uid, propagation, now }).await;
                // What is gone already is as it should be.
                deleted.or_else(|error| if error.code == 404 { Ok(()) } else { Err(error) })
            }
            Write::Bind { pod, uid, node } => objects.bind(&pod, &uid, &node).await,
            Write::Finalize(namespace) => objects.finalize(&namespace).await,
            Write::Event { regarding, uid, warning, reason, message } => {
                let told = events::Told { regarding: &regarding, uid: &uid, warning, reason, message: &message, component: self.manager };
                events::tell(&*objects.clone(), &told, self.around.clock.now()).await;
                Ok(())
            }
            Write::IssueToken { mut secret, account } => {
                let token = objects.token(&account, &secret)?;
                secret.at_mut("stringData")["token"] = token.into();
                objects.update(self.manager, SECRET, secret).await.map(drop)
            }
            Write::MakeFolder(path) => blocking(path, |path| base::files::make_folder(path, 0o755)).await,
            Write::RemoveFolder(path) => blocking(path, remove).await,
        }
    }
}

fn current(kind: &'static Kind, mut object: Value, versions: &BTreeMap<ObjectRef, String>) -> Value {
    if let Some(version) = versions.get(&ObjectRef::of(kind, &object)) {
        object.set("metadata.resourceVersion", version.as_str());
    }
    object
}

fn remember(kind: &'static Kind, written: &Arc<Value>, versions: &mut BTreeMap<ObjectRef, String>) {
    versions.insert(ObjectRef::of(kind, written), written.resource_version().to_owned());
}

fn remove(path: &Path) -> Result<(), base::files::FileError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(base::files::FileError::new("remove", path, error)),
        _ => Ok(()),
    }
}

async fn blocking(path: PathBuf, work: impl FnOnce(&Path) -> Result<(), base::files::FileError> + Send + 'static) -> Result<(), ApiError> {
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    done.map_err(|error| ApiError::internal(error.to_string()))?.map_err(|error| ApiError::internal(error.to_string()))
}
