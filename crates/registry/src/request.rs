//! Requests as they are written: paths, queries, ranges, credentials. Nothing here knows of the store.

use crate::digest::{Digest, DigestError};
use base64::Engine;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`.
    Base,
    /// `/token`, where tokens are given out.
    Token,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/NAME/blobs/DIGEST`.
    Blob(Digest),
    /// `/v2/NAME/blobs/uploads/`.
    Uploads,
    /// `/v2/NAME/blobs/uploads/ID`.
    Upload(String),
    /// `/v2/NAME/manifests/TAG` or the same with a digest.
    Manifest(Named),
    /// `/v2/NAME/tags/list`.
    Tags,
    /// `/v2/NAME/referrers/DIGEST`.
    Referrers(Digest),
}

/// A tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A tag.
    Tag(String),
    /// A digest.
    Digest(Digest),
}

/// Why a path names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No endpoint has this form.
    Unknown,
    /// The name is none.
    Name,
    /// The digest is none.
    Digest(DigestError),
    /// The tag is none.
    Tag,
}

/// The repository and the endpoint that a path names; the repository is empty for those that are about none.
///
/// # Errors
/// When it names nothing.
pub fn route(path: &str) -> Result<(String, Route), NoRoute> {
    let path = percent_decode_str(path).decode_utf8().map_err(|_| NoRoute::Unknown)?;
    if path == "/token" {
        return Ok((String::new(), Route::Token));
    }
    let rest = path.strip_prefix("/v2").ok_or(NoRoute::Unknown)?;
    match rest {
        "" | "/" => return Ok((String::new(), Route::Base)),
        "/_catalog" => return Ok((String::new(), Route::Catalog)),
        _ => {}
    }
    let rest = rest.strip_prefix('/').ok_or(NoRoute::Unknown)?;
    let (name, route) = endpoint(rest)?;
    if !oci::reference::is_repository(name) {
        return Err(NoRoute::Name);
    }
    Ok((name.to_owned(), route?))
}

/// The name may hold slashes, so that a path is read from its end.
fn endpoint(rest: &str) -> Result<(&str, Result<Route, NoRoute>), NoRoute> {
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Ok((name, Ok(Route::Tags)));
    }
    if let Some(name) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
        return Ok((name, Ok(Route::Uploads)));
    }
    let (before, last) = rest.rsplit_once('/').ok_or(NoRoute::Unknown)?;
    let digest = || Digest::parse(last).map_err(NoRoute::Digest);
    if let Some(name) = before.strip_suffix("/blobs/uploads") {
        let plain = !last.is_empty() && last.len() <= 64 && last.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        return Ok((name, if plain { Ok(Route::Upload(last.to_owned())) } else { Err(NoRoute::Unknown) }));
    }
    if let Some(name) = before.strip_suffix("/blobs") {
        return Ok((name, digest().map(Route::Blob)));
    }
    if let Some(name) = before.strip_suffix("/referrers") {
        return Ok((name, digest().map(Route::Referrers)));
    }
    let name = before.strip_suffix("/manifests").ok_or(NoRoute::Unknown)?;
    let named = match last.contains(':') {
        true => digest().map(Named::Digest),
        false if oci::reference::is_tag(last) => Ok(Named::Tag(last.to_owned())),
        false => Err(NoRoute::Tag),
    };
    Ok((name, named.map(Route::Manifest)))
}

/// The parameters of a query.
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Of what stands behind the `?`.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// All values of a parameter. A plus stands for itself: media types have some, and nothing here has spaces.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        let pairs = self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let name = name.to_owned();
        pairs.filter(move |(key, _)| *key == name).map(|(_, value)| percent_decode_str(value).decode_utf8_lossy())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.all(name).next()
    }
}

/// The first and the last byte of a chunk (distribution spec, "Pushing a blob in chunks": `START-END`); what RFC 9110 writes
/// around that (`bytes START-END/LENGTH`) may stand there too.
pub fn content_range(text: &str) -> Option<(u64, u64)> {
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
    let text = text.split('/').next().unwrap_or_default();
    let (first, last) = text.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// What a `Range` header asks for of content of some size (RFC 9110 section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: nothing was asked for that is understood.
    All,
    /// From a byte, so many.
    Some(u64, u64),
    /// Nothing that is there.
    Beyond,
}

/// Reads a `Range` header. Of several ranges none is taken: all is then answered, as one may.
pub fn range(text: Option<&str>, size: u64) -> Part {
    let Some(asked) = text.and_then(|text| text.trim().strip_prefix("bytes=")).filter(|asked| !asked.contains(',')) else {
        return Part::All;
    };
    let Some((first, last)) = asked.trim().split_once('-') else { return Part::All };
    match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => from(first, u64::MAX, size),
        (Some(first), Some(last)) if first <= last => from(first, last, size),
        (None, Some(0)) if first.is_empty() => Part::Beyond,
        (None, Some(length)) if first.is_empty() => from(size.saturating_sub(length), u64::MAX, size),
        _ => Part::All,
    }
}

fn from(first: u64, last: u64, size: u64) -> Part {
    if first >= size { Part::Beyond } else { Part::Some(first, last.min(size - 1) - first + 1) }
}

