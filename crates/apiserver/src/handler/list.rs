//! Get and list: selectors, pages, versions.

use super::{Call, convert};
use crate::objects::Stored;
use crate::request::{Query, prefix};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use k8s::labels::{FieldSelector, Selector};
use k8s::selectable::check_fields;
use k8s::{ApiError, Fields, Kind, Value};
use serde_json::{Map, json};
use std::sync::Arc;
use store::{Entry, Revision};

/// What of a collection is wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The kind whose fields are meant, which may show objects that are stored as another.
    pub kind: Option<&'static Kind>,
    /// By labels.
    pub labels: Selector,
    /// By fields.
    pub fields: FieldSelector,
    /// Only this one; the path of a single object, watched.
    pub name: String,
}

impl Selection {
    /// Reads the query parameters.
    ///
    /// # Errors
    /// 400 for a selector that cannot be read, or names a field by which the kind's objects cannot be selected.
    pub fn read(kind: &'static Kind, query: &Query) -> Result<Self, ApiError> {
        let labels = Selector::parse(query.get("labelSelector")).map_err(ApiError::bad_request)?;
        let mut fields = FieldSelector::parse(query.get("fieldSelector")).map_err(ApiError::bad_request)?;
        check_fields(kind, &mut fields).map_err(ApiError::bad_request)?;
        Ok(Self { kind: Some(kind), labels, fields, name: String::new() })
    }

    /// Whether everything is wanted, so that no object needs to be looked into.
    pub fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.terms.is_empty() && self.name.is_empty()
    }

    /// Whether an object is wanted.
    pub fn matches(&self, object: &Value) -> bool {
        (self.name.is_empty() || object.name() == self.name) && self.labels.matches(object) && self.fields.matches(object)
    }
}

/// One page.
#[derive(Debug)]
pub struct Listed {
    /// What was found, not decoded.
    pub entries: Vec<Arc<Entry>>,
    /// `ListMeta`.
    pub metadata: Value,
}

/// Where a paged list goes on.
#[derive(Debug, PartialEq, Eq)]
struct Continue {
    /// None: whatever is there by now, because the state that the list began with is no longer known.
    revision: Option<Revision>,
    key: String,
}

impl Continue {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD
            .encode(json!({"v": "meta.k8s.io/v1", "rv": self.revision.map_or(json!(-1), Value::from), "start": self.key}).to_string())
    }

    fn decode(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()?;
        let revision = value.get("rv")?;
        let revision = if revision.as_i64() == Some(-1) { None } else { Some(revision.as_u64()?) };
        Some(Self { revision, key: value.get("start")?.as_str()?.to_owned() })
    }
}

