//! What was changed beside the template: found by the service, told here.

use super::api::{Api, pair};
use crate::aws::Node;
use crate::failure::{Failure, FailureKind};
use crate::provider::Drifted;
use std::time::Duration;

/// Between two questions whether it is found out.
const PAUSE: Duration = Duration::from_secs(2);
/// All of it is asked for no longer than this: it need not be had.
const LONGEST: Duration = Duration::from_secs(120);

impl Api<'_> {
    /// Asks for a stack's drift and waits until it is found out.
    pub(crate) async fn drift(&self, stack: &str) -> Result<Vec<Drifted>, Failure> {
        let end = self.0.pace.now().plus(LONGEST);
        let started = self.call("DetectStackDrift", &[pair("StackName", stack)]).await?;
        let id = started.text_of("StackDriftDetectionId").to_owned();
        while self.0.pace.now() < end {
            let status = self.call("DescribeStackDriftDetectionStatus", &[pair("StackDriftDetectionId", &id)]).await?;
            match status.text_of("DetectionStatus") {
                "DETECTION_COMPLETE" => return self.drifted(stack).await,
                "DETECTION_FAILED" => {
                    let why = status.text_of("DetectionStatusReason");
                    return Err(Failure::new("DetectStackDrift", FailureKind::State, format!("it could not be found out: {why}")));
                }
                _ => self.0.pace.sleep(PAUSE).await,
            }
        }
        Err(Failure::new("DetectStackDrift", FailureKind::Server, "it was not found out within two minutes"))
    }

    async fn drifted(&self, stack: &str) -> Result<Vec<Drifted>, Failure> {
        let mut all = Vec::new();
        let mut parameters = vec![pair("StackName", stack)];
        parameters.extend(super::list::numbered("StackResourceDriftStatusFilters.member", &["MODIFIED".to_owned(), "DELETED".to_owned()]));
        let take = |page: &Node| {
            all.extend(page.members("StackResourceDrifts").map(read));
            true
        };
        self.pages("DescribeStackResourceDrifts", &parameters, take).await?;
        Ok(all)
    }
}

fn read(node: &Node) -> Drifted {
    let text = |name: &str| node.text_of(name).to_owned();
    let difference = |member: &Node| {
        // `/Tags/0/Value`, as JSON pointers are written.
        let path = member.text_of("PropertyPath").trim_start_matches('/').replace('/', ".");
        (path, member.text_of("ExpectedValue").to_owned(), member.text_of("ActualValue").to_owned())
    };
    Drifted {
        id: text("LogicalResourceId"),
        kind: text("ResourceType"),
        physical: text("PhysicalResourceId"),
        deleted: node.text_of("StackResourceDriftStatus") == "DELETED",
        differences: node.members("PropertyDifferences").map(difference).collect(),
    }
}