/// The token of an `Authorization` header (RFC 6750).
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// User and password of an `Authorization` header (RFC 7617).
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn paths_are_read_from_their_end() {
        let digest = Digest::parse(&format!("sha256:{HEX}")).expect("digest");
        let blobs = format!("/v2/a/b/blobs/sha256:{HEX}");
        let escaped = format!("/v2/a/blobs/sha256%3A{HEX}");
        let referrers = format!("/v2/a/referrers/sha256:{HEX}");
        let by_digest = format!("/v2/a/manifests/sha256:{HEX}");
        let rows: [(&str, &str, Route); 13] = [
            ("/token", "", Route::Token),
            ("/v2", "", Route::Base),
            ("/v2/", "", Route::Base),
            ("/v2/_catalog", "", Route::Catalog),
            ("/v2/tags/list/tags/list", "tags/list", Route::Tags),
            (&blobs, "a/b", Route::Blob(digest.clone())),
            (&escaped, "a", Route::Blob(digest.clone())),
            ("/v2/blobs/uploads/blobs/uploads/", "blobs/uploads", Route::Uploads),
            ("/v2/a/blobs/uploads", "a", Route::Uploads),
            ("/v2/a/blobs/uploads/0a-f", "a", Route::Upload("0a-f".into())),
            ("/v2/manifests/manifests/v1", "manifests", Route::Manifest(Named::Tag("v1".into()))),
            (&by_digest, "a", Route::Manifest(Named::Digest(digest.clone()))),
            (&referrers, "a", Route::Referrers(digest)),
        ];
        for (path, name, expected) in rows {
            assert_eq!(route(path), Ok((name.to_owned(), expected)), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_of_ours_is_told_why() {
        for (path, why) in [
            ("/", NoRoute::Unknown),
            ("/v1/", NoRoute::Unknown),
            ("/v2/a", NoRoute::Unknown),
            ("/v2/a/b/c", NoRoute::Unknown),
            ("/v2/tags/list", NoRoute::Unknown),
            ("/v2/A/tags/list", NoRoute::Name),
            ("/v2/a/../b/tags/list", NoRoute::Name),
            ("/v2/a%2f..%2fb/tags/list", NoRoute::Name),
            ("/v2/%00/tags/list", NoRoute::Name),
            ("/v2/a/blobs/sha256:1", NoRoute::Digest(DigestError::Malformed)),
            ("/v2/a/blobs/md5:d41d", NoRoute::Digest(DigestError::Unsupported)),
            ("/v2/a/manifests/sha256:x", NoRoute::Digest(DigestError::Malformed)),
            ("/v2/a/manifests/-x", NoRoute::Tag),
            ("/v2/a/manifests/", NoRoute::Tag),
            ("/v2/a/blobs/uploads/..", NoRoute::Unknown),
        ] {
            assert_eq!(route(path), Err(why), "{path}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::new("digest=sha256%3Aab&tag=a&tag=b&artifactType=application/x+json&mount");
        assert_eq!(query.get("digest").as_deref(), Some("sha256:ab"));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.get("artifactType").as_deref(), Some("application/x+json"));
        assert_eq!((query.get("mount").as_deref(), query.get("from")), (Some(""), None));
    }

    #[test]
    fn chunks_say_where_they_belong() {
        assert_eq!(content_range("0-9"), Some((0, 9)));
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 9)));
        for wrong in ["", "-", "9", "9-8", "a-b", "+1-2", "0-99999999999999999999", "bytes"] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        for (text, expected) in [
            ("bytes=0-0", Part::Some(0, 1)),
            ("bytes=2-", Part::Some(2, 8)),
            ("bytes=-3", Part::Some(7, 3)),
            ("bytes=-30", Part::Some(0, 10)),
            ("bytes=5-500", Part::Some(5, 5)),
            ("bytes=10-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=3-2", Part::All),
            ("bytes=0-1,4-5", Part::All),
            ("lines=1-2", Part::All),
            ("bytes=x", Part::All),
        ] {
            assert_eq!(range(Some(text), 10), expected, "{text}");
        }
        assert_eq!((range(None, 10), range(Some("bytes=0-"), 0)), (Part::All, Part::Beyond));
    }

    #[test]
    fn headers_are_read() {
        assert_eq!(basic("Basic YTpiOmM="), Some(("a".into(), "b:c".into())));
        assert_eq!(basic("basic YTo="), Some(("a".into(), String::new())));
        assert_eq!((bearer("Bearer x"), bearer("bearer  x "), bearer("Basic x")), (Some("x"), Some("x"), None));
        for wrong in ["", "Basic", "Basic !", "Bearer YTpi", "Basic YQ==", "Basic /w=="] {
            assert_eq!(basic(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(text in "\\PC{0,80}", size in any::<u64>()) {
            let _ = route(&text);
            let _ = route(&format!("/v2/{text}"));
            let _ = content_range(&text);
            let _ = (basic(&text), bearer(&text));
            let _ = Query::new(&text).get("n");
            if let Part::Some(first, length) = range(Some(&text), size) {
                prop_assert!(length > 0 && first + length <= size);
            }
        }

        #[test]
        fn no_name_leads_out_of_its_folder(text in "(/v2/)?[a-z./%2eEfF_-]{0,40}/tags/list") {
            if let Ok((name, _)) = route(&text) {
                prop_assert!(name.split('/').all(|part| part != ".." && part != "." && !part.is_empty()));
            }
        }
    }
}
