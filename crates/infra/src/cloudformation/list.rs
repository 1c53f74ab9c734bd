//! Lists as the query protocol writes them, and a stack's resources.

use super::api::{Api, found, pair};
use crate::aws::Node;
use crate::failure::Failure;

/// `NAME.1`, `NAME.2` and so on.
pub(crate) fn numbered(name: &str, values: &[String]) -> Vec<(String, String)> {
    values.iter().enumerate().map(|(index, value)| (format!("{name}.{}", index + 1), value.clone())).collect()
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub id: String,
    pub kind: String,
    pub physical: String,
    pub status: String,
}

impl Api<'_> {
    /// All resources of a stack, also of one that was removed, by its id.
    pub(crate) async fn resources(&self, stack: &str) -> Result<Vec<Resource>, Failure> {
        let mut all = Vec::new();
        let take = |page: &Node| {
            all.extend(page.members("StackResourceSummaries").map(|member| Resource {
                id: member.text_of("LogicalResourceId").to_owned(),
                kind: member.text_of("ResourceType").to_owned(),
                physical: member.text_of("PhysicalResourceId").to_owned(),
                status: member.text_of("ResourceStatus").to_owned(),
            }));
            true
        };
        found(self.pages("ListStackResources", &[pair("StackName", stack)], take).await)?;
        Ok(all)
    }
}
