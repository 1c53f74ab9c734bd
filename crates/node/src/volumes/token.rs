//! Service account tokens of a pod's volumes: kept while they are good, renewed before they end.

use crate::cluster::{Cluster, TokenRequest};
use base::Timestamp;
use std::time::Duration;

/// Tokens of one pod, in memory only.
#[derive(Debug, Default)]
pub struct TokenCache {
    tokens: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    request: TokenRequest,
    token: String,
    renew_at: Timestamp,
}

impl TokenCache {
    /// A token for this request: the one that is kept while it is good, else a new one.
    pub(super) async fn get(&mut self, cluster: &dyn Cluster, request: &TokenRequest, now: Timestamp) -> Result<String, String> {
        if let Some(kept) = self.tokens.iter().find(|kept| kept.request == *request && kept.renew_at > now) {
            return Ok(kept.token.clone());
        }
        let issued = cluster.token(request).await.map_err(|error| format!("failed to fetch token: {error}"))?;
        // After four fifths of its life, or a day. Source: kubelet `token_manager.go`.
        let life = issued.expires.since(now).mul_f64(0.8).min(Duration::from_secs(24 * 3_600));
        let renew_at = now.plus(life.max(Duration::from_secs(1)));
        self.tokens.retain(|kept| kept.request != *request);
        self.tokens.push(Kept { request: request.clone(), token: issued.token.clone(), renew_at });
        Ok(issued.token)
    }

    /// When the next one wants to be renewed.
    pub fn renew_at(&self) -> Option<Timestamp> {
        self.tokens.iter().map(|kept| kept.renew_at).min()
    }
}
