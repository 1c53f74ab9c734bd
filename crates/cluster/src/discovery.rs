//! Kinds that are not in our own table, asked for once.

use crate::connect::Request;
use crate::{Cluster, Error, Resource, Result};
use k8s::{Fields, Value};

impl Cluster {
    /// The resource of a kind; only kinds outside our own table cost a request, and each API version only one.
    ///
    /// # Errors
    /// When the cluster serves no such kind or cannot be reached.
    pub async fn resource(&self, api_version: &str, kind: &str) -> Result<Resource> {
        if let Some(known) = k8s::kinds::find(api_version, kind) {
            return Ok(known.into());
        }
        let unknown = || Error::UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() };
        let remembered = self.discovered.lock().ok().and_then(|all| all.get(api_version).cloned());
        let resources = match remembered {
            Some(resources) => resources,
            None => self.discover(api_version).await.map_err(|error| if error.is_not_found() { unknown() } else { error })?,
        };
        resources.into_iter().find(|resource| resource.kind == kind).ok_or_else(unknown)
    }

    async fn discover(&self, api_version: &str) -> Result<Vec<Resource>> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let probe = Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: String::new(),
            plural: String::new(),
            namespaced: false,
        };
        let path = probe.path("", "");
        let answer = self.send(Request::get(path.trim_end_matches('/'))).await?;
        let resources: Vec<Resource> = answer.items("resources").iter().filter_map(|entry| read(&probe, entry)).collect();
        if let Ok(mut all) = self.discovered.lock() {
            all.insert(api_version.to_owned(), resources.clone());
        }
        Ok(resources)
    }
}

fn read(of: &Resource, entry: &Value) -> Option<Resource> {
    let plural = entry.text("name");
    let named =
        Resource { kind: entry.text("kind").to_owned(), plural: plural.to_owned(), namespaced: entry.flag("namespaced"), ..of.clone() };
    (!plural.contains('/')).then_some(named)
}
