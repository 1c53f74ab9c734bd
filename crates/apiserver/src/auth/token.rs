//! Tokens of service accounts: JSON Web Tokens signed with ES256, bound to the account and to a pod.
//!
//! Source for claims: kubernetes `pkg/serviceaccount/claims.go`; RFC 7519, RFC 7518 section 3.4.

use crate::core::Core;
use crate::user::User;
use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s::kinds::{NODE, POD, SECRET, SERVICE_ACCOUNT};
use k8s::{ApiError, Fields, Value};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair, UnparsedPublicKey};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Who issues tokens, and whom they are for when nobody says otherwise.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// Longer ones are not looked at.
const MAX_BYTES: usize = 16 << 10;

/// Claims of tokens whose signature was checked lately, by the token's hash.
#[derive(Default)]
pub struct Checked(Mutex<HashMap<[u8; 32], Arc<Value>>>);

/// What a token is made for.
#[derive(Clone, Debug, Default)]
pub struct TokenWish {
    /// Empty: the API server.
    pub audiences: Vec<String>,
    /// Seconds for which it is good; 0: as long as there is the Secret that it is bound to.
    pub seconds: i64,
    /// Kind, name and uid of the object that it dies with.
    pub bound: Option<(String, String, String)>,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadToken(pub String);

fn bad(why: &str) -> BadToken {
    BadToken(why.to_owned())
}

impl Core {
    /// Makes a token for a service account; with it, when it ends.
    ///
    /// # Errors
    /// 404 and 409 when the account or the object that it is bound to are not there.
    pub fn make_token(&self, namespace: &str, name: &str, wish: &TokenWish) -> Result<(String, Timestamp), ApiError> {
        let account = self.objects.get(SERVICE_ACCOUNT, namespace, name).ok_or_else(|| ApiError::not_found(SERVICE_ACCOUNT, name))?;
        let now = self.now();
        let until = now.seconds() + wish.seconds;
        let mut private = json!({"namespace": namespace, "serviceaccount": {"name": name, "uid": account.value.uid()}});
        if let Some((kind, bound_name, uid)) = &wish.bound {
            self.bind(&mut private, (namespace, kind, bound_name, uid))?;
        }
        let audiences = if wish.audiences.is_empty() { vec![ISSUER.to_owned()] } else { wish.audiences.clone() };
        let mut claims = json!({
            "aud": audiences, "exp": until, "iat": now.seconds(), "nbf": now.seconds(), "iss": ISSUER, "jti": base::ids::uuid(),
            "sub": format!("system:serviceaccount:{namespace}:{name}"), "kubernetes.io": private,
        });
        if wish.seconds == 0 && claims["kubernetes.io"].member("secret").is_some() {
            claims.unset("exp");
        }
        let head = json!({"alg": "ES256", "kid": self.key_id()});
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(head.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self
            .pki
            .token_key
            .sign(&self.pki.random, signed.as_bytes())
            .map_err(|_| ApiError::internal("the token could not be signed"))?;
        Ok((format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)), Timestamp::from_micros(until * 1_000_000)))
    }

    fn bind(&self, private: &mut Value, (namespace, kind, name, uid): (&str, &str, &str, &str)) -> Result<(), ApiError> {
        let (kind, member) = match kind {
            "Pod" => (POD, "pod"),
            "Secret" => (SECRET, "secret"),
            "Node" => (NODE, "node"),
            other => return Err(ApiError::bad_request(format!("cannot bind token to object of type {other}"))),
        };
        let space = if kind.is_namespaced() { namespace } else { "" };
        let found = self.objects.get(kind, space, name).ok_or_else(|| ApiError::not_found(kind, name))?;
        if !uid.is_empty() && found.value.uid() != uid {
            let why = format!(
                "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
            );
            return Err(ApiError::conflict(kind, name, &why));
        }
        private[member] = json!({"name": name, "uid": found.value.uid()});
        let node = found.value.text("spec.nodeName");
        if kind == POD && !node.is_empty() {
            let uid = self.objects.get(NODE, "", node).map(|node| node.value.uid().to_owned());
            private["node"] = json!({"name": node});
            if let Some(uid) = uid {
                private["node"]["uid"] = json!(uid);
            }
        }
        Ok(())
    }

