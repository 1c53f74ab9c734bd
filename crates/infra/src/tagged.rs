//! What carries our tags, whoever made it (Resource Groups Tagging API, version 2017-01-26).

use crate::aws::{Caller, JsonTarget, Service};
use crate::failure::{Failure, FailureKind};
use serde_json::{Value, json};

const SERVICE: Service = Service { name: "tagging", version: "" };
const MOST_PAGES: usize = 100;

/// The ARNs of all resources in the region that have all of these tags.
///
/// # Errors
/// When it cannot be asked.
pub async fn resources(caller: &Caller, tags: &[(&str, &str)]) -> Result<Vec<String>, Failure> {
    let filters: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Values": [value]})).collect();
    let (mut all, mut next) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let body = json!({"TagFilters": filters, "PaginationToken": next});
        let action = JsonTarget::Action("ResourceGroupsTaggingAPI_20170126.GetResources", &body);
        let page = caller.json(SERVICE, "GetResources", action).await?;
        let list = page["ResourceTagMappingList"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.extend(list.iter().filter_map(|entry| entry["ResourceARN"].as_str()).map(str::to_owned));
        next = page["PaginationToken"].as_str().unwrap_or_default().to_owned();
        if next.is_empty() {
            return Ok(all);
        }
    }
    Err(Failure::new("GetResources", FailureKind::Unreadable, format!("the answer has more than {MOST_PAGES} pages")))
}
