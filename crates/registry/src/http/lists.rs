//! Lists: tags, repositories, what refers to a manifest.

use super::{Answered, Call, json, text};
use crate::digest::Digest;
use crate::error::{self, ApiError};
use crate::manifest;
use crate::rights::Right;
use crate::store::FoundManifest;
use http::{HeaderName, HeaderValue, StatusCode, header};
use oci::manifest::media;
use serde_json::{Value, json};
use std::sync::Arc;

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Names of one page, whatever was asked for.
const PAGE: usize = 10_000;
/// Bytes of one page of referrers: an index is no longer than any manifest may be.
const PAGE_BYTES: usize = 3 << 20;

impl Call<'_> {
    /// How many names were asked for, and behind which.
    fn page(&self) -> Result<(usize, String), ApiError> {
        let wrong = || ApiError::bad("PAGINATION_NUMBER_INVALID", "`n` is a number of names");
        let most = match self.query.get("n") {
            None => PAGE,
            Some(text) => text.parse::<usize>().map_err(|_| wrong())?.min(PAGE),
        };
        Ok((most, self.query.get("last").unwrap_or_default().into_owned()))
    }

    pub(super) fn tags(&self) -> Answered {
        let (most, last) = self.page()?;
        let found = self.core.store.tags(&self.repository, &last, most);
        let (tags, more) = found.ok_or_else(|| ApiError::unknown(error::NAME_UNKNOWN, "there is no such repository"))?;
        let mut answer = json(StatusCode::OK, &json!({"name": &*self.repository, "tags": names(&tags)}));
        if let Some(last) = tags.last().filter(|_| more) {
            let next = format!("</v2/{}/tags/list?n={most}&last={last}>; rel=\"next\"", self.repository);
            answer.headers_mut().insert(header::LINK, text(&next));
        }
        Ok(answer)
    }

    /// Repositories that may be read.
    pub(super) fn catalog(&self) -> Answered {
        if self.identity.user().is_none() && self.access.passwords.is_some() && !self.access.rights.has_anonymous() {
            return Err(self.door.unauthorized(&self.access, "say who you are", None));
        }
        let (most, last) = self.page()?;
        let (found, more) = self.core.store.repositories(&last, most, &|name| self.allows(name, Right::Pull));
        let mut answer = json(StatusCode::OK, &json!({"repositories": names(&found)}));
        if let Some(last) = found.last().filter(|_| more) {
            answer.headers_mut().insert(header::LINK, text(&format!("</v2/_catalog?n={most}&last={last}>; rel=\"next\"")));
        }
        Ok(answer)
    }

    /// Also of what is not there, and of a repository that is not there yet: nothing refers to it.
    pub(super) fn referrers(&self, subject: &Digest) -> Answered {
        let wanted = self.query.get("artifactType").filter(|wanted| !wanted.is_empty());
        let behind = self.query.get("last").map(|last| Digest::parse(&last)).transpose()?;
        let found = self.core.store.referrers(&self.repository, subject, behind.as_ref());
        let (mut manifests, mut bytes, mut next) = (Vec::new(), 0, None);
        let mut last: Option<Digest> = None;
        for referrer in found {
            let described = describe(&referrer)?;
            if wanted.as_deref().is_some_and(|wanted| described["artifactType"] != *wanted) {
                continue;
            }
            bytes += described.to_string().len() + 1;
            if bytes > PAGE_BYTES && !manifests.is_empty() {
                next = last;
                break;
            }
            manifests.push(described);
            last = Some(referrer.digest);
        }
        let mut answer = json(StatusCode::OK, &json!({"schemaVersion": 2, "mediaType": media::INDEX, "manifests": manifests}));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media::INDEX));
        if wanted.is_some() {
            headers.insert(FILTERS, HeaderValue::from_static("artifactType"));
        }
        if let Some(last) = next {
            let filter = wanted.map(|wanted| format!("&artifactType={}", escaped(&wanted))).unwrap_or_default();
            let next = format!("</v2/{}/referrers/{subject}?last={last}{filter}>; rel=\"next\"", self.repository);
            headers.insert(header::LINK, text(&next));
        }
        Ok(answer)
    }
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn names(all: &[Arc<str>]) -> Vec<&str> {
    all.iter().map(|name| &**name).collect()
}

/// A manifest as a list of referrers names it (distribution spec, "Listing Referrers").
fn describe(referrer: &FoundManifest) -> Result<Value, ApiError> {
    let bytes = referrer.content.read().map_err(|error| ApiError::system(&error))?;
    let document = manifest::document(&bytes)?;
    let mut described = json!({"mediaType": referrer.facts.media_type, "digest": referrer.digest, "size": referrer.content.size});
    let own = document.artifact_type.filter(|own| !own.is_empty());
    // Of an image without a type of its own it is that of its configuration; an index has none.
    let kind = own.or_else(|| document.config.map(|config| config.media_type).filter(|kind| !kind.is_empty()));
    if let Some(kind) = kind {
        described["artifactType"] = kind.into();
    }
    if let Some(annotations) = document.annotations.filter(|annotations| !annotations.is_empty()) {
        described["annotations"] = json!(annotations);
    }
    Ok(described)
}