    /// The user of a token for one of these audiences (`None`: the API server).
    ///
    /// # Errors
    /// When it is not ours, has ended, or what it stands for is gone.
    pub fn token_user(&self, token: &str, audiences: Option<&[String]>) -> Result<User, BadToken> {
        let claims = self.claims(token)?;
        let now = self.now().seconds();
        // A minute of leeway, as go-jose gives it, for whoever shares no clock with us.
        let lasts = claims.member("kubernetes.io").is_some_and(|private| private.member("secret").is_some());
        if claims.int("exp").map_or(!lasts, |until| until <= now) {
            return Err(bad("service account token has expired"));
        }
        if claims.int("nbf").is_some_and(|from| from > now + 60) || claims.text("iss") != ISSUER {
            return Err(bad("the token is not valid here"));
        }
        let own = [ISSUER.to_owned()];
        let wanted = audiences.unwrap_or(&own);
        if !claims.items("aud").iter().any(|audience| wanted.iter().any(|wanted| audience == wanted)) {
            return Err(bad("the token is for other audiences"));
        }
        self.alive(&claims)
    }

    fn alive(&self, claims: &Value) -> Result<User, BadToken> {
        let empty = Value::Null;
        let private = claims.member("kubernetes.io").unwrap_or(&empty);
        let namespace = private.text("namespace");
        let (name, uid) = (private.text("serviceaccount.name"), private.text("serviceaccount.uid"));
        let lives = |kind, namespace: &str, name: &str, uid: &str| {
            self.objects.get(kind, namespace, name).is_some_and(|found| found.value.uid() == uid)
        };
        if !lives(SERVICE_ACCOUNT, namespace, name, uid) {
            return Err(bad("the service account is gone"));
        }
        let mut user = User::service_account(namespace, name, uid);
        for (member, kind, extra) in [("pod", POD, "pod"), ("secret", SECRET, ""), ("node", NODE, "node")] {
            let Some(bound) = private.member(member) else { continue };
            let space = if kind.is_namespaced() { namespace } else { "" };
            // A node goes with its pods; only what the token was bound to by name must live.
            if member != "node" && !lives(kind, space, bound.text("name"), bound.text("uid")) {
                return Err(BadToken(format!("the {member} that the token is bound to is gone")));
            }
            if !extra.is_empty() {
                user.extra.insert(format!("authentication.kubernetes.io/{extra}-name"), vec![bound.text("name").to_owned()]);
                user.extra.insert(format!("authentication.kubernetes.io/{extra}-uid"), vec![bound.text("uid").to_owned()]);
            }
        }
        user.extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={}", claims.text("jti"))]);
        Ok(user)
    }

    /// The claims of a token with a good signature.
    fn claims(&self, token: &str) -> Result<Arc<Value>, BadToken> {
        if token.len() > MAX_BYTES {
            return Err(bad("the token is too long"));
        }
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let checked = &self.auth.tokens.0;
        if let Some(claims) = checked.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(claims.clone());
        }
        let claims = Arc::new(self.verified(token).ok_or_else(|| bad("the token's signature is not ours"))?);
        let mut checked = checked.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.len() >= 1_024 {
            checked.clear();
        }
        checked.insert(id, claims.clone());
        Ok(claims)
    }

    fn verified(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let head: Value = serde_json::from_slice(&decode(head)?).ok()?;
        if head.text("alg") != "ES256" {
            return None;
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pki.token_key.public_key().as_ref());
        key.verify(signed.as_bytes(), &decode(signature)?).ok()?;
        serde_json::from_slice(&decode(claims)?).ok()
    }

    /// The name of the signing key.
    pub fn key_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.pki.token_key.public_key().as_ref()))
    }
}