impl Call<'_> {
    /// One object.
    ///
    /// # Errors
    /// 404.
    pub fn get(&self) -> Result<(Arc<Value>, Bytes), ApiError> {
        let target = &self.target;
        let entry = self.core.objects.store.get(&target.key()).ok_or_else(|| target.not_found())?;
        Ok((self.core.objects.decode(&entry), entry.value.clone()))
    }

    /// The object itself, whatever subresource the path names.
    ///
    /// # Errors
    /// 404.
    pub fn stored(&self) -> Result<Stored, ApiError> {
        let target = &self.target;
        self.core.objects.get(target.kind, &target.namespace, &target.name).ok_or_else(|| target.not_found())
    }

    /// A page of the collection.
    ///
    /// # Errors
    /// 400 for parameters that make no sense, 410 for a page of a state that is no longer known.
    pub fn list(&self, query: &Query, selection: &Selection) -> Result<Listed, ApiError> {
        let store = &self.core.objects.store;
        let limit =
            usize::try_from(query.number("limit")?.unwrap_or(0)).map_err(|_| ApiError::bad_request("limit must not be negative"))?;
        let (from, at) = self.start(query, store.revision())?;
        let below = prefix(self.target.kind, &self.target.namespace);
        if from.as_ref().is_some_and(|from| !from.starts_with(&below)) {
            return Err(ApiError::bad_request("continue key is not valid: it is of another list"));
        }
        let gone = |_| gone(from.clone());
        let from = from.as_deref().unwrap_or_default();
        let (entries, revision, rest) = if selection.is_all() {
            let page = store.list(&below, limit, from, at).map_err(gone)?;
            (page.entries, page.revision, page.rest.map(|(key, left)| (key, Some(left))))
        } else {
            let page = store.list(&below, 0, from, at).map_err(gone)?;
            let shown = selection.kind.unwrap_or(self.target.kind);
            let mut wanted =
                page.entries.into_iter().filter(|entry| selection.matches(&convert::out(shown, self.core.objects.decode(entry))));
            let found: Vec<_> = wanted.by_ref().take(if limit == 0 { usize::MAX } else { limit }).collect();
            (found, page.revision, wanted.next().map(|next| (next.key.clone(), None)))
        };
        let mut metadata = Map::from_iter([("resourceVersion".to_owned(), json!(revision.to_string()))]);
        if let Some((key, left)) = rest {
            metadata.insert("continue".to_owned(), json!(Continue { revision: Some(revision), key: key.to_string() }.encode()));
            // How many are left is only told where no selector hides some. Source: metav1.ListMeta.
            if let Some(left) = left {
                metadata.insert("remainingItemCount".to_owned(), json!(left));
            }
        }
        Ok(Listed { entries, metadata: Value::Object(metadata) })
    }

    fn start(&self, query: &Query, now: Revision) -> Result<(Option<String>, Option<Revision>), ApiError> {
        let wanted = query.get("resourceVersion");
        let how = query.get("resourceVersionMatch");
        if !query.get("continue").is_empty() {
            if !matches!(wanted, "" | "0") {
                return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
            }
            let token = Continue::decode(query.get("continue")).ok_or_else(|| ApiError::bad_request("continue key is not valid"))?;
            return Ok((Some(token.key), token.revision));
        }
        if !how.is_empty() && wanted.is_empty() && !query.flag("sendInitialEvents") {
            return Err(forbidden_option("resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        let revision = version(wanted)?;
        match how {
            "Exact" if revision == 0 => Err(forbidden_option("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")),
            "Exact" => Ok((None, Some(not_ahead(revision, now)?))),
            "" | "NotOlderThan" => not_ahead(revision, now).map(|_| (None, None)),
            other => Err(ApiError::bad_request(format!("resourceVersionMatch: Unsupported value: {other:?}"))),
        }
    }
}

/// 410 for a list of a state that is no longer known; from a key on it may go on with what is there by now.
/// Source: apiserver `pkg/storage/etcd3/errors.go`.
fn gone(from: Option<String>) -> ApiError {
    let Some(key) = from else { return ApiError::expired("The resourceVersion for the provided list is too old.") };
    let mut error = ApiError::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue \
         parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token \
         results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and \
         now may show up in the list.",
    );
    error.continue_with = Continue { revision: None, key }.encode();
    error
}

fn forbidden_option(why: &str) -> ApiError {
    ApiError::new(422, "Invalid", format!("ListOptions.meta.k8s.io is invalid: resourceVersionMatch: Forbidden: {why}"))
}

/// Reads a resource version; empty is 0.
///
/// # Errors
/// 400 for what is no number.
pub fn version(text: &str) -> Result<Revision, ApiError> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| ApiError::bad_request(format!("resourceVersion: Invalid value: {text:?}: must be a number")))
}

/// A version that has not come yet, and here never will while the client waits for it.
///
/// # Errors
/// 504, as the API server's watch cache gives it.
pub fn not_ahead(revision: Revision, now: Revision) -> Result<Revision, ApiError> {
    if revision <= now {
        return Ok(revision);
    }
    let mut error = ApiError::new(504, "Timeout", format!("Too large resource version: {revision}, current: {now}"));
    error.retry_after_seconds = Some(1);
    error.causes =
        vec![k8s::Cause { reason: "ResourceVersionTooLarge", field: String::new(), message: "Too large resource version".to_owned() }];
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continue_tokens_are_read_back() {
        for revision in [Some(7), None] {
            let token = Continue { revision, key: "/pods./default/a".to_owned() };
            assert_eq!(Continue::decode(&token.encode()), Some(token));
        }
        let told = gone(Some("/pods./default/a".to_owned())).to_status();
        assert_eq!(Continue::decode(told.text("metadata.continue")).map(|token| token.revision), Some(None));
        let negative = URL_SAFE_NO_PAD.encode(r#"{"rv":-2,"start":"/pods./default/a"}"#);
        for wrong in ["", "?", "e30", &negative] {
            assert_eq!(Continue::decode(wrong), None, "{wrong}");
        }
    }
}
