//! What is no resource: version, discovery, OpenAPI, health, metrics.

use crate::core::Core;
use crate::request::Query;
use crate::respond::{self, Answer};
use http::{HeaderValue, Request, header};
use k8s::discovery::{self, AGGREGATED_MEDIA_TYPE, Root};
use k8s::openapi::binary;
use k8s::{ApiError, KINDS, Value, openapi};
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;

/// The Kubernetes version that is served.
pub const VERSION: &str = "v1.36.3";

/// Answers a path that names no resource.
///
/// # Errors
/// 404.
pub fn answer<B>(core: &Arc<Core>, request: &Request<B>, path: &str, query: &Query) -> Result<Answer, ApiError> {
    if !matches!(request.method().as_str(), "GET" | "HEAD") {
        return Err(ApiError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"));
    }
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let found = match parts.as_slice() {
        ["version"] => Some(respond::json_value(200, &version())),
        ["healthz" | "livez" | "readyz", ..] => Some(health(core, path, query)),
        ["metrics"] => Some(respond::typed(200, "text/plain; version=0.0.4; charset=utf-8", metrics(core))),
        [""] => Some(respond::json_value(200, &json!({"paths": paths()}))),
        ["api"] => Some(discovered(accept, Root::Api, || discovery::api_versions(&address(request)))),
        ["apis"] => Some(discovered(accept, Root::Apis, discovery::api_group_list)),
        ["api", version] => discovery::api_resource_list("", version).map(|list| respond::json_value(200, &list)),
        ["apis", group] => discovery::api_group(group).map(|group| respond::json_value(200, &group)),
        ["apis", group, version] => discovery::api_resource_list(group, version).map(|list| respond::json_value(200, &list)),
        ["openapi", "v2"] => Some(openapi_v2(accept)?),
        ["openapi", "v3"] => Some(respond::json_value(200, openapi::v3_index())),
        ["openapi", "v3", name @ ..] => {
            openapi::v3_document(&name.join("/")).map(|document| lasting(respond::json_value(200, &document), query))
        }
        [".well-known", "openid-configuration"] => Some(respond::json_value(200, &openid())),
        ["openid", "v1", "jwks"] => Some(respond::json_value(200, &keys(core))),
        _ => None,
    };
    found.ok_or_else(|| ApiError::new(404, "NotFound", "the server could not find the requested resource"))
}

fn address<B>(request: &Request<B>) -> String {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or("127.0.0.1:6443").to_owned()
}

fn discovered(accept: &str, root: Root, plain: impl FnOnce() -> Value) -> Answer {
    let wants = |offer: &str| {
        let has = |part: &str| offer.split(';').any(|found| found.trim() == part);
        has("g=apidiscovery.k8s.io") && has("v=v2") && has("as=APIGroupDiscoveryList")
    };
    if accept.split(',').any(wants) {
        return respond::typed(200, AGGREGATED_MEDIA_TYPE, discovery::aggregated(root).to_string());
    }
    respond::json_value(200, &plain())
}

fn openapi_v2(accept: &str) -> Result<Answer, ApiError> {
    let offers = accept.split(',').map(|offer| offer.split(';').next().unwrap_or_default().trim());
    for offer in offers {
        match offer {
            "" | "application/json" | "application/*" | "*/*" => return Ok(respond::json_value(200, &openapi::v2_document())),
            binary::MEDIA_TYPE | binary::OLD_MEDIA_TYPE => {
                return Ok(respond::typed(200, binary::MEDIA_TYPE, binary::document(&openapi::v2_document())));
            }
            _ => {}
        }
    }
    Err(ApiError::new(406, "NotAcceptable", format!("only application/json and {} are served", binary::MEDIA_TYPE)))
}

/// A document whose address names its content never changes. Source: kube-openapi `pkg/handler3`.
fn lasting(mut answer: Answer, query: &Query) -> Answer {
    if !query.get("hash").is_empty() {
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, immutable, max-age=31536000"));
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", query.get("hash"))) {
            answer.headers_mut().insert(header::ETAG, tag);
        }
    }
    answer
}

fn version() -> Value {
    json!({"major": "1", "minor": "36", "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": format!("linux/{}", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" })})
}

// The store's writer is the one part that can fail for good while the server still answers.
fn health(core: &Core, path: &str, query: &Query) -> Answer {
    let stopped = core.objects.store.stopped();
    let ready = path != "/readyz" || core.draining.get().is_none_or(|draining| !draining.has_begun());
    let mut told = String::new();
    for (name, well) in [("ping", true), ("store", stopped.is_none()), ("shutdown", ready)] {
        let _ = writeln!(told, "[{}]{name} {}", if well { '+' } else { '-' }, if well { "ok" } else { "failed" });
    }
    let name = path.trim_matches('/').split('/').next().unwrap_or_default();
    match (stopped.is_none() && ready, query.has("verbose")) {
        (true, false) => respond::text(200, "ok"),
        (true, true) => respond::text(200, format!("{told}{name} check passed\n")),
        (false, _) => respond::text(500, format!("{told}{name} check failed\n")),
    }
}

fn metrics(core: &Core) -> String {
    let store = &core.objects.store;
    let mut text =
        String::from("# HELP apiserver_storage_objects Number of stored objects by kind.\n# TYPE apiserver_storage_objects gauge\n");
    for kind in KINDS.iter().filter(|kind| crate::handler::convert::is_plain(kind)) {
        let count = store.count(&crate::request::prefix(kind, ""));
        let _ = writeln!(text, "apiserver_storage_objects{{resource=\"{}\"}} {count}", kind.qualified_resource());
    }
    let _ = writeln!(
        text,
        "# HELP wharf_store_revision The newest revision.\n# TYPE wharf_store_revision counter\nwharf_store_revision {}",
        store.revision()
    );
    text
}

fn paths() -> Vec<String> {
    let mut paths: Vec<String> =
        ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
            .map(str::to_owned)
            .to_vec();
    for (group, versions) in discovery::groups() {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.sort();
    paths
}

fn openid() -> Value {
    let issuer = crate::auth::token::ISSUER;
    json!({"issuer": issuer, "jwks_uri": format!("{issuer}/openid/v1/jwks"), "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"]})
}

fn keys(core: &Core) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::signature::KeyPair;
    let point = core.pki.token_key.public_key().as_ref();
    let half = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
    json!({"keys": [{"use": "sig", "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": core.key_id(), "x": half(1), "y": half(33)}]})
}
